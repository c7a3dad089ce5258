"""The catalogue of instruments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row, Select, select

from fullon_graphql.auth.principal import Caller, administrator
from fullon_graphql.cache import keys
from fullon_graphql.models import CatExchange, Symbol
from fullon_graphql.services.access import visible
from fullon_graphql.services.writing.checks import not_blank, not_negative, storable
from fullon_graphql.services.writing.executor import UnitOfWork


def on_exchange(caller: Caller, exchange: str) -> Select[tuple[Symbol]]:
    """The instruments of one exchange, by its name."""
    named = select(CatExchange.cat_ex_id).where(CatExchange.name == exchange)
    return visible(Symbol, caller).where(Symbol.cat_ex_id.in_(named))


async def create(write: UnitOfWork, values: Mapping[str, Any]) -> int:
    """Add an instrument to the catalogue: `symbol`, `cat_ex_id`, `base`, and any other column. Administrators only.

    Raises:
        Forbidden: the caller is not an administrator.
        NotFound: there is no such exchange.
        BadUserInput: a name is blank, or a value is invalid.
        Conflict: the exchange has a symbol with this name already.
    """
    administrator(write.principal)
    await write.find(CatExchange, values["cat_ex_id"], lock=False)
    row = await write.insert(Symbol, _checked(values))
    _invalidate_cache(write, row)
    return int(row.symbol_id)


async def change(write: UnitOfWork, symbol_id: int, values: Mapping[str, Any]) -> int:
    """Change an instrument; its exchange stays. Administrators only.

    Raises:
        Forbidden: the caller is not an administrator.
        NotFound: there is no such instrument.
        BadUserInput: a name is blank, or a value is invalid.
        Conflict: the exchange has a symbol with this name already.
    """
    administrator(write.principal)
    symbol = await write.find(Symbol, symbol_id)
    _invalidate_cache(write, symbol)
    _invalidate_cache(write, await write.update(Symbol, symbol, _checked(values)))
    return symbol_id


async def remove(write: UnitOfWork, symbol_id: int) -> bool:
    """Delete an instrument and its feeds. Administrators only.

    Raises:
        Forbidden: the caller is not an administrator.
        NotFound: there is no such instrument.
    """
    administrator(write.principal)
    symbol = await write.find(Symbol, symbol_id)
    await write.delete(Symbol, symbol)
    _invalidate_cache(write, symbol)
    return True


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    not_blank(values, "symbol", "base", "updateframe")
    not_negative(values, "backtest", "decimals")
    return storable(Symbol, values)


def _invalidate_cache(write: UnitOfWork, symbol: Row[Any]) -> None:
    write.stale |= {
        keys.cached_symbol(symbol.symbol, symbol.cat_ex_id),
        keys.cached_symbol_by_id(symbol.symbol_id),
        keys.cached_symbols_of_exchange(symbol.cat_ex_id),
    }
