"""The audit log: one row per change, each sealed with a hash that covers the row before it.

`hash` is SHA-256, in hex, over the previous row's hash and the row itself as a JSON array (`_sealed` has its order).
Altering, removing or inserting a row breaks the chain at that row. Removing rows from the end leaves an intact chain
and can only be detected with a later hash that was stored elsewhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import JSON, Row, Select, Text, cast, func, insert, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from fullon_graphql.database import Database
from fullon_graphql.models import AuditEntry

GENESIS = "0" * 64
"""The previous hash of the first row."""

_LOCK = func.pg_advisory_xact_lock(func.hashtext("fullon_graphql audit_log"))
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Event:
    """The content of a row, without its place in the chain. `before` and `after` contain no secrets."""

    uid: int
    credential: str
    operation: str
    entity: str
    key: str
    input_digest: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    request_id: str


async def append(connection: AsyncConnection, event: Event) -> None:
    """Append `event` to the chain. Call it last: all other writers wait until the transaction ends."""
    await connection.execute(select(_LOCK))
    # A separate statement: only a statement that begins under the lock sees the last committed row.
    last = (await connection.execute(_LAST)).first()
    seq, previous = (last.seq + 1, last.hash) if last else (1, GENESIS)
    time = (await connection.execute(select(func.clock_timestamp()))).scalar_one()
    before, after = _json(event.before), _json(event.after)
    values = {
        "seq": seq, "time": time, "uid": event.uid, "credential": event.credential, "operation": event.operation,
        "entity": event.entity, "key": event.key, "input_digest": event.input_digest,
        "request_id": event.request_id, "previous_hash": previous,
    }  # fmt: skip
    seal = _sealed(**values, before=before, after=after)
    texts = {"before": cast(literal(before, Text), JSON), "after": cast(literal(after, Text), JSON)}
    await connection.execute(insert(AuditEntry).values(**values, **texts, hash=seal))


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a verification: number of intact `rows`, the last one's hash, and the first broken row."""

    rows: int
    hash: str
    broken: int | None = None
    """`seq` of the first row that was altered, or that follows a missing row."""


async def verify(database: Database) -> Verdict:
    """Read the whole log and verify every hash."""
    verdict = Verdict(0, GENESIS)
    while page := await database.rows(_page_after(verdict.rows)):
        for row in page:
            if not _follows(row, verdict):
                return Verdict(verdict.rows, verdict.hash, broken=row.seq)
            verdict = Verdict(row.seq, row.hash)
    return verdict


def _follows(row: Row[Any], verdict: Verdict) -> bool:
    values = dict(row._mapping)  # SQLAlchemy's documented name
    return (row.seq, row.previous_hash) == (verdict.rows + 1, verdict.hash) and values.pop("hash") == _sealed(**values)


def _sealed(
    *,
    previous_hash: str,
    seq: int,
    time: datetime,
    uid: int,
    credential: str,
    operation: str,
    entity: str,
    key: str,
    input_digest: str,
    before: str | None,
    after: str | None,
    request_id: str,
) -> str:
    """The hash of a row. `before` and `after` are hashed as the JSON text that is stored."""
    facts = [seq, time.timestamp(), uid, credential, operation, entity, key, input_digest, before, after, request_id]
    return hashlib.sha256(previous_hash.encode() + orjson.dumps(facts)).hexdigest()


def _json(image: Mapping[str, Any] | None) -> str | None:
    return None if image is None else orjson.dumps(image, option=orjson.OPT_SORT_KEYS).decode()


_LAST = select(AuditEntry.seq, AuditEntry.hash).order_by(AuditEntry.seq.desc()).limit(1)
_COLUMNS = [
    cast(column, Text).label(column.name) if column.name in {"before", "after"} else column
    for column in AuditEntry.__table__.columns
]


def _page_after(seq: int) -> Select[Any]:
    # The first page has no lower limit, so that a forged row numbered 0 or less is found too.
    after = AuditEntry.seq > seq if seq else True
    return select(*_COLUMNS).where(after).order_by(AuditEntry.seq).limit(_PAGE)  # type: ignore[arg-type]  # a bool is a condition
