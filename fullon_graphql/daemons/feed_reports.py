"""Reports the state of the market feed while a daemon reads it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from fullon_graphql.cache import market_feeds
from fullon_graphql.cache.market_feeds import MarketFeedStatus
from fullon_graphql.daemons.feeds.market_feed import Observed, StreamKind
from fullon_graphql.observability.redaction import reason

log = structlog.get_logger(__name__)

INTERVAL = 1.0
"""Seconds between two reports."""


@asynccontextmanager
async def reported(
    redis: Redis,
    feed: Observed,
    service: str,
    kind: StreamKind,
    exchanges: Sequence[str],
    holds_lease: Callable[[], bool],
) -> AsyncIterator[None]:
    """Report the state of one kind of streams of each exchange during the block; afterwards there is no report."""
    reports = asyncio.create_task(_report(redis, feed, service, kind, exchanges, holds_lease))
    try:
        yield
    finally:
        reports.cancel()
        await asyncio.gather(reports, return_exceptions=True)
        if holds_lease():
            with suppress(RedisError):  # without Redis the reports expire
                await market_feeds.remove(redis, service, exchanges)


async def _report(
    redis: Redis,
    feed: Observed,
    service: str,
    kind: StreamKind,
    exchanges: Sequence[str],
    holds_lease: Callable[[], bool],
) -> None:
    while True:
        if holds_lease():
            now = datetime.now(UTC)
            statuses = [_status(feed, service, kind, exchange, now) for exchange in exchanges]
            try:
                await market_feeds.write(redis, statuses)
            except RedisError as error:
                log.warning("feed.not_reported", error=reason(error))
        await asyncio.sleep(INTERVAL)


def _status(feed: Observed, service: str, kind: StreamKind, exchange: str, now: datetime) -> MarketFeedStatus:
    health = feed.health(exchange, kind)
    return MarketFeedStatus(
        exchange=exchange,
        service=service,
        state=health.state,
        connected_since=_time(health.connected_since),
        last_message_at=_time(health.last_message_at),
        lag_ms=None if health.lag is None else round(health.lag * 1000, 1),
        reconnects=health.reconnects,
        symbols_missing=sorted(health.symbols_missing),
        error=health.error,
        reported_at=now,
    )


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
