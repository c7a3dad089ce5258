"""Accounts on their way from the exchange through the account daemon into the stores and the graph."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import pytest
from sqlalchemy import select

from fullon_graphql import models
from fullon_graphql.daemons.account import AccountDaemon
from fullon_graphql.daemons.daemon import Resources
from tests.daemons.feeds.conftest import FAST_ACCOUNTS, PATH
from tests.fixtures.eventually import eventually_equal
from tests.fixtures.graph import GraphClient, principal
from tests.fixtures.loopback.exchange import Instrument, LoopbackExchange, until_followed
from tests.fixtures.loopback.kraken import LoopbackKraken
from tests.fixtures.loopback.okx import LoopbackOkx
from tests.fixtures.loopback.wallets import Wallet
from tests.fixtures.rows import TRADER, add, person

ACCOUNT = """query ($exId: Int!) { exchange(exId: $exId) {
  status { state error openOrders reconnects }
  balances { currency total free used } positions { symbol side volume price }
  liveOrders { exOrderId symbol status side volume finalVolume price }
  trades(first: 50) { nodes { exTradeId exOrderId side volume price cost fee orderType time order { orderId } } }
  orders(first: 50) { nodes { orderId status finalVolume price } }
} }"""

SECRET = "bWFya2VyLXNlY3JldC1vZi10aGUtYWNjb3VudA=="
KEY = "marker-key-of-the-account"
PASSPHRASE = "marker-passphrase"
MARKERS = (SECRET, KEY, PASSPHRASE)

CHANNELS = {"kraken": ("balances", "executions"), "okx": ("account", "orders", "positions")}


class Trading(NamedTuple):
    """An account with keys on an exchange on this machine."""

    exchange: LoopbackExchange
    wallet: Wallet

    async def followed(self) -> None:
        await until_followed(self.exchange, self.wallet, *CHANNELS[self.exchange.id])


@pytest.fixture(params=[LoopbackKraken, LoopbackOkx], ids=["kraken", "okx"])
async def trading(
    request: pytest.FixtureRequest, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Trading]:
    """An account with 10 ETH and 1000 USD on each of the exchanges."""
    exchange: LoopbackExchange = request.param(Instrument("ETH/USD"), Instrument("XRP/ETH", price_decimals=8))
    if exchange.id == "okx":
        exchange.instruments["BTC/USDT:USDT"] = Instrument("BTC/USDT:USDT", contract_size=0.01)
    async with exchange.running():
        yield Trading(exchange, await opened(resources, monkeypatch, exchange, 11))


async def opened(
    resources: Resources, monkeypatch: pytest.MonkeyPatch, exchange: LoopbackExchange, ex_id: int
) -> Wallet:
    """The account `ex_id` of the trader, with keys in the environment."""
    settings = resources.settings
    settings.market_feed, settings.exchange_urls = PATH, settings.exchange_urls | exchange.urls
    monkeypatch.setattr(AccountDaemon, "timing", FAST_ACCOUNTS)
    if not await resources.database.rows(select(models.User.uid)):
        await add(resources.database, models.User, person(TRADER))
    await add(resources.database, models.CatExchange, {"cat_ex_id": ex_id, "name": exchange.id, "ohlcv_view": ""})
    rows = [
        {"cat_ex_id": ex_id, "symbol": one.symbol, "base": one.base, "quote": one.quote_currency, "only_ticker": True}
        for one in exchange.instruments.values()
    ]
    await add(resources.database, models.Symbol, *rows)
    account = {"ex_id": ex_id, "uid": TRADER, "cat_ex_id": ex_id, "name": f"account{ex_id}", "active": True}
    await add(resources.database, models.Exchange, account)
    key = f"{KEY}-{ex_id}"
    for name, value in (("KEY", key), ("SECRET", SECRET), ("PASSWORD", PASSPHRASE)):
        monkeypatch.setenv(f"EX_ID_{ex_id}_{name}", value)
    return exchange.open_wallet(key, SECRET, PASSPHRASE, ETH=10.0, USD=1000.0)


@asynccontextmanager
async def running(resources: Resources) -> AsyncIterator[AccountDaemon]:
    daemon = AccountDaemon(resources)
    await daemon.start()
    try:
        yield daemon
        if daemon._task and daemon._task.done():
            daemon._task.result()
    finally:
        await daemon.stop()


async def account(graph: GraphClient, ex_id: int = 11) -> Any:
    return (await graph.as_(principal(TRADER)).data(ACCOUNT, exId=ex_id))["exchange"]


async def balances(graph: GraphClient, ex_id: int = 11) -> dict[str, tuple[float, float, float]]:
    held = (await account(graph, ex_id))["balances"]
    return {one["currency"]: (one["total"], one["free"], one["used"]) for one in held}


async def state(graph: GraphClient, ex_id: int = 11) -> Any:
    return ((await account(graph, ex_id))["status"] or {}).get("state")


async def test_account_is_streamed_into_the_graph(resources: Resources, graph: GraphClient, trading: Trading) -> None:
    exchange, wallet = trading
    async with running(resources):
        await eventually_equal(lambda: balances(graph), {"ETH": (10.0, 10.0, 0.0), "USD": (1000.0, 1000.0, 0.0)})
        await trading.followed()
        await eventually_equal(lambda: state(graph), "LIVE")
        order = await exchange.place(wallet, "ETH/USD", "buy", 2.0, 100.0)
        await eventually_equal(lambda: balances(graph), {"ETH": (10.0, 10.0, 0.0), "USD": (1000.0, 800.0, 200.0)})

        async def reported() -> Any:
            [report] = (await account(graph))["liveOrders"] or [None]
            return report and {name: report[name] for name in ("exOrderId", "status", "volume", "finalVolume", "price")}

        facts = {"exOrderId": order.id, "volume": 2.0, "price": 100.0}
        await eventually_equal(reported, facts | {"status": "open", "finalVolume": 0.0})
        await exchange.execute(wallet, order, 0.5, fee=0.1)
        await eventually_equal(reported, facts | {"status": "partially_filled", "finalVolume": 0.5})
        await exchange.execute(wallet, order, 1.5, fee=0.3)
        await eventually_equal(reported, facts | {"status": "filled", "finalVolume": 2.0})
        await eventually_equal(lambda: balances(graph), {"ETH": (12.0, 12.0, 0.0), "USD": (799.6, 799.6, 0.0)})
        await exchange.deposit(wallet, "USD", 0.4)
        await eventually_equal(lambda: balances(graph), {"ETH": (12.0, 12.0, 0.0), "USD": (800.0, 800.0, 0.0)})
        found = await account(graph)
    assert found["trades"]["nodes"] == []  # SYNC_ORDERS is off
    assert found["status"] == {"state": "LIVE", "error": None, "openOrders": 0, "reconnects": 0}
    assert (await account(graph))["status"] is None
