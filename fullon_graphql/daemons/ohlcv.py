"""The candle daemon: turns public trades into one-minute candles in the candle store."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing

import structlog
from redis.exceptions import RedisError
from sqlalchemy.ext.asyncio import AsyncConnection

from fullon_graphql.cache.candles import announce
from fullon_graphql.cache.client import ticker_max_ahead
from fullon_graphql.cache.processes import Process, ProcessType
from fullon_graphql.cache.reading import leave_out
from fullon_graphql.daemons.collector import CollectorDaemon
from fullon_graphql.daemons.daemon import Resources
from fullon_graphql.daemons.feeds.market_feed import FeedEndedError, LiveFrom
from fullon_graphql.daemons.minute_bars import MINUTE, MinuteBars, unusable
from fullon_graphql.ohlcv.candles import Candle
from fullon_graphql.ohlcv.writer import create_candles, upsert_candles

log = structlog.get_logger(__name__)

PAUSE = 1.0
"""Seconds between two checks for minutes that are over."""

GRACE = 2.0
"""Seconds from the end of a minute until it is closed, for trades that arrive late."""


class OhlcvDaemon(CollectorDaemon):
    """Stores the one-minute candles of all symbols, except those that have tickers only.

    A candle is written once, when its minute is over. Forming candles are dropped when the daemon stops, and the
    minute of an exchange's first trade is not stored, because it was watched in part only.
    """

    process = (ProcessType.OHLCV, "ohlcv_daemon")
    with_candles = True

    def __init__(self, resources: Resources, clock: Callable[[], float] = time.time) -> None:
        super().__init__(resources)
        self._clock = clock
        self._minutes: dict[tuple[str, str], MinuteBars] = {}
        self._announced = 0.0

    async def prepare(self) -> None:
        """Load the feed and the symbols, and create missing tables."""
        await super().prepare()
        for exchange, symbols in self.symbols.items():
            async with self.resources.ohlcv_database.transaction() as connection:
                for symbol in symbols:
                    await create_candles(connection, exchange, symbol)

    async def collect(self) -> None:
        """Read trades and store closed minutes until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._close_minutes())
            for exchange, symbols in self.symbols.items():
                group.create_task(self._read_trades(exchange, symbols))

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

    async def _read_trades(self, exchange: str, symbols: Sequence[str]) -> None:
        since = None
        async with aclosing(self.feed.trades(exchange, symbols)) as stream:
            async for trade in stream:
                if isinstance(trade, LiveFrom):
                    continue
                if fault := unusable(trade, self._clock() + ticker_max_ahead(self.resources.redis)):
                    leave_out(
                        "trade", fault, exchange=exchange, symbol=trade.symbol, price=trade.price, time=trade.time
                    )
                    continue
                since = since or max(self._clock(), trade.time)  # the feed may have been connected late
                minutes = self._minutes.setdefault((exchange, trade.symbol), MinuteBars(since))
                if not minutes.add(trade):
                    log.debug("candle.trade_left_out", exchange=exchange, symbol=trade.symbol, time=trade.time)
        raise FeedEndedError(exchange)

    async def _close_minutes(self) -> None:
        while True:
            await asyncio.sleep(PAUSE)
            now = self._clock() - GRACE
            closed = {instrument: minutes.close(now) for instrument, minutes in self._minutes.items()}
            await self._store({instrument: candles for instrument, candles in closed.items() if candles})
            await self._announce(now // MINUTE * MINUTE)

    async def _store(self, closed: Mapping[tuple[str, str], Sequence[Candle]]) -> None:
        if not closed:
            return

        async def write(connection: AsyncConnection) -> None:
            self.require_lease()
            for (exchange, symbol), candles in closed.items():
                await upsert_candles(connection, exchange, symbol, candles)

        await self.resources.ohlcv_database.in_transaction(write)

    async def _announce(self, complete_until: float) -> None:
        """Publish once a minute, since a minute without trades has no candle that shows its end."""
        if complete_until > self._announced:
            self.require_lease()
            self._announced = complete_until
            try:
                await announce(self.resources.redis, self._minutes, complete_until)
            except RedisError as error:  # subscribers also read the store at intervals
                log.warning("candle.not_announced", error=repr(error))
