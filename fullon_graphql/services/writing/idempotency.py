"""Changes that must not happen twice: whoever repeats a change with its key is answered as the first time.

The record is written in the transaction of the change itself, so the two are there together or not at all. Of
several at once the first holds the record; the others wait for it, for as long as a statement may take.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from fullon_graphql.errors import BadUserInput, Conflict
from fullon_graphql.models import IdempotencyRecord as Record

KEY_LENGTH = 200
_PRUNED_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Claim:
    """One person's key, and what it is to stand for."""

    uid: int
    key: str
    operation: str
    input_digest: str

    def __post_init__(self) -> None:
        if not 0 < len(self.key) <= KEY_LENGTH or not self.key.isprintable():
            message = f"`idempotencyKey` has 1 to {KEY_LENGTH} printable characters, for example a UUID."
            raise BadUserInput(message, field="idempotencyKey")


async def take(connection: AsyncConnection, claim: Claim, expires_at: datetime) -> Any | None:
    """None where the key is new and now taken; else the result of the change that it stands for.

    Raises:
        Conflict: it stands for a change with other input.
    """
    facts = {"operation": claim.operation, "input_digest": claim.input_digest, "expires_at": expires_at}
    wanted = insert(Record).values(uid=claim.uid, key=claim.key, **facts)
    expired = wanted.on_conflict_do_update(
        index_elements=[Record.uid, Record.key],
        set_=facts | {"result": None, "created_at": func.now()},
        where=Record.expires_at <= func.now(),
    )
    if (await connection.execute(expired.returning(Record.key))).first():
        return None
    return _same(claim, (await connection.execute(_of(claim))).one())


async def settle(connection: AsyncConnection, claim: Claim, result: Any) -> None:
    """Note the result with the key, and forget some keys whose time is over."""
    await connection.execute(
        update(Record).where(Record.uid == claim.uid, Record.key == claim.key).values(result=result)
    )
    over = (
        select(Record.uid, Record.key)
        .where(Record.expires_at <= func.now())
        .limit(_PRUNED_AT_ONCE)
        .with_for_update(skip_locked=True)  # never waits, so it can stand in nobody's way
        .cte("over")
    )
    await connection.execute(delete(Record).where(Record.uid == over.c.uid, Record.key == over.c.key))


def _of(claim: Claim) -> Any:
    columns = (Record.operation, Record.input_digest, Record.result)
    return select(*columns).where(Record.uid == claim.uid, Record.key == claim.key)


def _same(claim: Claim, found: Any) -> Any:
    if (found.operation, found.input_digest) != (claim.operation, claim.input_digest):
        raise Conflict(f"This idempotencyKey has been used for another {found.operation}; take a new one.")
    return found.result
