"""Replays: recorded prices as live streams, at any speed. Nothing is dropped; a slow subscriber slows its replay."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Final, Generic, TypeVar, cast

import strawberry

from fullon_graphql.cache import tickers as cache
from fullon_graphql.context import Context
from fullon_graphql.errors import BadUserInput
from fullon_graphql.ohlcv.candles import Candle as StoredCandle
from fullon_graphql.ohlcv.candles import MarketCandle
from fullon_graphql.ohlcv.live import joined
from fullon_graphql.ohlcv.sources import Market
from fullon_graphql.ohlcv.timeframes import Timeframe
from fullon_graphql.ohlcv.window import Window
from fullon_graphql.schema.candles import BarLength, Candle, CandleUpdate
from fullon_graphql.schema.support.arguments import ExchangeName, SymbolName
from fullon_graphql.schema.support.scalars import DateTime
from fullon_graphql.schema.tickers import Ticker
from fullon_graphql.services.candles import MarketData
from fullon_graphql.services.replay import PAGE, Kind, Tick, Ticks, bars, merged, ticks
from fullon_graphql.streaming.sources import frame_interval, streamed

T = TypeVar("T")

MAX_SYMBOLS: Final = 50
SLOWEST, FASTEST = 0.1, 10_000.0
EVENTS_AT_ONCE: Final = 20
"""The most events that are executed together."""

ReplayedSymbols = Annotated[
    list[str], strawberry.argument(description=f"The instruments, 1 to {MAX_SYMBOLS}, in the exchange's spelling.")
]
ReplayedFrom = Annotated[DateTime, strawberry.argument(name="from", description="Start of the recorded period.")]
ReplayedTo = Annotated[
    DateTime, strawberry.argument(description="End of the recorded period, excluded. The stream completes there.")
]
Speed = Annotated[
    float | None,
    strawberry.argument(
        description=f"Recorded seconds per second, {SLOWEST} to {FASTEST:.0f}: 1 is the pace of the recording, 60 an"
        " hour in a minute. Without it, or with 0, events come as fast as the client reads."
    ),
]
MostFrames = Annotated[
    float | None,
    strawberry.argument(
        description="At most this many frames per second. No frame is merged or dropped: the replay takes longer."
    ),
]

Timed = AsyncGenerator[tuple[datetime, T], None]


@dataclass(frozen=True)
class Pace:
    """When the events of a replay are due.

    An event at the recorded time `t` is due `(t - start) / speed` seconds after the beginning, and at least `interval`
    seconds after the one before. Without a speed it is due as soon as the subscriber reads.
    """

    start: datetime
    speed: float | None
    interval: float
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    @classmethod
    def parse(cls, start: datetime, end: datetime, speed: float | None, max_rate: float | None) -> Pace:
        """The pace of the arguments of a field.

        Raises:
            BadUserInput: the period is empty, or the speed or the rate is out of its bounds.
        """
        Window(start, end)  # checks the order
        if speed and not SLOWEST <= speed <= FASTEST:
            raise BadUserInput(
                f"`speed` is {speed:g}; it takes {SLOWEST} to {FASTEST:.0f}, or 0 for no pauses.", field="speed"
            )
        return cls(start, speed or None, frame_interval(max_rate))


@dataclass(frozen=True)
class ReplaySource(Generic[T]):
    """The events of a recording, in groups of those that are due at the same time."""

    timed: Callable[[], Timed[T]]
    pace: Pace

    async def batches(self) -> AsyncGenerator[list[T], None]:
        pace, due = self.pace, self.pace.clock()
        began, batch = due, list[T]()
        async with aclosing(self.timed()) as events:
            async for at, event in events:
                if pace.speed:
                    due = max(due, began + (at - pace.start).total_seconds() / pace.speed)
                if batch and (len(batch) >= EVENTS_AT_ONCE or due > pace.clock()):
                    yield batch
                    batch = []
                while (wait := due - pace.clock()) > 0:
                    await pace.sleep(wait)
                batch.append(event)
                if pace.interval:
                    due = max(due, pace.clock()) + pace.interval
        if batch:
            yield batch

    def snapshot(self) -> Sequence[T]:
        return ()


async def ticker_frames(recorded: Ticks) -> Timed[list[Ticker]]:
    """The tickers of one time in a frame; a second one of an instrument begins another frame."""
    frame: dict[str, Ticker] = {}
    at: datetime | None = None
    async with aclosing(recorded):
        async for tick in recorded:
            if at and (tick.time != at or tick.market.symbol in frame):
                yield at, list(frame.values())
                frame = {}
            at, frame[tick.market.symbol] = tick.time, _ticker(tick)
    if at:
        yield at, list(frame.values())


async def candle_updates(recorded: Ticks, timeframe: Timeframe) -> Timed[CandleUpdate]:
    """The forming bar at each trade or stored bar, and each bar as it closes, with its stored values."""
    forming: StoredCandle | None = None
    async with aclosing(recorded):
        async for tick in recorded:
            if tick.kind is Kind.CLOSE:
                yield tick.time, _update(tick, timeframe, tick.bar, closed=True)
                continue
            start = timeframe.bucket_start(tick.bar.time)
            part = tick.bar._replace(time=start)
            forming = joined(forming, part) if forming and forming.time == start else part
            if tick.kind is Kind.TRADE or tick.time < timeframe.next_bucket(start):
                yield tick.time, _update(tick, timeframe, forming, closed=False)


def _ticker(tick: Tick) -> Ticker:
    price, at = tick.bar.close, tick.time.timestamp()
    ticker = Ticker.from_record(cache.Ticker(tick.market.exchange, tick.market.symbol, price, at, last=price))
    ticker.age_ms = 0.0
    return ticker


def _update(tick: Tick, timeframe: Timeframe, bar: StoredCandle, *, closed: bool) -> CandleUpdate:
    candle = MarketCandle(*bar, tick.market, timeframe, None if closed else tick.time)
    return CandleUpdate(candle=cast("Candle", candle), closed=closed)


def _data(context: Context) -> MarketData:
    return MarketData(context.worker.candles, context.database, context.caller)


def _tickers(
    context: Context,
    exchange: ExchangeName,
    symbols: ReplayedSymbols,
    from_: ReplayedFrom,
    to: ReplayedTo,
    speed: Speed = None,
    max_rate: MostFrames = None,
) -> ReplaySource[list[Ticker]]:
    markets = [Market(exchange, symbol) for symbol in dict.fromkeys(symbols)]
    if not 1 <= len(markets) <= MAX_SYMBOLS:
        raise BadUserInput(f"`symbols` has {len(markets)} entries; it takes 1 to {MAX_SYMBOLS}.", field="symbols")
    page = PAGE // len(markets)

    def timed() -> Timed[list[Ticker]]:
        data = _data(context)
        return ticker_frames(merged([ticks(data, market, from_, to, page) for market in markets]))

    return ReplaySource(timed, Pace.parse(from_, to, speed, max_rate))


def _candles(
    context: Context,
    exchange: ExchangeName,
    symbol: SymbolName,
    timeframe: BarLength,
    from_: ReplayedFrom,
    to: ReplayedTo,
    speed: Speed = None,
    max_rate: MostFrames = None,
) -> ReplaySource[CandleUpdate]:
    market = Market(exchange, symbol)
    start: datetime = from_.astimezone(UTC)
    if timeframe.bucket_start(start) != start:
        start = timeframe.next_bucket(timeframe.bucket_start(start))

    def timed() -> Timed[CandleUpdate]:
        data = _data(context)
        closes = bars(data, market, timeframe, start, to, Kind.CLOSE)
        return candle_updates(merged([ticks(data, market, start, to), closes]), timeframe)

    return ReplaySource(timed, Pace.parse(from_, to, speed, max_rate))


@strawberry.type
class ReplaySubscriptions:
    replay_tickers: list[Ticker] = streamed(
        "The recorded prices of a period as a stream like `tickers`, for tests of strategies and front ends: replace"
        " the field and its arguments, keep the selection. Every stored trade is a ticker, in order; of times without"
        " stored trades every bar, one minute or the shortest stored, is one ticker of its close when it ends. `price`"
        " and `last` are the price; `bid`, `ask`, `volume` and the changes are null, and `ageMs` is 0. Tickers of one"
        " time are one frame, with an instrument once. Nothing is dropped or merged: a slow client slows its replay.",
        _tickers,
        paced=True,
    )
    replay_candles: CandleUpdate = streamed(
        "The recorded bars of a period as a stream like `candles`, for tests of strategies and front ends: replace the"
        " field and its arguments, keep the selection. The forming bar comes at each stored trade, or at the end of"
        " each shorter stored bar, with the volume until then; at its end each bar comes with `closed: true` and its"
        " stored values. Only bars that start at or after `from` are sent. Nothing is dropped or merged: a slow client"
        " slows its replay.",
        _candles,
        paced=True,
    )
