"""From trades to closed minutes."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fullon_graphql.daemons.feeds.market_feed import MarketTrade
from fullon_graphql.daemons.minute_bars import MinuteBars, unusable
from fullon_graphql.ohlcv.candles import Candle

START = 1_718_000_040  # a whole minute
TIME = datetime.fromtimestamp(START, UTC)


def trade(seconds: float, price: float = 1.0, volume: float = 1.0) -> MarketTrade:
    return MarketTrade("kraken", "BTC/USD", price, volume, "buy", START + seconds)


def test_bar_has_first_last_highest_and_lowest_price_and_total_volume() -> None:
    minutes = MinuteBars(START)
    for deal in (trade(0, 10, 1), trade(20, 14, 2), trade(40, 8, 3), trade(59.999, 9, 4)):
        assert minutes.add(deal)
    assert minutes.close(START + 60) == [Candle(TIME, 10, 14, 8, 9, 10)]


def test_minute_is_closed_once_and_not_before_its_end() -> None:
    minutes = MinuteBars(START)
    minutes.add(trade(1))
    assert minutes.close(START + 59.999) == []
    assert len(minutes.close(START + 60)) == 1
    assert minutes.close(START + 600) == []


def test_partially_watched_minute_is_left_out() -> None:
    minutes = MinuteBars(START + 0.001)
    assert not minutes.add(trade(30))
    assert minutes.add(trade(61))
    [candle] = minutes.close(START + 180)
    assert candle.time.timestamp() == START + 60


def test_trade_of_a_closed_minute_is_refused() -> None:
    minutes = MinuteBars(START)
    minutes.close(START + 60)
    assert not minutes.add(trade(30))


def test_trade_of_the_next_minute_does_not_close_the_previous_one() -> None:
    minutes = MinuteBars(START)
    minutes.add(trade(30, price=1))
    minutes.add(trade(60.5, price=2))
    minutes.add(trade(59, price=3))
    assert [candle.close for candle in minutes.close(START + 120)] == [3, 2]


@pytest.mark.parametrize(
    ("deal", "fault"),
    [
        (trade(0), None),
        (trade(60), None),
        (trade(0, volume=0), None),
        (trade(60.001), "in the future"),
        (trade(float("nan")), "in the future"),
        (trade(0, price=0), "no price"),
        (trade(0, price=float("nan")), "no price"),
        (trade(0, price=float("inf")), "no price"),
        (trade(0, volume=-1), "no volume"),
    ],
)
def test_faulty_trade_is_unusable(deal: MarketTrade, fault: str | None) -> None:
    assert unusable(deal, START + 60) == fault


def test_minute_without_trades_has_no_candle() -> None:
    minutes = MinuteBars(START)
    minutes.add(trade(0))
    minutes.add(trade(180))
    assert [candle.time.timestamp() - START for candle in minutes.close(START + 240)] == [0, 180]


prices = st.floats(0.01, 1e6)
deals = st.lists(st.builds(trade, st.integers(0, 599_999).map(lambda ms: ms / 1000), prices, prices), max_size=60)


@given(deals, st.randoms())
def test_candles_do_not_depend_on_the_order_of_arrival(trades: list[MarketTrade], chance: Random) -> None:
    minutes = MinuteBars(START)
    arriving = list({deal.time: deal for deal in trades}.values())
    expected = sorted(arriving, key=lambda deal: deal.time)
    chance.shuffle(arriving)
    for deal in arriving:
        assert minutes.add(deal)
    for candle in minutes.close(START + 600):
        own = [deal for deal in expected if 0 <= deal.time - candle.time.timestamp() < 60]
        assert (candle.open, candle.close) == (own[0].price, own[-1].price)
        assert candle.high == max(deal.price for deal in own)
        assert candle.low == min(deal.price for deal in own)
        assert abs(candle.volume - sum(deal.volume for deal in own)) <= 1e-9 * candle.volume
        expected = [deal for deal in expected if deal not in own]
    assert expected == []
