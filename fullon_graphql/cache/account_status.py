"""The states in which the account service reads accounts, as it reports them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

import orjson
from redis.asyncio import Redis

from fullon_graphql.cache import keys
from fullon_graphql.cache.reading import UnreadableError, execute, leave_out, parse_object, parse_time

EXPIRY: Final = 20.0
"""Seconds after which a report that was not renewed is left out: its process has died."""


class AccountState(StrEnum):
    """CONNECTING → LIVE ⇄ POLLED; DOWN after a failure, until the account is read again."""

    CONNECTING = "connecting"
    LIVE = "live"
    POLLED = "polled"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class AccountStatus:
    """The state of an account in the account service. Times are UTC."""

    ex_id: int
    state: AccountState
    connected_since: datetime | None
    updated_at: datetime | None
    open_orders: int | None
    reconnects: int
    error: str | None
    reported_at: datetime


async def write(redis: Redis, statuses: Sequence[AccountStatus]) -> None:
    """Store statuses, in one round trip."""
    if statuses:
        await redis.hset(keys.ACCOUNT_STATUS, mapping={str(one.ex_id): orjson.dumps(one) for one in statuses})


async def remove(redis: Redis, ex_ids: Iterable[int]) -> None:
    """Remove the statuses of accounts that are no longer read."""
    if fields := list(map(str, ex_ids)):
        await redis.hdel(keys.ACCOUNT_STATUS, *fields)


async def read(redis: Redis, ex_ids: Sequence[int], now: datetime | None = None) -> list[AccountStatus | None]:
    """The status of each account in one round trip; None for one that is not read."""
    if not ex_ids:
        return []
    now = now or datetime.now(UTC)
    async with redis.pipeline(transaction=False) as pipeline:
        pipeline.hmget(keys.ACCOUNT_STATUS, list(map(str, ex_ids)))
        [stored] = await execute(pipeline, "account_status", by_field=True)
    found = [_parse(text) for text in stored or [None] * len(ex_ids)]
    return [one if one and (now - one.reported_at).total_seconds() < EXPIRY else None for one in found]


def _parse(text: str | None) -> AccountStatus | None:
    if text is None:
        return None
    try:
        return _status(parse_object(text))
    except (UnreadableError, KeyError, ValueError, TypeError) as error:
        leave_out("account_status", error)
        return None


def _status(values: Mapping[str, Any]) -> AccountStatus:
    reported_at = parse_time(values["reported_at"])
    if reported_at is None:
        raise UnreadableError("no time")
    return AccountStatus(
        ex_id=int(values["ex_id"]),
        state=AccountState(values["state"]),
        connected_since=parse_time(values["connected_since"]),
        updated_at=parse_time(values["updated_at"]),
        open_orders=None if values["open_orders"] is None else int(values["open_orders"]),
        reconnects=int(values["reconnects"]),
        error=None if values["error"] is None else str(values["error"]),
        reported_at=reported_at,
    )
