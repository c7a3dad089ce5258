"""Live candles: stored bars first, then the forming bar from live prices, its close, and later corrections."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, cast

import strawberry
import structlog
from redis.asyncio import Redis

from fullon_graphql.cache import keys
from fullon_graphql.cache import tickers as cache
from fullon_graphql.cache.client import ticker_max_ahead
from fullon_graphql.cache.hub import Mailbox, News, Topic
from fullon_graphql.cache.reading import parse_number
from fullon_graphql.context import Context
from fullon_graphql.errors import ServiceUnavailable, Timeout, as_fullon_error
from fullon_graphql.ohlcv import candles as stored
from fullon_graphql.ohlcv.live import LiveBars, Update
from fullon_graphql.ohlcv.sources import Market
from fullon_graphql.ohlcv.timeframes import Timeframe
from fullon_graphql.ohlcv.window import MAX_BARS, Window
from fullon_graphql.schema.candles import BarLength, Candle, CandleUpdate
from fullon_graphql.schema.support.arguments import ExchangeName, SymbolName
from fullon_graphql.schema.support.scalars import DateTime
from fullon_graphql.services import tickers
from fullon_graphql.services.candles import MarketData
from fullon_graphql.streaming.sources import MaxRate, frame_interval, streamed

log = structlog.get_logger(__name__)

CLOSE_DELAY: Final = timedelta(seconds=90)
"""How long after its end a bar closes if no writer has announced that the store is complete."""

ANNOUNCED_AHEAD: Final = 60.0
"""Seconds an announcement of complete candles may be ahead of the clock; others are ignored."""

ClosedBars = Annotated[
    int | None, strawberry.argument(description=f"The number of newest closed bars that come first, 1 to {MAX_BARS}.")
]
Since = Annotated[
    DateTime | None,
    strawberry.argument(
        name="from",
        description="Instead of `last`: all bars that start at or after this time come first, at most"
        f" {MAX_BARS}. To resume without a gap after a lost connection, pass the `time` of the last closed bar.",
    ),
]


class PriceMailbox(Mailbox):
    """Adds each price to its bar on arrival, so that a high between two reads is not lost."""

    def __init__(self, bars: LiveBars, market: Market, redis: Redis, clock: Callable[[], float]) -> None:
        super().__init__()
        self._bars = bars
        self._market = market
        self._redis = redis
        self._clock = clock

    def deliver(self, channel: str, message: str) -> None:
        if channel == keys.ticker_updates(self._market.exchange, self._market.symbol):
            latest = self._clock() + ticker_max_ahead(self._redis)
            self.add_price(cache.decode(self._market.exchange, self._market.symbol, message, latest))
        super().deliver(channel, message)

    def add_price(self, ticker: cache.Ticker | None) -> None:
        """Add the price of a ticker to its bar; nothing for None. A ticker ahead of the clock is of the present."""
        if ticker:
            time_ = min(ticker.time, self._clock())
            self._bars.add_price(datetime.fromtimestamp(time_, UTC), ticker.price)


@dataclass
class CandleSource:
    """The bars of one instrument: the newest `last`, or all since `start`, then each change of one.

    `interval` is the least time between two frames in seconds; `clock` returns Unix seconds.
    """

    context: Context
    market: Market
    timeframe: Timeframe
    last: int = 1
    start: datetime | None = None
    interval: float = 0.0
    clock: Callable[[], float] = time.time
    _bars: LiveBars = field(init=False)
    _prices: PriceMailbox = field(init=False)
    _data: MarketData = field(init=False)
    _announced: float = field(default=0.0, init=False)
    """Until when a writer has announced the store to be complete, in Unix seconds."""

    def __post_init__(self) -> None:
        Window(self.start, last=self.last)  # checks the limits
        if self.start:
            self.last = MAX_BARS
        self._bars = LiveBars(self.timeframe, self.last)
        self._prices = PriceMailbox(self._bars, self.market, self.context.worker.redis, self.clock)
        self._data = MarketData(self.context.worker.candles, self.context.database, self.context.caller)

    async def events(self) -> AsyncGenerator[CandleUpdate, None]:
        worker, loop = self.context.worker, asyncio.get_running_loop()
        self._bars.since = await self._first_start()
        next_read = loop.time()
        async with worker.hub.listen(self._topics(), self._prices):
            while True:
                if self._may_have_changed(await self._prices.news_until(next_read)) or loop.time() >= next_read:
                    for update in await self._read_updates():
                        yield self._candle_update(update)
                    next_read = loop.time() + worker.settings.stream_poll_interval
                for update in self._bars.forming():
                    yield self._candle_update(update)
                await asyncio.sleep(self.interval)

    def snapshot(self) -> Sequence[CandleUpdate]:
        return [self._candle_update(update) for update in self._bars.delivered(self.last)]

    async def _first_start(self) -> datetime | None:
        """The start of the first bar to send; None, for all bars, if there are none yet. Raises as the query does."""
        if self.start:
            await self._data.candles(self.market, self.timeframe, Window(self.start, last=1))
            return self.start
        end = self.timeframe.bucket_start(self._with_delay(await self._stored_until()))
        bars = await self._data.candles(self.market, self.timeframe, Window(end=end, last=self.last))
        return bars.rows()[0].time if bars.length else None

    def _may_have_changed(self, news: News | None) -> bool:
        """True unless the news shows that nothing has been stored."""
        if news is None or news.reset:
            return True
        written = news.messages.get(keys.candle_writes(self.market.exchange, self.market.symbol))
        announced = (parse_number(written) or 0) / 1000
        if announced <= self.clock() + ANNOUNCED_AHEAD:
            self._announced = max(self._announced, announced)
        return written is not None

    async def _read_updates(self) -> Iterator[Update]:
        """The changes in the stores; none while a store does not answer, unless this is the first read."""
        try:
            await self._read_price()
            stored_until = await self._stored_until()
            complete_until = self._with_delay(stored_until)
            return self._bars.update_stored(await self._stored_bars(), complete_until, stored_until)
        except Exception as error:
            if self._bars.is_new or not isinstance(as_fullon_error(error, ""), ServiceUnavailable | Timeout):
                raise
            log.warning("candles.not_read", exchange=self.market.exchange, symbol=self.market.symbol, error=repr(error))
            return iter(())

    async def _read_price(self) -> None:
        exchange, symbol = self.market.exchange, self.market.symbol
        found = await tickers.of_exchange(self.context.worker.redis, self.context.caller, exchange, [symbol])
        for ticker in found:
            self._prices.add_price(ticker)

    async def _stored_until(self) -> datetime:
        """Until when the store is complete: by its newest row, or by the announcement of a writer."""
        now = datetime.fromtimestamp(self.clock(), UTC)
        announced = datetime.fromtimestamp(min(self._announced, self.clock()), UTC)
        newest = await self._data.complete_until(self.market, self.timeframe)
        return min(now, max(announced, newest or announced))

    def _with_delay(self, stored_until: datetime) -> datetime:
        """Until when bars are closed: minutes that are not stored after `CLOSE_DELAY` are no longer expected."""
        return max(stored_until, datetime.fromtimestamp(self.clock(), UTC) - CLOSE_DELAY)

    async def _stored_bars(self) -> list[stored.Candle]:
        bars = await self._data.candles(self.market, self.timeframe, Window(self._bars.since))
        return [bar for bar in bars.rows() if math.isfinite(sum(bar[1:]))]  # JSON has no other numbers

    def _candle_update(self, update: Update) -> CandleUpdate:
        candle = stored.MarketCandle(*update.candle, self.market, self.timeframe)
        return CandleUpdate(candle=cast("Candle", candle), closed=update.closed)

    def _topics(self) -> list[Topic]:
        exchange, symbol = self.market.exchange, self.market.symbol
        return [Topic(keys.ticker_updates(exchange, symbol)), Topic(keys.candle_writes(exchange, symbol))]


def _candles(
    context: Context,
    exchange: ExchangeName,
    symbol: SymbolName,
    timeframe: BarLength,
    last: ClosedBars = 1,
    from_: Since = None,
    max_rate: MaxRate = None,
) -> CandleSource:
    last = 1 if last is None else last
    return CandleSource(context, Market(exchange, symbol), timeframe, last, from_, frame_interval(max_rate))


@strawberry.type
class CandleSubscriptions:
    candles: CandleUpdate = streamed(
        "The newest `last` closed bars in order, then the forming bar at each change of its price. A bar comes with"
        " `closed: true` once its final values are stored, and again if they are corrected later.",
        _candles,
        key=lambda update: update.candle.time,
    )
