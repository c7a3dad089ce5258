"""The candle daemon: stores the history of one-minute candles, then the candles of live trades."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial

import structlog
from redis.exceptions import RedisError
from sqlalchemy.ext.asyncio import AsyncConnection

from fullon_graphql.cache.candles import announce
from fullon_graphql.cache.client import ticker_max_ahead
from fullon_graphql.cache.processes import Process, ProcessType
from fullon_graphql.cache.reading import leave_out
from fullon_graphql.daemons.collector import CollectorDaemon
from fullon_graphql.daemons.control.state import Progress, ServiceName, Timing, backoff
from fullon_graphql.daemons.daemon import Resources
from fullon_graphql.daemons.feeds.market_feed import FeedEndedError, LiveFrom, MarketTrade, StreamKind
from fullon_graphql.daemons.history import History, HistoryError, prepare_tables, stored_trade
from fullon_graphql.daemons.instruments import history_days
from fullon_graphql.daemons.minute_bars import MINUTE, MinuteBars, unusable
from fullon_graphql.errors import FullonError
from fullon_graphql.ohlcv.candles import Candle
from fullon_graphql.ohlcv.sources import Market
from fullon_graphql.ohlcv.writer import Form, StoredTrade, insert_trades, upsert_candles

log = structlog.get_logger(__name__)

PAUSE = 1.0
"""Seconds between two checks for minutes that are over."""

GRACE = 2.0
"""Seconds from the end of a minute until it is closed, for trades that arrive late."""

SETTLE = 10.0
"""Seconds from the end of a minute until the exchange is asked for its candle. More than `GRACE`, so that the
exchange's candle replaces ours and not the reverse."""

CHECK = 300.0
"""Seconds between two comparisons of a symbol's stored candles with the exchange's."""

WAITING = 3600.0
"""Seconds of live candles that are kept until history reaches them; older ones are then part of it."""

RETRY = Timing(first_backoff=5, longest_backoff=600)
"""Pauses after failures of the feed."""


@dataclass(eq=False)
class Instrument:
    """The state of one symbol. Times are unix seconds."""

    market: Market
    form: Form
    has_history: bool
    """Whether the feed can deliver the past."""
    compared_until: float
    """Until when the stored candles are the exchange's, as far as it has them."""
    missing: int = 0
    """Minutes of history to store before the symbol is live for the first time."""
    bars: MinuteBars | None = None
    live_from: float = math.inf
    """The start of the first minute that is watched in whole since the last interruption."""
    trades: list[StoredTrade] = field(default_factory=list)
    """To be stored at the next check."""
    is_new: bool = True
    due: float = 0.0
    failures: int = 0

    @property
    def key(self) -> tuple[str, str]:
        """Exchange and symbol."""
        return self.market.exchange, self.market.symbol

    @property
    def is_live(self) -> bool:
        """True once history reaches the first live minute, or if the feed cannot deliver it."""
        waits = self.has_history and self.compared_until < self.live_from and not self.failures
        return self.bars is not None and not waits

    def begin(self, since: float) -> None:
        """Begin with the first whole minute after `since`; the half minute before it comes from the exchange."""
        self.bars = MinuteBars(since)
        self.bars.drop_before(self.compared_until)
        self.live_from, self.due = self.bars.open_from, 0.0


