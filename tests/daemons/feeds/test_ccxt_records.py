"""Balances, positions, orders and fills in ccxt's form."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from fullon_graphql.cache.accounts import Balance
from fullon_graphql.daemons.feeds import ccxt_records

CLIENT = SimpleNamespace(
    markets={
        "BTC/USD": {"base": "BTC", "quote": "USD"},
        "BTC/USDT:USDT": {"base": "BTC", "quote": "USDT", "contract": True, "contractSize": 0.01},
        "BTC/USD:BTC": {"base": "BTC", "quote": "USD", "contract": True, "contractSize": 100.0, "inverse": True},
    }
)


def fill(**changes: Any) -> dict[str, Any]:
    return {
        "id": "T1", "order": "O1", "symbol": "BTC/USD", "timestamp": 1_500, "price": 50_000.0, "amount": 2.0,
        "side": "buy", "cost": 100_000.5, "fee": {"cost": 3.0, "currency": "USD"}, "type": "limit",
    } | changes  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "volume", "cost", "fee"),
    [
        ({}, 2.0, 100_000.5, 3.0),
        ({"cost": None}, 2.0, 100_000.0, 3.0),
        ({"fee": {"cost": -0.001, "currency": "BTC"}}, 2.0, 100_000.5, -50.0),
        ({"fee": {"cost": 1.0, "currency": "OKB"}}, 2.0, 100_000.5, None),
        ({"fee": None}, 2.0, 100_000.5, 0.0),
        ({"fees": [{"cost": 1.0, "currency": "USD"}, {"cost": 2.0, "currency": "USD"}]}, 2.0, 100_000.5, 3.0),
        ({"symbol": "BTC/USDT:USDT", "fee": {"cost": 1.0, "currency": "USDT"}}, 0.02, 1_000.0, 1.0),
        ({"symbol": "BTC/USD:BTC", "fee": {"cost": 0.0001, "currency": "BTC"}}, 0.004, 200.0, 5.0),
    ],
)
def test_fill_is_in_base_and_quote_currency(
    changes: dict[str, Any], volume: float, cost: float, fee: float | None
) -> None:
    found = ccxt_records.fill(CLIENT, fill(**changes))
    assert found is not None
    assert [found.volume, found.cost, found.time] == pytest.approx([volume, cost, 1.5])
    assert found.fee is None if fee is None else found.fee == pytest.approx(fee)


@pytest.mark.parametrize("missing", ["id", "order", "symbol", "timestamp", "price", "amount", "side"])
def test_fill_without_one_of_its_facts_is_left_out(missing: str) -> None:
    assert ccxt_records.fill(CLIENT, fill(**{missing: None})) is None


@pytest.mark.parametrize(
    ("status", "filled", "expected"),
    [
        ("open", 0.0, "open"), ("open", None, "open"), ("open", 0.5, "partially_filled"), ("closed", 2.0, "filled"),
        ("canceled", 0.5, "canceled"), ("expired", 0.0, "canceled"), ("rejected", 0.0, "rejected"),
    ],
)  # fmt: skip
def test_order_has_a_status_of_the_platform(status: str, filled: float | None, expected: str) -> None:
    raw = {"id": "O1", "symbol": "BTC/USD", "status": status, "amount": 2.0, "filled": filled}
    order = ccxt_records.order(CLIENT, raw)
    assert order is not None
    assert (order.status, order.volume, order.filled) == (expected, 2.0, filled)
    assert ccxt_records.order(CLIENT, raw | {"status": "on holiday"}) is None


def test_position_is_signed_and_in_base_currency() -> None:
    linear = {"symbol": "BTC/USDT:USDT", "contracts": 3.0, "side": "short", "entryPrice": 50_000.0}
    inverse = {"symbol": "BTC/USD:BTC", "contracts": 10.0, "side": "long", "entryPrice": 50_000.0}
    margin = {"symbol": "BTC/USD", "contracts": 2.0, "side": "long", "info": {"cost": "90000"}}
    found = [ccxt_records.position(CLIENT, 7, raw) for raw in (linear, inverse, margin)]
    assert [one and (one.volume, one.price, one.cost) for one in found] == [
        (-0.03, 50_000.0, 1_500.0), (0.02, 50_000.0, 1_000.0), (2.0, 45_000.0, 90_000.0),
    ]  # fmt: skip
    assert ccxt_records.position(CLIENT, 7, linear | {"contracts": 0.0}) is None


def test_streamed_balance_keeps_the_amounts_that_it_leaves_out() -> None:
    known = [Balance(7, "BTC", 1.0, 1.0, 0.0), Balance(7, "USD", 100.0, 60.0, 40.0)]
    streamed = {"total": {"USD": 90.0, "ETH": 0.0}, "USD": {"total": 90.0}, "ETH": {"total": 0.0}}
    assert ccxt_records.balances(7, streamed, known) == [known[0], Balance(7, "USD", 90.0, 50.0, 40.0)]
    complete = {"total": {"USD": 90.0}, "USD": {"total": 90.0, "free": 80.0, "used": 10.0}}
    assert ccxt_records.balances(7, complete) == [Balance(7, "USD", 90.0, 80.0, 10.0)]
    assert ccxt_records.balances(7, {"total": {"USD": None}, "USD": {"free": 80.0}}) == [
        Balance(7, "USD", 80.0, 80.0, 0.0)
    ]
