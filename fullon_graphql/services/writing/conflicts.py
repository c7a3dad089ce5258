"""Messages for violated constraints. Only a constraint decides reliably: a check before the insert can race."""

from __future__ import annotations

import re

from sqlalchemy.exc import IntegrityError

from fullon_graphql.errors import Conflict
from fullon_graphql.models import Base

_TAKEN = {
    "users": "There is an account with this mail or external id already.",
    "exchanges": "There is an account of this name on this exchange already.",
    "cat_exchanges": "There is an exchange of this name already.",
    "symbols": "This exchange has a symbol of this name already.",
    "bot_exchanges": "The bot trades on this account already.",
    "trades": "This trade of this order is stored on another account already.",
    "cat_strategies": "There is a strategy template of this name already.",
}
"""By table, because installations may name their constraints differently."""

_HELD = {
    "simulations": "it has simulations",
    "exchange_history": "it has a history of balances",
    "exchanges": "people have accounts on it",
    "symbols": "it has symbols",
    "cat_exchanges_params": "it has parameters",
    "users": "it manages other accounts",
}
"""Why a row cannot be deleted, by the table that refers to it."""


_COLUMNS = re.compile(r"\(([^()]*)\)=\(")
"""The columns in PostgreSQL's detail of a violated constraint, in any language: `Key (uid)=(3) already exists`."""


def explained(error: IntegrityError) -> Conflict | None:
    """The error for a violated unique constraint or foreign key; None for other violations."""
    cause = error.driver_exception
    table = str(getattr(cause, "table_name", ""))
    match getattr(cause, "sqlstate", None):
        case "23505":
            if column := _taken_number(table, getattr(cause, "detail", None) or ""):
                return Conflict(f"The next {column} of {table} is taken: its sequence is behind. Run `db doctor`.")
            return Conflict(_TAKEN.get(table, "A row with these values exists already."))
        case "23503" | "23001" if "referenced from" in (getattr(cause, "detail", "") or ""):
            return Conflict(f"It cannot be deleted: {_HELD.get(table, f'rows of {table} refer to it')}.")
        case "23503":
            return Conflict("The row that it refers to has just been deleted.")
        case _:
            return None


def _taken_number(table: str, detail: str) -> str | None:
    """The generated key that is taken already, because its sequence is behind the rows after a restore."""
    found, model = _COLUMNS.search(detail), Base.metadata.tables.get(table)
    generated = None if model is None else model.autoincrement_column
    return generated.name if generated is not None and found and found[1] == generated.name else None
