"""Accounts on their way from the exchange through the account daemon into the stores and the graph."""

from __future__ import annotations

import csv
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, NamedTuple

import pytest
from sqlalchemy import select

from fullon_graphql import models
from fullon_graphql.daemons.account import AccountDaemon
from fullon_graphql.daemons.daemon import Resources
from tests.daemons.feeds.conftest import FAST_ACCOUNTS, PATH, FastFeed
from tests.fixtures.eventually import eventually, eventually_equal
from tests.fixtures.graph import GraphClient, principal
from tests.fixtures.loopback.exchange import Instrument, LoopbackExchange, until_followed
from tests.fixtures.loopback.kraken import LoopbackKraken
from tests.fixtures.loopback.okx import LoopbackOkx
from tests.fixtures.loopback.wallets import OpenPosition, Wallet
from tests.fixtures.rows import TRADER, add, person
from tests.fixtures.shared import shared

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


def recorded() -> list[tuple[float, str, float, float]]:
    """Recorded trades of XRP/ETH: time in unix seconds, side, price, volume."""
    with gzip.open(shared("market-data/xrp-eth-trades.csv.gz"), "rt") as file:
        rows = [row for row, _ in zip(csv.DictReader(file), range(120), strict=False)]
    return [(int(row["time_ms"]) / 1000, row["side"], float(row["price"]), float(row["volume"])) for row in rows]


async def stored_order(resources: Resources, order_id: int, ex_order_id: str | None, **values: Any) -> None:
    row = {
        "order_id": order_id, "bot_id": 1, "uid": TRADER, "ex_id": 11, "cat_ex_id": 11, "exchange": "any",
        "ex_order_id": ex_order_id, "symbol": "ETH/USD", "order_type": "limit", "side": "buy", "volume": 2.0,
        "price": 100.0, "status": "New", "reason": "",
    }  # fmt: skip
    await add(resources.database, models.Order, row | values)


async def orders(graph: GraphClient) -> dict[int, tuple[str, float | None, float | None]]:
    nodes = (await account(graph))["orders"]["nodes"]
    return {one["orderId"]: (one["status"], one["finalVolume"], one["price"]) for one in nodes}


async def trade_ids(resources: Resources) -> list[str]:
    rows = await resources.database.rows(select(models.Trade.ex_trade_id).order_by(models.Trade.time))
    return [row.ex_trade_id for row in rows]


def ids_of(trading: Trading) -> list[str]:
    """The exchange's ids of the fills, in order of time."""
    ordered = sorted(trading.wallet.executions, key=lambda one: one.time)
    return [one.id if trading.exchange.id == "kraken" else str(one.number) for one in ordered]


async def test_stored_orders_and_fills_follow_the_exchange(
    resources: Resources, graph: GraphClient, trading: Trading
) -> None:
    resources.settings.sync_orders = True
    exchange, wallet = trading
    exchange.faults.repeat, exchange.faults.reorder = 2, True
    filled = await exchange.place(wallet, "ETH/USD", "buy", 2.0, 100.0)
    market = await exchange.place(wallet, "ETH/USD", "sell", 1.0, 99.0, "market")
    canceled = await exchange.place(wallet, "ETH/USD", "buy", 1.0, 50.0)
    foreign = await exchange.place(wallet, "ETH/USD", "buy", 1.0, 60.0)
    await stored_order(resources, 1, filled.id)
    await stored_order(resources, 2, market.id, order_type="market", price=None, status="canceled")
    await stored_order(resources, 3, canceled.id, status="partially_filled", final_volume=0.25)
    await stored_order(resources, 4, None)
    await stored_order(resources, 5, "never-seen", status="open")
    async with running(resources):
        await trading.followed()
        await exchange.execute(wallet, filled, 0.5, 99.5, fee=0.1)
        await eventually(lambda: _equals(orders(graph), 1, ("partially_filled", 0.5, 100.0)))
        await exchange.execute(wallet, filled, 1.5, 99.0, fee=0.3)
        await exchange.execute(wallet, market, 1.0, 99.25, fee=0.2)
        await exchange.cancel(wallet, canceled)
        await exchange.execute(wallet, foreign, 1.0, 60.0, fee=0.05)
        expected = {
            1: ("filled", 2.0, 100.0), 2: ("filled", 1.0, 99.25), 3: ("canceled", 0.25, 50.0), 4: ("New", None, 100.0),
            5: ("open", None, 100.0),
        }  # fmt: skip
        await eventually_equal(lambda: orders(graph), expected)
        await eventually_equal(lambda: trade_ids(resources), ids_of(trading))
    first, second, third, fourth = (await account(graph))["trades"]["nodes"]
    assert {name: first[name] for name in ("side", "volume", "price", "cost", "fee", "orderType", "order")} == {
        "side": "BUY", "volume": 0.5, "price": 99.5, "cost": 49.75, "fee": 0.1, "orderType": "limit",
        "order": {"orderId": 1},
    }  # fmt: skip
    assert (second["volume"], third["orderType"], third["order"]) == (1.5, "market", {"orderId": 2})
    assert (fourth["exOrderId"], fourth["order"]) == (foreign.id, None)


