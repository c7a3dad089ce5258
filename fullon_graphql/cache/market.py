"""Public trades and bars in queues of the platform. They are read and never removed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from redis.asyncio import Redis

from fullon_graphql.cache import keys
from fullon_graphql.cache.reading import UnreadableError, as_data, execute, leave_out, parse_json, parse_time

MOST_TRADES: Final = 1000
"""Upper limit of the trades that are read from a queue."""


@dataclass(frozen=True, slots=True)
class TradeQueue:
    """The trades of one instrument that wait to be stored; `last_pushed` is that of the whole exchange (UTC)."""

    size: int
    last_pushed: datetime | None
    trades: Sequence[Any]


async def read_trades(redis: Redis, exchange: str, symbol: str, count: int) -> TradeQueue:
    """The size of the queue, and its newest `count` trades, oldest first, in one round trip."""
    key = keys.trades(exchange, symbol)
    async with redis.pipeline(transaction=False) as pipeline:
        pipeline.llen(key)
        pipeline.get(keys.trades_status(exchange))
        pipeline.lrange(key, -count, -1)
        size, pushed, stored = await execute(pipeline)
    return TradeQueue(size or 0, parse_time(pushed), _parse_items(key, stored))


async def read_bars(redis: Redis, symbol: str, timeframe: str, count: int) -> list[Any]:
    """The newest `count` bars as `[time, open, high, low, close, volume]`, oldest first.

    The key has no exchange, so the exchange of the bars is unknown.
    """
    key = keys.ohlcv(symbol, timeframe)
    async with redis.pipeline(transaction=False) as pipeline:
        pipeline.lrange(key, -count, -1)
        [stored] = await execute(pipeline)
    return _parse_items(key, stored)


def _parse_items(key: str, stored: Sequence[str] | None) -> list[Any]:
    found = []
    for text in stored or ():
        try:
            found.append(as_data(parse_json(text)))
        except UnreadableError as error:
            leave_out("queue_item", error, key=key)
    return found
