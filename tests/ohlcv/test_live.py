"""Updates of live bars for any order of prices and stored minutes."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fullon_graphql.ohlcv.candles import Candle
from fullon_graphql.ohlcv.live import LIVE_MINUTES, WATCHED, LiveBars, Update, most_watched
from fullon_graphql.ohlcv.timeframes import Timeframe
from tests.ohlcv.filling import NOON, flat, minutes

WHOLE = st.integers(1, 9).map(float)
MINUTE = st.integers(0, 20)
STORE = st.tuples(st.just("store"), MINUTE, WHOLE)
PRICE = st.tuples(st.just("price"), st.integers(0, 20 * 60), WHOLE)
LOOK = st.tuples(st.just("look"), MINUTE, WHOLE)


def longer(stored: dict[int, Candle]) -> list[Candle]:
    """Bars of five minutes, as the store makes them."""
    buckets: dict[int, list[Candle]] = {}
    for minute in sorted(stored):
        buckets.setdefault(minute // 5, []).append(stored[minute])
    return [
        Candle(
            NOON + timedelta(minutes=5 * bucket), parts[0].open, max(part.high for part in parts),
            min(part.low for part in parts), parts[-1].close, sum(part.volume for part in parts),
        )
        for bucket, parts in buckets.items()
    ]  # fmt: skip


@given(st.lists(STORE | PRICE | LOOK, max_size=60))
def test_closed_bars_equal_stored_bars(
    steps: list[tuple[str, int, float]],
) -> None:
    bars, stored = LiveBars(Timeframe.M5, kept=10), dict[int, Candle]()
    updates: list[Update] = []
    complete = 0
    for what, when, price in [*steps, ("look", 0, 0.0)]:
        if what == "store":
            [stored[when]] = [flat(NOON + timedelta(minutes=when), price)]
        elif what == "price":
            bars.add_price(NOON + timedelta(seconds=when), price)
        else:
            complete = max(complete, when)
            updates += bars.update_stored(longer(stored), NOON + timedelta(minutes=complete))
        updates += bars.forming()
    boundary = NOON + timedelta(minutes=complete // 5 * 5)
    closed = [update.candle for update in updates if update.closed]
    assert {bar.time: bar for bar in closed} == {bar.time: bar for bar in longer(stored) if bar.time < boundary}
    assert all(before != after for before, after in pairwise(closed))
    for bar, _ in updates:
        assert bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high
    assert [update for update in bars.delivered(10) if update.closed] == [
        Update(bar, closed=True) for bar in longer(stored) if bar.time < boundary
    ]
    assert not list(bars.update_stored(longer(stored), boundary)), "delivered bars are delivered again"
    assert not bars.forming()


@given(st.lists(st.tuples(st.integers(0, 600), WHOLE), min_size=1))
def test_forming_bar_follows_prices_in_order_of_time(prices: list[tuple[int, float]]) -> None:
    bars = LiveBars(Timeframe.M1, kept=1)
    updates: list[Candle] = []
    taken: list[tuple[int, float]] = []
    for second, price in prices:
        bars.add_price(NOON + timedelta(seconds=second), price)
        updates += [update.candle for update in bars.forming()]
        if not taken or second >= taken[-1][0]:
            taken.append((second, price))
    newest = [price for second, price in taken if second // 60 == taken[-1][0] // 60]
    start = NOON + timedelta(minutes=taken[-1][0] // 60)
    assert updates[-1] == Candle(start, newest[0], max(newest), min(newest), newest[-1], 0)
    assert [bar.time for bar in updates] == sorted(bar.time for bar in updates)


def test_stored_close_takes_precedence_over_older_prices() -> None:
    bars = LiveBars(Timeframe.M5, kept=1)
    bars.add_price(NOON + timedelta(seconds=50), 3)
    list(bars.update_stored(minutes(0), NOON + timedelta(minutes=1)))
    assert [update.candle.close for update in bars.forming()] == [0]
    bars.add_price(NOON + timedelta(seconds=60), 2)
    assert [update.candle.close for update in bars.forming()] == [2]


def test_only_the_newest_bars_are_compared_and_kept() -> None:
    bars = LiveBars(Timeframe.M1, kept=WATCHED + 10)
    for last in range(100, WATCHED + 100, 100):
        list(bars.update_stored(minutes(*range(last - 100, last)), NOON + timedelta(minutes=last)))
    assert bars.since is None
    list(bars.update_stored(minutes(*range(WATCHED, WATCHED + 100)), NOON + timedelta(minutes=WATCHED + 100)))
    assert bars.since == NOON + timedelta(minutes=100)
    assert len(bars.delivered(10**6)) == WATCHED + 10


@pytest.mark.parametrize(
    ("timeframe", "bars"), [("M1", 500), ("H1", 166), ("D1", 6), ("W1", 2), ("MN1", 2)]
)  # fmt: skip
def test_fewer_bars_of_longer_timeframes_are_compared(timeframe: str, bars: int) -> None:
    assert most_watched(Timeframe[timeframe]) == bars


@pytest.mark.parametrize("timeframe", ["M5", "H1", "D1", "W1", "MN1"])
def test_forming_bar_is_rebuilt_from_the_store_when_a_minute_is_stored(timeframe: str) -> None:
    bars = LiveBars(Timeframe[timeframe], kept=1)
    for second, price in ((10, 5.0), (20, 0.01), (30, 900.0), (65, 6.0)):
        bars.add_price(NOON + timedelta(seconds=second), price)
    [spiked] = bars.forming()
    assert (spiked.candle.low, spiked.candle.high) == (0.01, 900)
    start = Timeframe[timeframe].bucket_start(NOON)
    stored = Candle(start, 5, 7, 4, 5, 10)
    list(bars.update_stored([stored], NOON + timedelta(minutes=1)))
    assert bars.forming() == [Update(Candle(start, 5, 7, 4, 6, 10), closed=False)]


def test_prices_that_are_not_stored_yet_are_kept_while_nothing_is_stored() -> None:
    bars = LiveBars(Timeframe.D1, kept=1)
    for minute in range(3 * LIVE_MINUTES):
        bars.add_price(NOON + timedelta(minutes=minute), 1.0 + minute)
        list(bars.update_stored([], NOON + timedelta(minutes=minute - 1), NOON))
    [update] = bars.forming()
    last = 3.0 * LIVE_MINUTES
    assert update.candle == Candle(Timeframe.D1.bucket_start(NOON), 1, last, 1, last, 0)


def test_price_of_a_stored_minute_is_ignored() -> None:
    bars = LiveBars(Timeframe.H1, kept=1)
    stored = Candle(NOON, 5, 7, 4, 5, 10)
    list(bars.update_stored([stored], NOON + timedelta(minutes=1)))
    bars.add_price(NOON + timedelta(seconds=30), 100)
    assert bars.forming() == [Update(stored, closed=False)]
