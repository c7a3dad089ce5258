"""New items of a queue that is filled at one end and consumed at the other."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fullon_graphql.transports.platform_ws.trades import appended


@given(before=st.lists(st.integers(), unique=True), new=st.lists(st.integers()), taken=st.integers(min_value=0))
def test_appended_trades_are_reported_once_after_any_consumption(before: list[int], new: list[int], taken: int) -> None:
    fresh = [number + 10**9 + max(map(abs, before), default=0) for number in map(abs, new)]
    assert appended(before, [*before, *fresh][min(taken, len(before)) :]) == fresh


def test_equal_trades_count_as_known() -> None:
    assert appended(["a", "a"], ["a", "a", "b"]) == ["b"]
    assert appended(["a"], []) == []
    assert appended([], ["a"]) == ["a"]
