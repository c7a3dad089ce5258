"""A feed that does everything in hundredths of a second, and loopback exchanges for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from importlib import import_module
from typing import Any

import pytest

from fullon_graphql.config import Settings
from fullon_graphql.config.exchange_keys import ExchangeKeys
from fullon_graphql.daemons.feeds.account_feed import Account
from fullon_graphql.daemons.feeds.ccxt_feed import CcxtFeed
from fullon_graphql.daemons.feeds.timing import AccountTiming, FeedTiming
from tests.fixtures.loopback.exchange import Instrument, LoopbackExchange
from tests.fixtures.loopback.kraken import LoopbackKraken
from tests.fixtures.loopback.okx import LoopbackOkx

FAST = FeedTiming(
    pace=0.005, check=0.02, poll=0.05, first_backoff=0.02, longest_backoff=0.1, stale_first=1.0, stale_min=0.6,
    stale_max=2.0, delivery=0.1, subscribe=0.0, retry_symbol=0.1, request=20.0,
)  # fmt: skip

FAST_ACCOUNTS = AccountTiming(
    fast=0.1, slow=60.0, settle=0.005, gap=0.02, delivery=0.2, request=20.0, first_backoff=0.02, longest_backoff=0.1,
    refused=0.2, forgotten=60.0,
)  # fmt: skip

PATH = "tests.daemons.feeds.conftest.FastFeed"


class FastFeed(CcxtFeed):
    """The feed with short pauses and without limits of requests, to be named in settings."""

    accounts = FAST_ACCOUNTS  # set by tests, because the daemon constructs the feed

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, FAST, self.accounts)

    async def _open_account_client(self, account: Account, keys: ExchangeKeys) -> Any:
        client = await super()._open_account_client(account, keys)
        client.throttler.config["refillRate"] = 1.0  # per millisecond; the limiter also keeps requests in order
        client.timeout_on_exit = 0
        return client

    async def _open_client(self, exchange: str) -> Any:
        client = await super()._open_client(exchange)
        client.enableRateLimit = False
        client.timeout_on_exit = 0
        return client


@pytest.fixture(scope="session", autouse=True)
def _ccxt() -> None:
    """Import ccxt, which takes seconds, outside of the time limits of the tests."""
    import_module("ccxt.pro")


@pytest.fixture(params=[LoopbackKraken, LoopbackOkx], ids=["kraken", "okx"])
async def exchange(request: pytest.FixtureRequest) -> AsyncIterator[LoopbackExchange]:
    """Each exchange with two markets."""
    exchange: LoopbackExchange = request.param(Instrument("BTC/USD", price_decimals=1), Instrument("ETH/BTC"))
    async with exchange.running():
        yield exchange


@pytest.fixture
async def kraken() -> AsyncIterator[LoopbackExchange]:
    """Kraken with two markets."""
    async with LoopbackKraken(Instrument("BTC/USD", price_decimals=1), Instrument("ETH/BTC")).running() as exchange:
        yield exchange


@pytest.fixture
def feed_for() -> Callable[[LoopbackExchange], CcxtFeed]:
    """A feed whose only exchange is on this machine."""
    return lambda exchange: FastFeed(Settings(exchange_urls=exchange.urls))


@asynccontextmanager
async def collecting(stream: Any) -> AsyncIterator[list[Any]]:
    """The items of a stream while the block runs. The stream must not end by itself."""
    found: list[Any] = []

    async def collect() -> None:
        async with aclosing(stream) as items:
            async for item in items:
                found.append(item)
        raise AssertionError("the stream has ended")

    task = asyncio.create_task(collect())
    try:
        yield found
        if task.done():
            task.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def since(start: float) -> float:
    """Seconds since a moment of the monotonic clock."""
    return time.monotonic() - start
