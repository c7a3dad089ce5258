"""Transitions of an order's status. The platform stores it in any letter case; `cancelled` is read as `canceled`.

    New ─→ pending ─→ open ─→ partially_filled ─→ filled
     └────────┴─────────┴────────────┴──→ canceled        New, pending and open may be rejected too

Steps may be skipped but not reversed; `filled`, `canceled` and `rejected` are final.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, func

from fullon_graphql.errors import Conflict
from fullon_graphql.models import Order
from fullon_graphql.services.writing.checks import one_of

NEW = "New"
CANCELED = "canceled"

_OPEN = (NEW, "pending", "open", "partially_filled")
_FINAL = ("filled", CANCELED, "rejected")
_SPELLINGS = {"cancelled": CANCELED}

CANCELLATIONS = (CANCELED, *_SPELLINGS)
CLOSED = (*_FINAL, *_SPELLINGS)
"""Each spelling of a final status, in lower case."""


def is_open() -> ColumnElement[bool]:
    """The condition of an order that is not final. Unknown statuses count as open."""
    return func.lower(Order.status).not_in(CLOSED)


def next_status(current: str, wanted: str) -> str:
    """The stored form of `wanted`, if an order with the status `current` may change to it. No change is allowed too.

    An order with an unknown status may change to any status.

    Raises:
        BadUserInput: `wanted` is not a status.
        Conflict: the transition is not allowed.
    """
    before, after = _known(current), _named(wanted)
    if before is None or before == after:
        return after
    if before in _FINAL:
        raise Conflict(f"The order is {before}, which is final; it cannot become {after}.")
    if after in _OPEN and _OPEN.index(after) < _OPEN.index(before):
        raise Conflict(f"The order is {before}; it cannot go back to {after}.")
    if (before, after) == ("partially_filled", "rejected"):
        raise Conflict("The order is partially filled; it can be canceled, but not rejected any more.")
    return after


def _named(text: str) -> str:
    return one_of(_SPELLINGS.get(text.strip().lower(), text), (*_OPEN, *_FINAL), "status")


def _known(text: str) -> str | None:
    spelled = _SPELLINGS.get(text.strip().lower(), text.strip().lower())
    return next((status for status in (*_OPEN, *_FINAL) if status.lower() == spelled), None)
