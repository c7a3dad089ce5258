"""The audit log: one row per change, each sealed with a hash that covers the row before it.

`hash` is SHA-256, in hex, over the previous row's hash and the row itself as a JSON array (`_sealed` has its order).
Whoever alters, removes or inserts a row breaks the chain there. Cutting rows off the end leaves a chain in order:
that is noticed by whoever has noted a later hash elsewhere.
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
"""What stands in the place of a previous hash in the first row."""

_LOCK = func.pg_advisory_xact_lock(func.hashtext("fullon_graphql audit_log"))
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Event:
    """What a row says, but for its place in the chain. `before` and `after` hold no secrets."""

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
    """Add `event` at the end of the chain. To be called last: until the transaction ends, all other writers wait."""
    await connection.execute(select(_LOCK))
    # A statement of its own: only one that begins under the lock sees what its last holder has committed.
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
    """How far the chain holds: `rows` that are in order, the last one's hash, and the first row that is not."""

    rows: int
    hash: str
    broken: int | None = None
    """`seq` of the first row that is altered, or that stands where another is missing."""


async def verify(database: Database) -> Verdict:
    """Read the whole log and recompute every hash."""
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
    """The hash of a row. `before` and `after` enter as the texts they are stored as."""
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
    # A row numbered 0 or less belongs to no chain, and must not hide in front of it.
    after = AuditEntry.seq > seq if seq else True
    return select(*_COLUMNS).where(after).order_by(AuditEntry.seq).limit(_PAGE)  # type: ignore[arg-type]  # a bool is a condition
