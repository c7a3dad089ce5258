"""Public trades and bars that programs of the platform hand to one another. Looked at, and left where they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

import orjson
import structlog
from redis.asyncio import Redis

from fullon_graphql.cache import keys
from fullon_graphql.cache.reading import read_time

MOST_TRADES: Final = 1000
"""Of those that wait, how many are looked at, at most."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class TradeQueue:
    """The trades of one instrument that wait to be stored; `last_pushed` is of the whole exchange (UTC)."""

    size: int
    last_pushed: datetime | None
    trades: Sequence[Any]


async def read_trades(redis: Redis, exchange: str, symbol: str, count: int) -> TradeQueue:
    """How many trades wait, and the newest `count` of them, oldest first, in one round trip."""
    key = keys.trades(exchange, symbol)
    async with redis.pipeline(transaction=False) as pipeline:
        pipeline.llen(key)
        pipeline.get(keys.trades_status(exchange))
        pipeline.lrange(key, -count, -1)
        size, pushed, texts = await pipeline.execute()
    return TradeQueue(size, read_time(pushed), _readable(key, texts))


async def read_bars(redis: Redis, symbol: str, timeframe: str, count: int) -> list[Any]:
    """The newest `count` bars as `[time, open, high, low, close, volume]`, oldest first.

    The platform has no exchange in the key, so one does not know whose they are.
    """
    key = keys.ohlcv(symbol, timeframe)
    return _readable(key, cast("list[str]", await redis.lrange(key, -count, -1)))


def _readable(key: str, texts: Sequence[str]) -> list[Any]:
    """What the texts say; one that is no JSON is logged and left out."""
    found = []
    for text in texts:
        try:
            found.append(orjson.loads(text))
        except ValueError as error:
            log.warning("queue.unreadable", key=key, error=repr(error))
    return found
