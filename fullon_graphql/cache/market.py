"""Public trades and bars in queues of the platform. They are read and never removed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from time import perf_counter
from typing import Any, Final

from redis.asyncio import Redis

from fullon_graphql.cache import keys
from fullon_graphql.cache.reading import (
    UnreadableError,
    as_data,
    execute,
    leave_out,
    parse_json,
    parse_number,
    parse_time,
    scan,
)
from fullon_graphql.observability.read_meter import CACHED_BARS, TRADE_QUEUES

_LATEST_SECONDS: Final = 100_000_000_000  # in the year 5138; as milliseconds, in 1973

MOST_TRADES: Final = 1000
"""Upper limit of the trades that are read from a queue."""


@dataclass(frozen=True, slots=True)
class TradeQueue:
    """The trades of one instrument that wait to be stored; `last_pushed` is that of the whole exchange (UTC)."""

    size: int
    last_pushed: datetime | None
    trades: Sequence[Any]


@dataclass(frozen=True, slots=True)
class QueueSize:
    """The size of the queue of one instrument. `symbol` has no slash; `last_pushed` is as in `TradeQueue`."""

    exchange: str
    symbol: str
    size: int
    last_pushed: datetime | None


@dataclass(frozen=True, slots=True)
class BarList:
    """The cached bars of one symbol and timeframe: their number, and the time of the newest one (UTC)."""

    symbol: str
    timeframe: str
    size: int
    newest: datetime | None


async def read_trades(redis: Redis, exchange: str, symbol: str, count: int) -> TradeQueue:
    """The size of the queue, and its newest `count` trades, oldest first, in one round trip."""
    key, start = keys.trades(exchange, symbol), perf_counter()
    async with redis.pipeline(transaction=False) as pipeline:
        pipeline.llen(key)
        pipeline.get(keys.trades_status(exchange))
        pipeline.lrange(key, -count, -1)
        size, pushed, stored = await execute(pipeline, "trades")
    TRADE_QUEUES.add(perf_counter() - start, hit=bool(size))
    return TradeQueue(size or 0, parse_time(pushed), _parse_items(key, stored))


async def read_bars(redis: Redis, symbol: str, timeframe: str, count: int) -> list[Any]:
    """The newest `count` bars as `[time, open, high, low, close, volume]`, oldest first.

    The key has no exchange, so the exchange of the bars is unknown.
    """
    key, start = keys.ohlcv(symbol, timeframe), perf_counter()
    async with redis.pipeline(transaction=False) as pipeline:
        pipeline.lrange(key, -count, -1)
        [stored] = await execute(pipeline, "candles")
    CACHED_BARS.add(perf_counter() - start, hit=bool(stored))
    return _parse_items(key, stored)


async def read_queue_sizes(redis: Redis) -> list[QueueSize]:
    """The queues of all instruments that are not empty, by exchange and symbol."""
    found = await scan(redis, keys.TRADE_QUEUES)
    markets = [keys.trade_queue_instrument(key) for key in found]
    exchanges = sorted({exchange for exchange, _ in markets})
    async with redis.pipeline(transaction=False) as pipeline:
        for exchange in exchanges:
            pipeline.get(keys.trades_status(exchange))
        for key in found:
            pipeline.llen(key)
        answers = await execute(pipeline, "trades")
    pushed = dict(zip(exchanges, map(parse_time, answers), strict=False))
    sizes = zip(markets, answers[len(exchanges) :], strict=True)
    return [QueueSize(*market, size, pushed[market[0]]) for market, size in sizes if size]


async def read_user_trades(redis: Redis, uid: int, exchanges: Sequence[str]) -> list[tuple[str, Any]]:
    """The newest trades that wait in the queues of a user, with their exchange, in one round trip."""
    async with redis.pipeline(transaction=False) as pipeline:
        for exchange in exchanges:
            pipeline.lrange(keys.user_trades(uid, exchange), -MOST_TRADES, -1)
        answers = await execute(pipeline, "user_trades")
    stored = zip(exchanges, answers, strict=True)
    return [(exchange, trade) for exchange, items in stored for trade in _parse_items("user_trades", items)]


async def read_bar_lists(
    redis: Redis, timeframes: Sequence[str], symbols: Sequence[str] | None = None
) -> list[BarList]:
    """The lists of cached bars of `timeframes` that are not empty, by symbol; only those of `symbols`, if given."""
    if symbols is None:
        markets = [keys.cached_bars_market(key) for key in await scan(redis, keys.CACHED_BARS)]
    else:
        markets = [(symbol, timeframe) for symbol in symbols for timeframe in timeframes]
    known = [(symbol, timeframe) for symbol, timeframe in markets if timeframe in timeframes]
    async with redis.pipeline(transaction=False) as pipeline:
        for symbol, timeframe in known:
            pipeline.llen(keys.ohlcv(symbol, timeframe))
            pipeline.lrange(keys.ohlcv(symbol, timeframe), -1, -1)
        answers = await execute(pipeline, "candles")
    lists = zip(known, answers[::2], answers[1::2], strict=True)
    found = [BarList(symbol, timeframe, size, _bar_time(last)) for (symbol, timeframe), size, last in lists if size]
    return sorted(found, key=lambda one: (one.symbol, timeframes.index(one.timeframe)))


def _bar_time(last: Sequence[str] | None) -> datetime | None:
    """The time of a bar, whose writers use seconds or milliseconds."""
    for bar in _parse_items("ohlcv", last):
        time = parse_number(bar[0]) if isinstance(bar, list) and bar else None
        return parse_time(time / 1_000 if time and time > _LATEST_SECONDS else time)
    return None


def _parse_items(key: str, stored: Sequence[str] | None) -> list[Any]:
    found = []
    for text in stored or ():
        try:
            found.append(as_data(parse_json(text)))
        except UnreadableError as error:
            leave_out("queue_item", error, key=key)
    return found
