"""What PostgreSQL's constraints refuse, as sentences. They decide: whoever looks beforehand may be overtaken."""

from __future__ import annotations

from sqlalchemy.exc import IntegrityError

from fullon_graphql.errors import Conflict

_TAKEN = {
    "users": "There is an account with this mail or external id already.",
    "exchanges": "There is an account of this name on this exchange already.",
    "cat_exchanges": "There is an exchange of this name already.",
    "symbols": "This exchange has a symbol of this name already.",
    "bot_exchanges": "The bot trades on this account already.",
    "trades": "This trade of this order is stored on another account already.",
    "cat_strategies": "There is a strategy template of this name already.",
}
"""By table and not by constraint: installations name their constraints as they like."""

_HELD = {
    "simulations": "it has simulations",
    "exchange_history": "it has a history of balances",
    "exchanges": "people have accounts on it",
    "symbols": "it has symbols",
    "cat_exchanges_params": "it has parameters",
    "users": "it manages other accounts",
}
"""Tables whose rows keep what they point at from being deleted."""


def explained(error: IntegrityError) -> Conflict | None:
    """What a unique constraint or a foreign key has refused; None for what should have been checked before."""
    cause = error.driver_exception
    table = str(getattr(cause, "table_name", ""))
    match getattr(cause, "sqlstate", None):
        case "23505":
            return Conflict(_TAKEN.get(table, "There is one like this already."))
        case "23503" | "23001" if "referenced from" in (getattr(cause, "detail", "") or ""):
            return Conflict(f"It cannot be deleted: {_HELD.get(table, f'rows of {table} need it')}.")
        case "23503":
            return Conflict("What it refers to has just been deleted.")
        case _:
            return None
