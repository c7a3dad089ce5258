"""Transitions of an order's status.

    New ─→ pending ─→ open ─→ partially_filled ─→ filled
     └────────┴─────────┴────────────┴──→ canceled        New, pending and open may be rejected too

Steps may be skipped but not reversed; `filled`, `canceled` and `rejected` are final.
"""

from __future__ import annotations

from fullon_graphql.errors import Conflict
from fullon_graphql.models.order_status import FINAL, PROGRESS, SPELLINGS, known_status
from fullon_graphql.services.writing.checks import one_of


def next_status(current: str, wanted: str) -> str:
    """The stored form of `wanted`, if an order with the status `current` may change to it. No change is allowed too.

    An order with an unknown status may change to any status.

    Raises:
        BadUserInput: `wanted` is not a status.
        Conflict: the transition is not allowed.
    """
    before, after = known_status(current), _named(wanted)
    if before is None or before == after:
        return after
    if before in FINAL:
        raise Conflict(f"The order is {before}, which is final; it cannot become {after}.")
    if after in PROGRESS and PROGRESS.index(after) < PROGRESS.index(before):
        raise Conflict(f"The order is {before}; it cannot go back to {after}.")
    if (before, after) == ("partially_filled", "rejected"):
        raise Conflict("The order is partially filled; it can be canceled, but not rejected any more.")
    return after


def _named(text: str) -> str:
    return one_of(SPELLINGS.get(text.strip().lower(), text), (*PROGRESS, *FINAL), "status")
