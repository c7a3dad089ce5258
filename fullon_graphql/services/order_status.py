"""What an order can become. The platform stores a word in any letter case; `canceled` has one l and is read with two.

    New ─→ pending ─→ open ─→ partially_filled ─→ filled
     └────────┴─────────┴────────────┴──→ canceled        New, pending and open may be rejected too

A step may be left out, none is taken back, and `filled`, `canceled` and `rejected` are the end.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, func

from fullon_graphql.errors import Conflict
from fullon_graphql.models import Order
from fullon_graphql.services.writing.checks import one_of

NEW = "New"
CANCELED = "canceled"

_UNDER_WAY = (NEW, "pending", "open", "partially_filled")
_FINAL = ("filled", CANCELED, "rejected")
_SPELLINGS = {"cancelled": CANCELED}

CANCELLATIONS = (CANCELED, *_SPELLINGS)
CLOSED = (*_FINAL, *_SPELLINGS)
"""In lower case, each spelling of a status after which nothing more happens to an order."""


def is_open() -> ColumnElement[bool]:
    """True of orders to which something may still happen: also in a status that the platform has made up."""
    return func.lower(Order.status).not_in(CLOSED)


def next_status(current: str, wanted: str) -> str:
    """`wanted` as it is stored, once an order that is `current` may become it. It may always stay what it is.

    An order in a status the platform has made up may become anything.

    Raises:
        BadUserInput: `wanted` is no status.
        Conflict: there is no way from `current` to it.
    """
    now, then = _known(current), _named(wanted)
    if now is None or now == then:
        return then
    if now in _FINAL:
        raise Conflict(f"The order is {now}, which is final; it cannot become {then}.")
    if then in _UNDER_WAY and _UNDER_WAY.index(then) < _UNDER_WAY.index(now):
        raise Conflict(f"The order is {now}; it cannot go back to {then}.")
    if (now, then) == ("partially_filled", "rejected"):
        raise Conflict("The order is partially filled; it can be canceled, but not rejected any more.")
    return then


def _named(text: str) -> str:
    return one_of(_SPELLINGS.get(text.strip().lower(), text), (*_UNDER_WAY, *_FINAL), "status")


def _known(text: str) -> str | None:
    spelled = _SPELLINGS.get(text.strip().lower(), text.strip().lower())
    return next((status for status in (*_UNDER_WAY, *_FINAL) if status.lower() == spelled), None)
