"""The audit log: one row per change or sign-in, each sealed with a hash that covers the row before it.

`hash` is SHA-256, in hex, over the previous row's hash and the row itself as a JSON array (`_sealed` has its order).
Altering, removing or inserting a row breaks the chain at that row. Removing rows from the end leaves an intact chain
and can only be detected with a later hash that was stored elsewhere.

Two changes of older rows are allowed, and recorded in the chain itself:

- Retention removes the oldest rows. A row of the operation `pruneAuditLog` contains the number and the hash of the last
  removed one.
- Redaction blanks the personal data of an account. Rows of the operation `redactAuditLog` contain a digest of each
  redacted row. The salt is removed, so the personal data cannot be guessed from the hash that remains.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import orjson
from sqlalchemy import JSON, ColumnElement, Row, Select, Text, cast, delete, func, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from fullon_graphql.database import Database
from fullon_graphql.models import AuditEntry

GENESIS = "0" * 64
"""The previous hash of the first row."""

NOBODY: Final = 0
"""The uid of rows without an account: an unknown one, or the server itself."""
SYSTEM: Final = "system"
"""The credential of rows that the server writes by itself."""

PRUNED: Final = "pruneAuditLog"
REDACTED: Final = "redactAuditLog"

PERSONAL: Final = frozenset(
    {"mail", "name", "lastname", "phone", "id_num", "note", "external_id", "address", "user_agent"}
)
"""Columns of `users` and `sessions` that redaction blanks."""

_LOCK = select(func.pg_advisory_xact_lock(func.hashtext("fullon_graphql audit_log")))
_PAGE = 1000
_PROOFS = 500  # redacted rows that one row of the log proves
_PRUNE_BATCH = 5_000


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
    await connection.execute(_LOCK)
    # A separate statement: only a statement that begins under the lock sees the last committed row.
    last = (await connection.execute(_LAST)).first()
    seq, previous = (last.seq + 1, last.hash) if last else (1, GENESIS)
    time = (await connection.execute(select(func.clock_timestamp()))).scalar_one()
    before, after, salt = _json(event.before), _json(event.after), secrets.token_hex(16)
    values = {
        "seq": seq, "time": time, "uid": event.uid, "credential": event.credential, "operation": event.operation,
        "entity": event.entity, "key": event.key, "input_digest": event.input_digest,
        "request_id": event.request_id, "previous_hash": previous, "salt": salt,
    }  # fmt: skip
    seal = _sealed(**values, before=before, after=after)
    texts = {"before": cast(literal(before, Text), JSON), "after": cast(literal(after, Text), JSON)}
    await connection.execute(insert(AuditEntry).values(**values, **texts, hash=seal))


async def redact(connection: AsyncConnection, rows: ColumnElement[bool], by: Event) -> int:
    """Blank the personal data in the matching rows, and append rows that prove what remains; returns their number.

    Call it after all other changes of the transaction, as `append`. `by` has the account that redacts.
    """
    await connection.execute(_LOCK)
    proofs: dict[str, str] = {}
    for row in (await connection.execute(select(*_COLUMNS).where(rows).order_by(AuditEntry.seq))).all():
        values = dict(row._mapping) | {"salt": None, "redacted": True, "input_digest": ""}
        for image in ("before", "after"):
            values[image] = _json(_blanked(orjson.loads(values[image] or "null")))
        texts = {image: cast(literal(values[image], Text), JSON) for image in ("before", "after")}
        blanked = {"salt": None, "redacted": True, "input_digest": ""} | texts
        await connection.execute(update(AuditEntry).where(AuditEntry.seq == row.seq).values(**blanked))
        proofs[str(row.seq)] = _digest(values)
    for first in range(0, len(proofs), _PROOFS):
        batch = dict(list(proofs.items())[first : first + _PROOFS])
        await append(connection, replace(by, operation=REDACTED, before=None, after={"rows": batch}))
    return len(proofs)


async def prune(database: Database, before: datetime) -> int:
    """Remove the oldest rows up to the first one that is not older than `before`, in batches; returns their number."""
    total = 0
    while removed := await database.in_transaction(lambda connection: _prune_batch(connection, before)):
        total += removed
    return total


async def _prune_batch(connection: AsyncConnection, before: datetime) -> int:
    await connection.execute(_LOCK)
    columns = (AuditEntry.seq, AuditEntry.time, AuditEntry.hash)
    oldest = await connection.execute(select(*columns).order_by(AuditEntry.seq).limit(_PRUNE_BATCH))
    last, removed = None, 0
    for row in oldest:
        if row.time >= before:
            break
        last, removed = row, removed + 1
    if last is None:
        return 0
    cut = {"seq": last.seq, "hash": last.hash, "rows": removed}
    await append(connection, Event(NOBODY, SYSTEM, PRUNED, "AuditEntry", str(last.seq), "", None, cut, ""))
    await connection.execute(delete(AuditEntry).where(AuditEntry.seq <= last.seq))
    return removed


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a verification: number of intact `rows`, the last one's hash, and the first broken row."""

    rows: int
    hash: str
    broken: int | None = None
    """`seq` of the first row that was altered, or that follows a missing row."""
    pruned: int = 0
    """`seq` of the last row that retention removed."""
    redacted: int = 0
    """Rows without the personal data that they had."""