class OhlcvDaemon(CollectorDaemon):
    """Stores the one-minute candles of all symbols, except those that have tickers only.

    For each symbol, history comes first: the exchange's own candles of the days that are asked for, without those
    stored completely before. Then a candle of live trades is stored when its minute is over. After each interruption,
    and at intervals, the exchange's candles since the last comparison replace stored ones that differ.
    """

    process = (ProcessType.OHLCV, "ohlcv_daemon")
    streams = (ServiceName.OHLCV, StreamKind.TRADES)
    with_candles = True

    def __init__(self, resources: Resources, clock: Callable[[], float] = time.time) -> None:
        super().__init__(resources)
        self._clock = clock
        self._instruments: dict[tuple[str, str], Instrument] = {}
        self._history: History | None = None
        self._writing = asyncio.Lock()
        """Held while live minutes end and are stored, so that they never replace the exchange's candles."""
        self._failed: set[str] = set()
        self._announced = 0.0
        self._progress = Progress(0, 0)

    @property
    def progress(self) -> Progress | None:
        """Minutes of history that are stored, of those that were missing; None before they are known."""
        return self._progress if self._progress.of else None

    async def prepare(self) -> None:
        """Load the feed and the symbols, and create missing tables. Symbols that cannot be written are left out."""
        await super().prepare()
        if hasattr(self.feed, "candles"):  # a feed of an installation may have no history
            self._history = History(self.feed, self.resources.ohlcv_database, self.require_lease)
            self._writing = self._history.writing
        days = await history_days(self.resources.database, self.resources.settings.candle_history_days)
        for exchange, symbols in self.symbols.items():
            for symbol in symbols:
                if form := await self._prepared(Market(exchange, symbol)):
                    since = self._minute(self._clock() - days[exchange, symbol] * 86_400)
                    self._instruments[exchange, symbol] = Instrument(
                        Market(exchange, symbol), form, self._history is not None, since
                    )
        self.symbols = {
            exchange: kept
            for exchange, symbols in self.symbols.items()
            if (kept := [symbol for symbol in symbols if (exchange, symbol) in self._instruments])
        }

    async def collect(self) -> None:
        """Store history and live candles until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._close_minutes())
            for exchange, symbols in self.symbols.items():
                group.create_task(self._watch(exchange, symbols))
                if self._history:
                    group.create_task(self._compare(exchange, self._history))

    def parts(self) -> list[Process]:
        """One process per symbol."""
        return [
            Process(
                ProcessType.OHLCV,
                f"{exchange}:{symbol}",
                {"exchange": exchange, "symbol": symbol, "type": "live_ohlcv"},
            )
            for exchange, symbols in self.symbols.items()
            for symbol in symbols
        ]

    async def _prepared(self, market: Market) -> Form | None:
        wanted = self.resources.settings.store_trades
        trades = not {f"{market.exchange}:{market.symbol}", f"{market.exchange}:*"}.isdisjoint(wanted)
        try:
            return await prepare_tables(self.resources.ohlcv_database, market, trades=trades)
        except FullonError as error:
            log.warning("candle.symbol_left_out", exchange=market.exchange, symbol=market.symbol, error=error.message)
            return None

    # ---------------------------------------------------------------- live trades

    async def _watch(self, exchange: str, symbols: Sequence[str]) -> None:
        """Read live trades for ever. A failure is raised only if no other exchange is left; else it is tried again."""
        failures = 0
        while True:
            began = self._clock()
            try:
                await self._read_trades(exchange, symbols)
            except Exception as error:
                self._failed.add(exchange)
                if self._failed >= self.symbols.keys():
                    raise
                failures = 1 if self._clock() - began > RETRY.longest_backoff else failures + 1
                log.warning("candle.feed_failed", exchange=exchange, error=repr(error), failures=failures)
            await asyncio.sleep(backoff(failures, RETRY))

    async def _read_trades(self, exchange: str, symbols: Sequence[str]) -> None:
        begun = None
        async with aclosing(self.feed.trades(exchange, symbols)) as stream:
            async for news in stream:
                self._failed.discard(exchange)
                if isinstance(news, LiveFrom):
                    begun = news.time
                    self._begin(exchange, news.symbols, news.time)
                    continue
                if fault := unusable(news, self._clock() + ticker_max_ahead(self.resources.redis)):
                    leave_out("trade", fault, exchange=exchange, symbol=news.symbol, price=news.price, time=news.time)
                    continue
                if begun is None:  # a feed without `LiveFrom`, which may have been connected late
                    begun = max(self._clock(), news.time)
                    self._begin(exchange, symbols, begun)
                self._add(news)
        raise FeedEndedError(exchange)

    def _begin(self, exchange: str, symbols: Sequence[str], since: float) -> None:
        for symbol in symbols:
            if instrument := self._instruments.get((exchange, symbol)):
                instrument.begin(since)

    def _add(self, trade: MarketTrade) -> None:
        instrument = self._instruments.get((trade.exchange, trade.symbol))
        if instrument is None or instrument.bars is None:
            return
        if instrument.form.trades:
            instrument.trades.append(stored_trade(trade))
        if not instrument.bars.add(trade):
            log.debug("candle.trade_left_out", exchange=trade.exchange, symbol=trade.symbol, time=trade.time)

    async def _close_minutes(self) -> None:
        while True:
            await asyncio.sleep(PAUSE)
            now = self._clock() - GRACE
            async with self._writing:
                live = self._close(now)
                await self._store([(instrument, candles) for instrument, candles in live if candles])
            await self._announce([instrument for instrument, _ in live], self._minute(now))

    def _close(self, now: float) -> list[tuple[Instrument, list[Candle]]]:
        """The live symbols, with the candles of minutes that are over."""
        live = []
        for instrument in self._instruments.values():
            if instrument.bars and instrument.is_live:
                live.append((instrument, instrument.bars.close(now)))
            elif instrument.bars:
                instrument.bars.drop_before(now - WAITING)
        return live

    async def _store(self, closed: Sequence[tuple[Instrument, Sequence[Candle]]]) -> None:
        traded = [instrument for instrument in self._instruments.values() if instrument.trades]
        if not closed and not traded:
            return

        async def write(connection: AsyncConnection) -> None:
            self.require_lease()
            for instrument, candles in closed:
                await upsert_candles(connection, *instrument.key, candles, volume=instrument.form.volume)
            for instrument in traded:
                with_ids = bool(instrument.form.trades and instrument.form.trades.with_ids)
                await insert_trades(connection, *instrument.key, trades[instrument], with_ids=with_ids)

        trades = {instrument: instrument.trades for instrument in traded}
        for instrument in traded:
            instrument.trades = []
        await self.resources.ohlcv_database.in_transaction(write)

    async def _announce(self, live: Sequence[Instrument], complete_until: float) -> None:
        """Publish once a minute, since a minute without trades has no candle that shows its end."""
        if complete_until > self._announced:
            self.require_lease()
            self._announced = complete_until
            await self._publish(live, complete_until)

    async def _publish(self, instruments: Sequence[Instrument], complete_until: float = 0) -> None:
        try:
            await announce(self.resources.redis, [one.key for one in instruments], complete_until)
        except RedisError as error:  # subscribers also read the store at intervals
            log.warning("candle.not_announced", error=repr(error))

    # ---------------------------------------------------------------- the exchange's candles

    async def _compare(self, exchange: str, history: History) -> None:
        """Compare every symbol of an exchange when it is due; those with the shortest history come first."""
        own = [instrument for instrument in self._instruments.values() if instrument.market.exchange == exchange]
        for instrument in own:
            await self._plan(instrument, history)
        while True:
            now = self._clock()
            due = [instrument for instrument in own if instrument.due <= now]
            if due:
                await self._fill(max(due, key=lambda one: (one.compared_until, -one.missing)), history)
            else:
                await asyncio.sleep(PAUSE)

    async def _plan(self, instrument: Instrument, history: History) -> None:
        until = self._settled()
        missing = await history.missing(instrument.market, instrument.form, instrument.compared_until, until)
        instrument.missing = sum(period.minutes for period in missing)
        self._progress = Progress(self._progress.done, self._progress.of + instrument.missing)

    async def _fill(self, instrument: Instrument, history: History) -> None:
        until, begun = self._settled(), instrument.live_from
        try:
            for since, end in await self._periods(instrument, history, until):
                await history.fill(instrument.market, instrument.form, since, end, partial(self._on_page, instrument))
        except HistoryError as error:
            instrument.failures += 1
            pause = backoff(instrument.failures, RETRY)
            log.warning(
                "candle.history_failed",
                exchange=instrument.market.exchange,
                symbol=instrument.market.symbol,
                error=str(error),
                retry_in=pause,
            )
            instrument.due = self._clock() + pause
            return
        self._finish(instrument, until, begun)
        await self._publish([instrument])

    def _finish(self, instrument: Instrument, until: float, begun: float) -> None:
        self._count(instrument, instrument.missing)
        instrument.compared_until = max(instrument.compared_until, until)
        instrument.is_new, instrument.failures = False, 0
        if instrument.live_from != begun:
            return  # interrupted meanwhile: due at once
        seam = instrument.live_from + SETTLE
        instrument.due = seam if until < instrument.live_from < math.inf else until + CHECK

    async def _periods(self, instrument: Instrument, history: History, until: float) -> list[tuple[float, float]]:
        """The periods to compare: at first those that are missing, later all since the last comparison."""
        if not instrument.is_new:
            return [(instrument.compared_until, until)]
        missing = await history.missing(instrument.market, instrument.form, instrument.compared_until, until)
        return [(period.from_.timestamp(), period.to.timestamp()) for period in missing]

    def _on_page(self, instrument: Instrument, since: float, until: float) -> None:
        if instrument.bars:
            instrument.bars.drop_before(until)
        self._count(instrument, int(until - since) // MINUTE)

    def _count(self, instrument: Instrument, minutes: int) -> None:
        minutes = min(minutes, instrument.missing)
        instrument.missing -= minutes
        self._progress = Progress(self._progress.done + minutes, self._progress.of)

    def _settled(self) -> float:
        return self._minute(self._clock() - SETTLE)

    @staticmethod
    def _minute(time: float) -> float:
        return time // MINUTE * MINUTE