async def _equals(found: Any, key: Any, value: Any) -> bool:
    return bool((await found).get(key) == value)


async def test_recorded_fills_of_several_pages_are_stored_once_by_two_processes(
    resources: Resources, graph: GraphClient, trading: Trading
) -> None:
    resources.settings.sync_orders = True
    exchange, wallet = trading
    exchange.faults.too_many_requests = 3
    trades, shift = recorded(), exchange.now() - recorded()[-1][0] - 60
    for time, side, price, volume in trades[:110]:
        order = wallet.place("XRP/ETH", side, volume, price, time + shift)
        wallet.execute(order, volume, price, 0.0, time + shift)
    async with running(resources), running(resources):
        await eventually_equal(lambda: trade_ids(resources), ids_of(trading))
    for time, side, price, volume in trades[110:]:
        order = wallet.place("XRP/ETH", side, volume, price, time + shift)
        wallet.execute(order, volume, price, 0.0, time + shift)
    async with running(resources):
        await eventually_equal(lambda: trade_ids(resources), ids_of(trading))
    rows = await resources.database.rows(select(models.Trade).order_by(models.Trade.time, models.Trade.trade_id))
    facts = sorted((row.side, row.price, row.volume) for row in rows)
    assert facts == sorted((side, price, volume) for _, side, price, volume in trades)
    assert [row.time.timestamp() - shift for row in rows] == pytest.approx([trade[0] for trade in trades], abs=0.002)
    assert max(row.trade_id for row in rows) < 2 * len(trades)  # repetitions use up no keys


async def test_stream_is_made_again_after_it_was_cut_and_after_it_was_silent(
    resources: Resources, graph: GraphClient, trading: Trading, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FastFeed, "accounts", replace(FAST_ACCOUNTS, slow=0.3))
    exchange, wallet = trading
    async with running(resources):
        await trading.followed()
        await eventually_equal(lambda: state(graph), "LIVE")
        signed_in = exchange.sign_ins
        await exchange.disconnect()
        await exchange.deposit(wallet, "ETH", 5.0)  # in the gap
        await eventually_equal(lambda: balances(graph), {"ETH": (15.0, 15.0, 0.0), "USD": (1000.0, 1000.0, 0.0)})
        await trading.followed()
        assert exchange.sign_ins > signed_in
        await eventually_equal(lambda: state(graph), "LIVE")
        signed_in, exchange.faults.mute = exchange.sign_ins, True
        await exchange.place(wallet, "ETH/USD", "buy", 1.0, 100.0)
        await eventually(lambda: exchange.sign_ins > signed_in)
        assert (await account(graph))["status"]["openOrders"] == 1
        exchange.faults.mute = False
        await eventually_equal(lambda: state(graph), "LIVE")


async def test_account_is_polled_while_its_stream_is_refused(
    resources: Resources, graph: GraphClient, trading: Trading
) -> None:
    exchange, wallet = trading
    exchange.faults.refuse_sockets = True
    await exchange.place(wallet, "ETH/USD", "buy", 1.0, 100.0)
    async with running(resources):
        await eventually_equal(lambda: state(graph), "POLLED")

        async def error() -> Any:
            return (await account(graph))["status"]["error"]

        await eventually(lambda: _contains(error(), "Error"))
        await exchange.place(wallet, "ETH/USD", "buy", 1.0, 200.0)
        await eventually_equal(lambda: balances(graph), {"ETH": (10.0, 10.0, 0.0), "USD": (1000.0, 700.0, 300.0)})


@pytest.mark.parametrize(
    ("fault", "expected"),
    [("secret", "Invalid"), ("passphrase", "PASSPHRASE"), ("clock", "Timestamp request expired")],
)
async def test_refusal_is_the_error_of_the_account(
    resources: Resources, graph: GraphClient, monkeypatch: pytest.MonkeyPatch, fault: str, expected: str
) -> None:
    exchange = LoopbackOkx(Instrument("ETH/USD"))
    async with exchange.running():
        wallet = await opened(resources, monkeypatch, exchange, 11)
        exchange.faults.clock_ahead = 3600 if fault == "clock" else 0
        wallet.secret = "other" if fault == "secret" else wallet.secret
        wallet.passphrase = "other" if fault == "passphrase" else wallet.passphrase

        async def error() -> Any:
            return ((await account(graph))["status"] or {}).get("error")

        async with running(resources):
            await eventually(lambda: _contains(error(), expected))
            found = await account(graph)
            assert (found["status"]["state"], found["balances"]) == ("DOWN", [])