async def verify(database: Database) -> Verdict:
    """Read the whole log, as it is at the beginning, and verify every hash."""
    chain = _Chain()
    async with database.connection() as connection:
        await connection.execution_options(isolation_level="REPEATABLE READ")
        while page := (await connection.execute(_page_after(chain.seq))).all():
            for row in page:
                if not chain.accepts(row):
                    return chain.verdict(row.seq)
    return chain.verdict()


class _Chain:
    """The rows that were verified so far, and what later rows must prove about them."""

    def __init__(self) -> None:
        self.seq = 0
        self._hash = GENESIS
        self._rows = self._redacted = self._pruned = 0
        self._cut: tuple[int, str] | None = None
        self._unproven: dict[int, str] = {}

    def accepts(self, row: Row[Any]) -> bool:
        """False if the row was altered, or does not follow the previous one."""
        if not self._rows and row.seq > 1:
            self.seq, self._hash = self._cut = (row.seq - 1, row.previous_hash)
            self._pruned = self.seq
        if (row.seq, row.previous_hash) != (self.seq + 1, self._hash):
            return False
        values = dict(row._mapping)  # SQLAlchemy's documented name
        redacted, seal = values.pop("redacted"), values.pop("hash")
        if redacted:
            self._unproven[row.seq] = _digest(dict(row._mapping))
            self._redacted += 1
        elif seal != _sealed(**values):
            return False
        else:
            self._learn(row)
        self.seq, self._hash, self._rows = row.seq, row.hash, self._rows + 1
        return True

    def verdict(self, broken: int | None = None) -> Verdict:
        """The result so far; at the end of the log, what no row has proven is broken."""
        if broken is None and self._cut:
            broken = self._cut[0] + 1
        elif broken is None and self._unproven:
            broken = min(self._unproven)
        return Verdict(self._rows, self._hash, broken, self._pruned, self._redacted)

    def _learn(self, row: Row[Any]) -> None:
        if row.operation == PRUNED:
            cut = orjson.loads(row.after)
            if self._cut == (cut["seq"], cut["hash"]):
                self._cut = None
        elif row.operation == REDACTED:
            for seq, digest in orjson.loads(row.after)["rows"].items():
                if self._unproven.get(int(seq)) == digest:
                    del self._unproven[int(seq)]


async def export(database: Database, since: datetime | None, until: datetime | None) -> AsyncIterator[dict[str, Any]]:
    """The rows from `since` (inclusive) to `until` (exclusive), oldest first, without their salt."""
    conditions = [AuditEntry.time >= since] if since else []
    conditions += [AuditEntry.time < until] if until else []
    seq = 0
    while page := await database.rows(_page_after(seq).where(*conditions)):
        for row in page:
            values = dict(row._mapping)
            del values["salt"]
            images = {name: orjson.loads(values[name] or "null") for name in ("before", "after")}
            yield values | images
            seq = row.seq


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
    salt: str | None,
) -> str:
    """The hash of a row. `before` and `after` are hashed as the JSON text that is stored."""
    facts = [seq, time.timestamp(), uid, credential, operation, entity, key, input_digest, before, after, request_id]
    salted = [*facts, salt] if salt is not None else facts
    return hashlib.sha256(previous_hash.encode() + orjson.dumps(salted)).hexdigest()


def _digest(values: dict[str, Any]) -> str:
    """The digest of a redacted row with its place in the chain."""
    facts = {name: value for name, value in values.items() if name not in {"hash", "redacted"}}
    return hashlib.sha256((_sealed(**facts) + values["hash"]).encode()).hexdigest()


def _blanked(value: Any) -> Any:
    match value:
        case dict():
            return {name: None if name in PERSONAL else _blanked(inner) for name, inner in value.items()}
        case list():
            return [_blanked(inner) for inner in value]
        case _:
            return value


def blanked(image: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """An image of a row of `users` or `sessions` without personal data."""
    blank: dict[str, Any] | None = None if image is None else _blanked(dict(image))
    return blank


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
