"""The states of market feeds, as the services process reports them every second."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

import orjson
from redis.asyncio import Redis

from fullon_graphql.cache import keys
from fullon_graphql.cache.reading import UnreadableError, execute, leave_out, parse_number, parse_object, parse_time

EXPIRY: Final = 15.0
"""Seconds after which a report that was not renewed is left out: its process has died."""


class FeedState(StrEnum):
    """CONNECTING → LIVE ⇄ QUIET; DOWN after a failure, until there is data again."""

    CONNECTING = "connecting"
    LIVE = "live"
    QUIET = "quiet"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class MarketFeedStatus:
    """The state of the feed of one exchange for one service, e.g. `ticker`. Times are UTC, `lag_ms` is milliseconds."""

    exchange: str
    service: str
    state: FeedState
    connected_since: datetime | None
    last_message_at: datetime | None
    lag_ms: float | None
    reconnects: int
    symbols_missing: Sequence[str]
    error: str | None
    reported_at: datetime


async def write(redis: Redis, statuses: Sequence[MarketFeedStatus]) -> None:
    """Store statuses and announce the change, in one round trip."""
    if not statuses:
        return
    async with redis.pipeline(transaction=False) as pipeline:
        for status in statuses:
            pipeline.hset(keys.MARKET_FEEDS, keys.market_feed(status.service, status.exchange), orjson.dumps(status))
        pipeline.publish(keys.changes(keys.MARKET_FEEDS), "")
        await pipeline.execute()


async def remove(redis: Redis, service: str, exchanges: Sequence[str]) -> None:
    """Remove the statuses of a service that has stopped."""
    if not exchanges:
        return
    async with redis.pipeline(transaction=False) as pipeline:
        pipeline.hdel(keys.MARKET_FEEDS, *(keys.market_feed(service, exchange) for exchange in exchanges))
        pipeline.publish(keys.changes(keys.MARKET_FEEDS), "")
        await pipeline.execute()


async def read(redis: Redis, now: datetime | None = None) -> list[MarketFeedStatus]:
    """All statuses that are renewed, by exchange and service."""
    now = now or datetime.now(UTC)
    async with redis.pipeline(transaction=False) as pipeline:
        pipeline.hgetall(keys.MARKET_FEEDS)
        [stored] = await execute(pipeline, "market_feeds")
    found = [status for text in (stored or {}).values() if (status := _parse(text))]
    fresh = [status for status in found if (now - status.reported_at).total_seconds() < EXPIRY]
    return sorted(fresh, key=lambda status: (status.exchange, status.service))


def _parse(text: str) -> MarketFeedStatus | None:
    try:
        return _status(parse_object(text))
    except (UnreadableError, KeyError, ValueError, TypeError) as error:
        leave_out("market_feed", error)
        return None


def _status(values: Mapping[str, Any]) -> MarketFeedStatus:
    reported_at = parse_time(values["reported_at"])
    if reported_at is None:
        raise UnreadableError("no time")
    return MarketFeedStatus(
        exchange=str(values["exchange"]),
        service=str(values["service"]),
        state=FeedState(values["state"]),
        connected_since=parse_time(values["connected_since"]),
        last_message_at=parse_time(values["last_message_at"]),
        lag_ms=parse_number(values["lag_ms"]),
        reconnects=int(values["reconnects"]),
        symbols_missing=[str(symbol) for symbol in values["symbols_missing"]],
        error=None if values["error"] is None else str(values["error"]),
        reported_at=reported_at,
    )
