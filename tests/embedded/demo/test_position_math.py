"""Position arithmetic: properties of every sequence of trades."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fullon_graphql.embedded.demo.position_math import FEE, Position, settle

TRADES = st.lists(
    st.tuples(st.sampled_from(["buy", "sell", "Buy", "SELL"]), st.integers(1, 1000), st.integers(1, 100_000)),
    min_size=1,
    max_size=12,
)


def signed(side: str, volume: float) -> float:
    return volume if side.lower() == "buy" else -volume


@given(TRADES)
def test_position_is_bought_minus_sold_volume(trades: list[tuple[str, int, int]]) -> None:
    position = Position()
    for side, volume, price in trades:
        position, columns = settle(position, side, volume / 1000, price)
        assert columns["cur_volume"] == position.volume
    assert position.volume == pytest.approx(sum(signed(side, volume) for side, volume, _ in trades) / 1000, abs=1e-6)


@given(TRADES)
def test_profit_of_closed_positions_is_the_cash_flow(
    trades: list[tuple[str, int, int]],
) -> None:
    position, earned, cash = Position(), 0.0, 0.0

    def trade(side: str, volume: float, price: float) -> None:
        nonlocal position, earned, cash
        position, columns = settle(position, side, volume, price)
        earned += columns["roi"] or 0.0
        cash -= signed(side, volume) * price + volume * price * FEE

    for side, volume, price in trades:
        trade(side, volume / 1000, price)
    trade("sell" if position.volume > 0 else "buy", abs(position.volume), 50_000)
    assert position == Position()
    assert earned == pytest.approx(cash, abs=1e-3)


def test_short_position_gains_when_the_price_falls() -> None:
    position, opened = settle(Position(), "sell", 2.0, 100.0, leverage=3.0)
    position, closed = settle(position, "buy", 2.0, 90.0, leverage=3.0)
    assert (opened["roi"], position) == (None, Position())
    assert closed["roi"] == pytest.approx(20 - (200 + 180) * FEE)
    assert closed["roi_pct"] == pytest.approx((20 - (200 + 180) * FEE) / 200 * 100 * 3)


def test_partial_close_keeps_the_average_price() -> None:
    position, _ = settle(Position(), "buy", 1.0, 100.0)
    position, _ = settle(position, "buy", 1.0, 200.0)
    position, columns = settle(position, "sell", 0.5, 300.0)
    assert (position.volume, position.price) == (1.5, 150.0)
    assert columns["roi"] == pytest.approx(75 - 300 * FEE * 0.5 - 300 * FEE / 4)
