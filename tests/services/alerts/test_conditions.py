from __future__ import annotations

import pytest

from fullon_graphql.services.alerts.conditions import (
    SAMPLES,
    PriceWindow,
    crosses,
    has_changed_side,
    reaches,
    signed_change,
)


@pytest.mark.parametrize(
    ("last", "value", "direction", "expected"),
    [
        (None, 101.0, "ANY", False),
        (99.0, 100.0, "ANY", True),
        (99.0, 101.0, "ABOVE", True),
        (99.0, 101.0, "BELOW", False),
        (101.0, 99.0, "ANY", True),
        (101.0, 99.0, "BELOW", True),
        (101.0, 99.0, "ABOVE", False),
        (101.0, 102.0, "ANY", False),
        (98.0, 99.0, "ANY", False),
    ],
)
def test_price_crosses_if_it_was_on_the_other_side(
    last: float | None, value: float, direction: str, expected: bool
) -> None:
    assert crosses(last, value, 100.0, direction) is expected


def test_level_is_reached_once_until_it_is_left() -> None:
    assert reaches(None, 5, 5)
    assert reaches(4, 5, 5)
    assert not reaches(5, 6, 5)
    assert not reaches(None, 4, 5)


def test_value_is_stored_only_on_another_side_of_the_threshold() -> None:
    assert has_changed_side(None, 99, 100)
    assert not has_changed_side(99, 98, 100)
    assert has_changed_side(99, 100, 100)
    assert has_changed_side(100, 101, 100)


def test_change_is_unknown_until_prices_of_a_whole_window_have_been_seen() -> None:
    window = PriceWindow(60)
    assert window.change_percent(0, 100) is None
    assert window.change_percent(30, 110) is None
    assert window.change_percent(60, 105) == pytest.approx(5)
    assert window.change_percent(90, 99) == pytest.approx(-10)


def test_window_keeps_a_bounded_number_of_prices() -> None:
    window = PriceWindow(60)
    for tick in range(100_000):
        window.change_percent(tick / 100, 100 + tick)
    assert len(window._samples) <= SAMPLES + 2


def test_change_is_compared_in_its_direction() -> None:
    assert [signed_change(-5, direction) for direction in ("ABOVE", "BELOW", "ANY")] == [-5, 5, 5]
