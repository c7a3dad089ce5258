from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fullon_graphql.ohlcv.timeframes import Timeframe

TIMES = st.integers(0, 4 * 10**15).map(lambda passed: datetime(1971, 1, 1, tzinfo=UTC) + timedelta(microseconds=passed))
ANY = st.sampled_from(Timeframe)


@given(ANY, TIMES)
def test_time_lies_in_its_bucket(timeframe: Timeframe, time: datetime) -> None:
    start = timeframe.bucket_start(time)
    assert start <= time < timeframe.next_bucket(start)


@given(ANY, TIMES)
def test_bucket_start_is_idempotent(timeframe: Timeframe, time: datetime) -> None:
    start = timeframe.bucket_start(time)
    following = timeframe.next_bucket(start)
    assert timeframe.bucket_start(start) == start
    assert timeframe.bucket_start(following) == following
    assert timeframe.bucket_start(following - timedelta(microseconds=1)) == start


@given(ANY, ANY, TIMES)
def test_bar_consists_of_whole_parts(whole: Timeframe, part: Timeframe, time: datetime) -> None:
    if whole.consists_of(part):
        start = whole.bucket_start(time)
        assert part.bucket_start(start) == start


@pytest.mark.parametrize(
    ("timeframe", "start"),
    [
        (Timeframe.M1, "2024-05-16T13:47"),
        (Timeframe.M30, "2024-05-16T13:30"),
        (Timeframe.H8, "2024-05-16T08:00"),
        (Timeframe.D1, "2024-05-16"),
        (Timeframe.D3, "2024-05-14"),  # 2966 * 3 days after 2000-01-03
        (Timeframe.W1, "2024-05-13"),  # a Monday
        (Timeframe.MN1, "2024-05-01"),
    ],
)
def test_buckets_are_aligned_as_in_timescaledb(timeframe: Timeframe, start: str) -> None:
    time = datetime(2024, 5, 16, 13, 47, 11, 500, UTC)
    assert timeframe.bucket_start(time) == datetime.fromisoformat(start).replace(tzinfo=UTC)


def test_bucket_does_not_depend_on_the_zone() -> None:
    time = datetime(2024, 5, 1, 1, tzinfo=timezone(timedelta(hours=3)))
    assert Timeframe.MN1.bucket_start(time) == datetime(2024, 4, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("whole", "parts"),
    [
        (Timeframe.H1, {"1m", "3m", "5m", "15m", "30m", "1h"}),
        (Timeframe.MN1, {"1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "1M"}),
    ],
)
def test_timeframe_consists_of_its_divisors(whole: Timeframe, parts: set[str]) -> None:
    assert {part.value for part in Timeframe if whole.consists_of(part)} == parts
