"""The platform's vocabulary of order statuses. It stores them in any letter case; `cancelled` is read as `canceled`."""

from __future__ import annotations

from sqlalchemy import ColumnElement, func

from fullon_graphql.models.orders import Order

NEW = "New"
PENDING = "pending"
OPEN = "open"
PARTIALLY_FILLED = "partially_filled"
FILLED = "filled"
CANCELED = "canceled"
REJECTED = "rejected"

PROGRESS = (NEW, PENDING, OPEN, PARTIALLY_FILLED)
"""The statuses of an order that is not final, in their order."""
FINAL = (FILLED, CANCELED, REJECTED)
SPELLINGS = {"cancelled": CANCELED}

CANCELLATIONS = (CANCELED, *SPELLINGS)
CLOSED = (*FINAL, *SPELLINGS)
"""Each spelling of a final status, in lower case."""


def is_open() -> ColumnElement[bool]:
    """The condition of an order that is not final. Unknown statuses count as open."""
    return func.lower(Order.status).not_in(CLOSED)


def known_status(text: str) -> str | None:
    """The status that a stored text means, or None if it is none."""
    spelled = SPELLINGS.get(text.strip().lower(), text.strip().lower())
    return next((status for status in (*PROGRESS, *FINAL) if status.lower() == spelled), None)
