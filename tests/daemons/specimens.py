"""Daemons and a feed with known behaviour, named in settings by their dotted path like those of an installation."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Sequence

from fullon_graphql.cache.accounts import Balance, Position
from fullon_graphql.cache.tickers import Ticker
from fullon_graphql.config import Settings
from fullon_graphql.daemons.daemon import Resources
from fullon_graphql.daemons.feeds.market_feed import MarketTrade
from fullon_graphql.daemons.ohlcv import OhlcvDaemon
from fullon_graphql.embedded.demo.market import SimulatedMarket

LOG = "tests:log"
"""LIST: calls of the daemons of all processes, in order."""

PATH = "tests.daemons.specimens."


class Calm:
    """Starts, runs and stops, and logs that to Redis."""

    def __init__(self, resources: Resources) -> None:
        self.resources = resources

    async def start(self) -> None:
        await self.note("start")

    async def stop(self) -> None:
        await self.note("stop")

    async def note(self, what: str) -> None:
        await self.resources.redis.rpush(LOG, f"{what} {os.getpid()}")


class Witness:
    """Records in this process whether its lease was held when it was stopped."""

    stops: list[bool] = []  # shared: the runner constructs a new instance each time

    def __init__(self, resources: Resources) -> None:
        self.resources = resources

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        self.stops.append(self.resources.holds_lease())


class FromThePlatform:
    """A daemon in the platform's form: no arguments, and a `start` that runs until `stop`, or until it fails."""

    calls: list[str] = []  # shared: the runner constructs a new instance each time
    failures_left = 0

    def __init__(self) -> None:
        self.ending = asyncio.Event()

    async def start(self) -> None:
        self.calls.append("start")
        if type(self).failures_left > 0:
            type(self).failures_left -= 1
            raise ConnectionError("the exchange hung up")
        await self.ending.wait()
        self.calls.append("end")

    async def stop(self) -> None:
        self.calls.append("stop")
        self.ending.set()


class NeverEnding(FromThePlatform):
    """Its stop does not end its start."""

    async def start(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            self.calls.append("cancelled")

    async def stop(self) -> None:
        self.calls.append("stop")


class Fragile(Calm):
    """Fails `failures_left` times, each time as soon as it runs."""

    failures_left = 0
    message = "the exchange hung up"

    async def wait(self) -> None:
        if type(self).failures_left > 0:
            type(self).failures_left -= 1
            raise ConnectionError(self.message)
        await asyncio.Event().wait()


class Ending(Calm):
    """Ends by itself without an error."""

    async def wait(self) -> None:
        pass


class NeverStarting(Calm):
    """Its start never returns."""

    async def start(self) -> None:
        await asyncio.Event().wait()


class Unstoppable(Calm):
    """Its stop never returns, and ignores cancellation."""

    let_go = False

    async def stop(self) -> None:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if self.let_go:
                    raise


SPEED = 10
"""Minutes of `fast_clock` in a minute."""


def fast_clock() -> float:
    """Unix seconds of a past in which time runs faster, the same for all processes of the machine."""
    return 1_000_000_020 + time.monotonic() * SPEED


class FastMarket(SimulatedMarket):
    """The simulated market by `fast_clock`."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, fast_clock)


class FastCandles(OhlcvDaemon):
    """The candle daemon by `fast_clock`: a minute takes six seconds."""

    def __init__(self, resources: Resources) -> None:
        super().__init__(resources, fast_clock)


class WithoutAccounts:
    """A market feed that knows no accounts."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings


class Script:
    """A market feed that returns the values of a test, and then waits."""

    ticks: list[Ticker] = []  # set by the test, read by the instance of the daemon
    deals: list[MarketTrade] = []  # as above
    ends = False
    finished: set[str] = set()  # the exchanges of which everything has been returned

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    async def tickers(self, exchange: str, symbols: Sequence[str]) -> AsyncGenerator[Ticker, None]:
        for ticker in self.ticks:
            if ticker.exchange == exchange and ticker.symbol in symbols:
                yield ticker
        await self._end(exchange)

    async def trades(self, exchange: str, symbols: Sequence[str]) -> AsyncGenerator[MarketTrade, None]:
        for trade in self.deals:
            if trade.exchange == exchange and trade.symbol in symbols:
                yield trade
        await self._end(exchange)

    async def balances(self, ex_id: int, exchange: str, symbols: Sequence[str]) -> list[Balance]:
        return [Balance(ex_id, "USD", total=float(ex_id), free=float(ex_id), used=0.0)]

    async def positions(self, ex_id: int, exchange: str, symbols: Sequence[str]) -> list[Position]:
        return [Position(ex_id, symbol, volume=-1.0, cost=5.0, price=5.0) for symbol in symbols]

    async def _end(self, exchange: str) -> None:
        self.finished.add(exchange)
        if not self.ends:
            await asyncio.Event().wait()
