from __future__ import annotations

import pytest

from fullon_graphql.errors import Conflict
from fullon_graphql.services.order_status import next_status

STATUSES = ["New", "pending", "open", "partially_filled", "filled", "canceled", "rejected"]
WAYS = {
    "New": ["New", "pending", "open", "partially_filled", "filled", "canceled", "rejected"],
    "pending": ["pending", "open", "partially_filled", "filled", "canceled", "rejected"],
    "open": ["open", "partially_filled", "filled", "canceled", "rejected"],
    "partially_filled": ["partially_filled", "filled", "canceled"],
    "filled": ["filled"],
    "canceled": ["canceled"],
    "rejected": ["rejected"],
}


@pytest.mark.parametrize("now", STATUSES)
def test_status_has_these_transitions_and_no_others(now: str) -> None:
    assert [then for then in STATUSES if _possible(now, then)] == WAYS[now]


@pytest.mark.parametrize("now", ["FILLED", " Filled", "Cancelled", "CANCELED"])
def test_every_spelling_of_a_final_status_is_final(now: str) -> None:
    assert not _possible(now, "open")


def test_unknown_status_may_change_to_any_status() -> None:
    assert all(_possible("waiting for funds", then) for then in STATUSES)


def _possible(now: str, then: str) -> bool:
    try:
        return next_status(now, then) == then
    except Conflict:
        return False
