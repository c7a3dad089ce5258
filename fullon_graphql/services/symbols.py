"""The catalogue of instruments, the same for everybody who is signed in."""

from __future__ import annotations

from sqlalchemy import Select, select

from fullon_graphql.auth.principal import Caller
from fullon_graphql.models import CatExchange, Symbol
from fullon_graphql.services.visibility import shared_rows


def visible(caller: Caller) -> Select[tuple[Symbol]]:
    """The instruments `caller` may see."""
    return shared_rows(Symbol, caller)


def on_exchange(caller: Caller, exchange: str) -> Select[tuple[Symbol]]:
    """The instruments of one exchange, by its name."""
    named = select(CatExchange.cat_ex_id).where(CatExchange.name == exchange)
    return visible(caller).where(Symbol.cat_ex_id.in_(named))
