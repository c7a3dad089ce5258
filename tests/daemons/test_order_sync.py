"""Stored orders that follow the exchange, and fills that are stored once."""

from __future__ import annotations

import asyncio
import random
import time
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select

from fullon_graphql.daemons.control.lease import LeaseLostError
from fullon_graphql.daemons.feeds.account_feed import Account, Fill, OrderReport
from fullon_graphql.daemons.order_sync import OVERLAP, OrderSync, changed_columns
from fullon_graphql.database import Database
from fullon_graphql.models import Order, Trade
from tests.fixtures.rows import add, order

ACCOUNT = Account(20, "main", "kraken", uid=2, cat_ex_id=1)
NOW = 1_760_000_000.0


def report(status: str, **changes: Any) -> OrderReport:
    return OrderReport("X1", "BTC/USD", status, **changes)


def fill(number: int, at: float = NOW) -> Fill:
    return Fill(f"T{number}", "X1", "BTC/USD", "buy", 1.0, 100.0 + number, 100.0 + number, 0.1, at)


@pytest.mark.parametrize(
    ("stored", "reported", "changes"),
    [
        ({}, report("open"), {}),
        ({"status": "New"}, report("open", filled=0.0), {"status": "open"}),
        ({"status": "OPEN"}, report("open"), {}),
        ({}, report("partially_filled", filled=0.5), {"status": "partially_filled", "final_volume": 0.5}),
        ({"status": "partially_filled", "final_volume": 0.5}, report("open", filled=0.0), {}),  # late
        ({"status": "canceled"}, report("partially_filled", filled=0.5), {"final_volume": 0.5}),
        ({"status": "canceled"}, report("filled", filled=1.5), {"status": "filled", "final_volume": 1.5}),
        ({"status": "Cancelled"}, report("canceled"), {}),
        ({"status": "on holiday"}, report("open"), {"status": "open"}),
        ({}, report("open", price=101.0, average=99.0), {"price": 101.0}),
        ({"order_type": "market", "price": None}, report("open", average=99.0), {"price": 99.0}),
        ({"order_type": "stop"}, report("open", price=101.0), {}),
        ({"status": "filled", "final_volume": 1.5}, report("filled", filled=1.5, price=101.0), {}),
    ],
)
def test_order_moves_forward_only(stored: dict[str, Any], reported: OrderReport, changes: dict[str, Any]) -> None:
    row: Any = SimpleNamespace(**order(1, 1, 2) | {"final_volume": None} | stored)
    assert changed_columns(row, reported) == changes


async def test_any_order_of_reports_by_concurrent_processes_ends_the_same(database: Database) -> None:
    await add(database, Order, order(1, 1, 2, ex_order_id="X1", status="New"), order(2, 1, 3, ex_order_id="X1"))
    states = [
        ([report("open")], []),
        ([report("partially_filled", filled=0.5)], [fill(1)]),
        ([report("partially_filled", filled=1.0)], [fill(1), fill(2, NOW + 1)]),
        ([report("filled", filled=1.5)], [fill(2, NOW + 1), fill(3, NOW + 2)]),
    ] * 3
    random.Random(7).shuffle(states)
    processes = [OrderSync(database, ACCOUNT) for _ in range(3)]
    await asyncio.gather(*(processes[number % 3].store(*state, lambda: None) for number, state in enumerate(states)))
    rows = await database.rows(select(Order).order_by(Order.order_id))
    assert [(row.status, row.final_volume) for row in rows] == [("filled", 1.5), ("open", None)]
    trades = await database.rows(select(Trade).order_by(Trade.ex_trade_id))
    assert [(row.ex_trade_id, row.order_type, row.uid, row.ex_id) for row in trades] == [
        (f"T{number}", "limit", 2, 20) for number in (1, 2, 3)
    ]


async def test_reading_continues_before_the_newest_trade(database: Database) -> None:
    await add(
        database,
        Order,
        order(1, 1, 2, ex_order_id="X1"),
        order(2, 1, 2, ex_order_id="X2", status="Filled"),
        order(3, 1, 2, ex_order_id=None),
        order(4, 1, 3, ex_order_id="X4"),
    )
    first = await OrderSync(database, ACCOUNT).next_reading()
    assert first.orders == {"X1": "BTC/USD"}
    assert first.fills_since == pytest.approx(time.time() - 7 * 86_400, abs=60)
    sync = OrderSync(database, ACCOUNT)
    await sync.store([], [fill(1, NOW - 7200), fill(2)], lambda: None)
    for one in (sync, OrderSync(database, ACCOUNT)):
        assert (await one.next_reading()).fills_since == NOW - OVERLAP


async def test_nothing_is_stored_without_the_lease(database: Database) -> None:
    await add(database, Order, order(1, 1, 2, ex_order_id="X1"))

    def lost() -> None:
        raise LeaseLostError

    with pytest.raises(LeaseLostError):
        await OrderSync(database, ACCOUNT).store([report("filled", filled=1.5)], [fill(1)], lost)
    assert not await database.rows(select(Trade.trade_id))
    assert [row.status for row in await database.rows(select(Order.status))] == ["open"]


async def test_trade_that_does_not_fit_into_the_table_stops_no_other(database: Database) -> None:
    long = Fill("T" * 65, "X1", "BTC/USD", "buy", 1.0, 100.0, 100.0, None, NOW)
    await OrderSync(database, ACCOUNT).store([], [long, fill(2)], lambda: None)
    rows = await database.rows(select(Trade.ex_trade_id, Trade.order_type, Trade.fee))
    assert [tuple(row) for row in rows] == [("T2", "unknown", 0.1)]