async def test_other_parts_are_read_without_the_permission_for_one(
    resources: Resources, graph: GraphClient, trading: Trading
) -> None:
    exchange, wallet = trading
    wallet.denied |= {"BalanceEx", "account/balance"}
    await exchange.place(wallet, "ETH/USD", "buy", 1.0, 100.0)

    async def found() -> Any:
        status = (await account(graph))["status"] or {}
        return status.get("state"), status.get("openOrders"), "ermission" in (status.get("error") or "")

    async with running(resources):
        await eventually_equal(found, ("LIVE", 1, True))
        assert (await account(graph))["balances"] == []
        wallet.denied.clear()
        await eventually_equal(found, ("LIVE", 1, False))
        await eventually_equal(lambda: balances(graph), {"ETH": (10.0, 10.0, 0.0), "USD": (1000.0, 900.0, 100.0)})


async def test_positions_of_derivatives_are_in_base_currency(
    resources: Resources, graph: GraphClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange = LoopbackOkx(Instrument("ETH/USD"), Instrument("BTC/USDT:USDT", contract_size=0.01))
    async with exchange.running():
        wallet = await opened(resources, monkeypatch, exchange, 11)
        wallet.positions = [OpenPosition("BTC/USDT:USDT", -3.0, 60_000.0)]

        async def positions() -> Any:
            found = (await account(graph))["positions"]
            return [(one["symbol"], one["side"], one["volume"], one["price"]) for one in found]

        async with running(resources):
            await eventually_equal(positions, [("BTC/USDT:USDT", "short", -0.03, 60_000.0)])
            await until_followed(exchange, wallet, "positions")
            await exchange.take(wallet, OpenPosition("BTC/USDT:USDT", 5.0, 61_000.0))
            await eventually_equal(positions, [("BTC/USDT:USDT", "long", 0.05, 61_000.0)])
            await exchange.take(wallet, OpenPosition("BTC/USDT:USDT", 0.0, 0.0))
            await eventually_equal(positions, [])


async def test_failing_account_delays_no_other_and_shows_no_key(
    resources: Resources,
    graph: GraphClient,
    trading: Trading,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    good, bad = trading.exchange, LoopbackKraken(Instrument("ETH/USD"))
    if good.id == "kraken":
        bad = LoopbackOkx(Instrument("ETH/USD"))  # type: ignore[assignment]  # the other exchange
    async with bad.running():
        wallet = await opened(resources, monkeypatch, bad, 12)
        async with running(resources):
            await eventually(lambda: _equals(balances(graph, 12), "ETH", (10.0, 10.0, 0.0)))
            await eventually_equal(lambda: state(graph, 12), "LIVE")
            del bad.wallets[wallet.key]
            await bad.disconnect()
            bad.faults.clock_ahead = 3600
            await eventually_equal(lambda: state(graph, 12), "DOWN")
            monkeypatch.delenv("EX_ID_12_KEY")

            async def error() -> Any:
                return ((await account(graph, 12))["status"] or {}).get("error")

            await eventually(lambda: _contains(error(), "Set EX_ID_12_KEY"))
            monkeypatch.setenv("EX_ID_12_KEY", wallet.key)
            await eventually(lambda: _contains(error(), "AuthenticationError", "Invalid"))
            await trading.followed()
            await good.deposit(trading.wallet, "ETH", 1.0)
            await eventually(lambda: _equals(balances(graph), "ETH", (11.0, 11.0, 0.0)))
            assert (await account(graph, 12))["balances"]  # those of the last reading
            bad.wallets[wallet.key], bad.faults.clock_ahead = wallet, 0
            await eventually_equal(lambda: state(graph, 12), "LIVE")
            texts = [str(await account(graph, 11)), str(await account(graph, 12)), str(await _all_values(resources))]
    texts += [caplog.text, *capfd.readouterr()]
    assert "account.failed" in "".join(texts)
    assert not [marker for marker in MARKERS for text in texts if marker in text]


async def _contains(found: Any, *parts: str) -> bool:
    text = await found or ""
    return all(part in text for part in parts)


async def _all_values(resources: Resources) -> list[Any]:
    hashes = ("accounts", "account_positions", "fullon_graphql:account_status", "order_status:11", "order_status:12")
    return [await resources.redis.hgetall(name) for name in hashes]
