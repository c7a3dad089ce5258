"""Idempotency keys: a change that is repeated with its key has no further effect.

The record is written in the transaction of the change, so that both are committed or neither is. Concurrent requests
with the same key wait for the first one, at most for the statement timeout.
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
_PRUNE_BATCH = 100


@dataclass(frozen=True, slots=True)
class Claim:
    """An idempotency key of one user, and the change it belongs to."""

    uid: int
    key: str
    operation: str
    input_digest: str

    def __post_init__(self) -> None:
        if not 0 < len(self.key) <= KEY_LENGTH or not self.key.isprintable():
            message = f"`idempotencyKey` must have 1 to {KEY_LENGTH} printable characters, for example a UUID."
            raise BadUserInput(message, field="idempotencyKey")


async def acquire(connection: AsyncConnection, claim: Claim, expires_at: datetime) -> Any | None:
    """Acquire a new key and return None, or return the result of the change that has used the key.

    Raises:
        Conflict: the key was used for a change with different input.
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
    return _result_of(claim, (await connection.execute(_select_claim(claim))).one())


async def store_result(connection: AsyncConnection, claim: Claim, result: Any) -> None:
    """Store the result with the key, and delete some expired keys."""
    await connection.execute(
        update(Record).where(Record.uid == claim.uid, Record.key == claim.key).values(result=result)
    )
    expired = (
        select(Record.uid, Record.key)
        .where(Record.expires_at <= func.now())
        .limit(_PRUNE_BATCH)
        .with_for_update(skip_locked=True)  # never waits
        .cte("expired")
    )
    await connection.execute(delete(Record).where(Record.uid == expired.c.uid, Record.key == expired.c.key))


def _select_claim(claim: Claim) -> Any:
    columns = (Record.operation, Record.input_digest, Record.result)
    return select(*columns).where(Record.uid == claim.uid, Record.key == claim.key)


def _result_of(claim: Claim, found: Any) -> Any:
    if (found.operation, found.input_digest) != (claim.operation, claim.input_digest):
        raise Conflict(f"This idempotencyKey was used for a different {found.operation}; use a new key.")
    return found.result
