"""Running positions: laws that hold for any sequence of trades."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fullon_graphql.embedded.demo.position_math import FEE, Holding, settle

TRADES = st.lists(
    st.tuples(st.sampled_from(["buy", "sell", "Buy", "SELL"]), st.integers(1, 1000), st.integers(1, 100_000)),
    min_size=1,
    max_size=12,
)


def signed(side: str, volume: float) -> float:
    return volume if side.lower() == "buy" else -volume


@given(TRADES)
def test_the_holding_is_what_was_bought_less_what_was_sold(trades: list[tuple[str, int, int]]) -> None:
    holding = Holding()
    for side, volume, price in trades:
        holding, columns = settle(holding, side, volume / 1000, price)
        assert columns["cur_volume"] == holding.volume
    assert holding.volume == pytest.approx(sum(signed(side, volume) for side, volume, _ in trades) / 1000, abs=1e-6)


@given(TRADES)
def test_once_nothing_is_held_what_was_earned_is_what_came_in_less_what_went_out(
    trades: list[tuple[str, int, int]],
) -> None:
    holding, earned, cash = Holding(), 0.0, 0.0

    def trade(side: str, volume: float, price: float) -> None:
        nonlocal holding, earned, cash
        holding, columns = settle(holding, side, volume, price)
        earned += columns["roi"] or 0.0
        cash -= signed(side, volume) * price + volume * price * FEE

    for side, volume, price in trades:
        trade(side, volume / 1000, price)
    trade("sell" if holding.volume > 0 else "buy", abs(holding.volume), 50_000)
    assert holding == Holding()
    assert earned == pytest.approx(cash, abs=1e-3)


def test_a_short_earns_when_the_price_falls() -> None:
    holding, opened = settle(Holding(), "sell", 2.0, 100.0, leverage=3.0)
    holding, closed = settle(holding, "buy", 2.0, 90.0, leverage=3.0)
    assert (opened["roi"], holding) == (None, Holding())
    assert closed["roi"] == pytest.approx(20 - (200 + 180) * FEE)
    assert closed["roi_pct"] == pytest.approx((20 - (200 + 180) * FEE) / 200 * 100 * 3)


def test_closing_a_part_leaves_the_average_price_as_it_was() -> None:
    holding, _ = settle(Holding(), "buy", 1.0, 100.0)
    holding, _ = settle(holding, "buy", 1.0, 200.0)
    holding, columns = settle(holding, "sell", 0.5, 300.0)
    assert (holding.volume, holding.price) == (1.5, 150.0)
    assert columns["roi"] == pytest.approx(75 - 300 * FEE * 0.5 - 300 * FEE / 4)
