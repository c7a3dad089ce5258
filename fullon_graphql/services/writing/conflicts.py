"""Messages for violated constraints. Only a constraint decides reliably: a check before the insert can race.

The columns of the constraint decide, because installations name their constraints differently. PostgreSQL's own text
depends on the language of the server, so only its names and punctuation are read.
"""

from __future__ import annotations

import re

from sqlalchemy.exc import IntegrityError

from fullon_graphql.errors import Conflict
from fullon_graphql.models import Base

_TAKEN = {
    ("users", "mail"): "There is an account with this mail already.",
    ("users", "external_id"): "There is an account with this external id already.",
    ("exchanges", "cat_ex_id, name, uid"): "There is an account of this name on this exchange already.",
    ("cat_exchanges", "name"): "There is an exchange of this name already.",
    ("symbols", "cat_ex_id, symbol"): "This exchange has a symbol of this name already.",
    ("bot_exchanges", "bot_id, ex_id"): "The bot trades on this account already.",
    ("trades", "ex_order_id, ex_trade_id"): "This trade of this order is stored on another account already.",
    ("cat_strategies", "name"): "There is a strategy template of this name already.",
}
"""By table and columns of a unique constraint, in alphabetical order."""

_HELD = {
    "simulations": "it has simulations",
    "exchange_history": "it has a history of balances",
    "exchanges": "people have accounts on it",
    "symbols": "it has symbols",
    "cat_exchanges_params": "it has parameters",
    "users": "it manages other accounts",
}
"""Why a row cannot be deleted, by the table that refers to it."""

_DETAIL = re.compile(r"\((?P<columns>.*?)\)=\(.*\)(?P<rest>.*)", re.DOTALL)
"""PostgreSQL's detail: `Key (uid)=(3) already exists`, `Key (uid)=(3) is still referenced from table "bots"`."""


def explained(error: IntegrityError) -> Conflict | None:
    """The error for a violated constraint; None if PostgreSQL's error is of another kind."""
    cause = error.driver_exception
    table = str(getattr(cause, "table_name", None) or "")
    detail = _DETAIL.search(getattr(cause, "detail", None) or "")  # absent if the role may not read all columns
    columns, rest = (", ".join(sorted(detail["columns"].split(", "))), detail["rest"]) if detail else ("", "")
    match getattr(cause, "sqlstate", None):
        case "23505" | "23P01":
            return Conflict(_taken(table, columns))
        case "23503" | "23001" if _is_held(table, columns, rest):
            return Conflict(f"It cannot be deleted: {_HELD.get(table, f'rows of {table} refer to it')}.")
        case "23503":
            return Conflict(f"The row that {columns or 'it'} refers to does not exist.")
        case "23502":
            column = getattr(cause, "column_name", None)
            return Conflict(f"This installation requires a value of {table}.{column}, which this change does not set.")
        case "23514":
            constraint = getattr(cause, "constraint_name", None)
            return Conflict(f"The constraint {constraint} of {table} refuses these values.")
        case _:
            return None


def _taken(table: str, columns: str) -> str:
    if columns and columns == _generated_key(table):
        return f"The next {columns} of {table} is taken: its sequence is behind. Run `db doctor`."
    with_these = f"this {columns}" if columns else "these values"
    return _TAKEN.get((table, columns), f"A row with {with_these} exists already.")


def _generated_key(table: str) -> str | None:
    """The key that a sequence generates; the sequence may be behind the rows after a restore."""
    model = Base.metadata.tables.get(table)
    generated = None if model is None else model.autoincrement_column
    return None if generated is None else generated.name


def _is_held(table: str, columns: str, rest: str) -> bool:
    """True if rows of `table` refer to the changed row; False if a row of `table` refers to a missing row.

    PostgreSQL's detail names the table in the first case; for a table that refers to itself the columns decide.
    """
    model = Base.metadata.tables.get(table)
    referring = None if model is None else model.columns.get(columns)
    refers_to_itself = referring is not None and any(key.column.table is model for key in referring.foreign_keys)
    return bool(re.search(rf"\b{re.escape(table)}\b", rest)) and not refers_to_itself
