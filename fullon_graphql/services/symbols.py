"""The catalogue of instruments."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Row, Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from fullon_graphql.auth.principal import Caller, administrator, reader
from fullon_graphql.cache import keys
from fullon_graphql.database import Database
from fullon_graphql.errors import Conflict, NotFound, shortened
from fullon_graphql.models import CatExchange, Symbol
from fullon_graphql.ohlcv.naming import shared_stem
from fullon_graphql.services.access import visible
from fullon_graphql.services.writing.checks import not_blank, not_negative, storable
from fullon_graphql.services.writing.executor import UnitOfWork


def on_exchange(caller: Caller, exchange: str) -> Select[tuple[Symbol]]:
    """The instruments of one exchange, by its name."""
    named = select(CatExchange.cat_ex_id).where(CatExchange.name == exchange)
    return visible(Symbol, caller).where(Symbol.cat_ex_id.in_(named))


async def sharing_tables(database: Database, exchange: str, symbol: str) -> list[str]:
    """Other instruments of the exchange in the catalogue, in order, that have the candle tables of `symbol`."""
    query = (
        select(Symbol.symbol)
        .join(CatExchange, CatExchange.cat_ex_id == Symbol.cat_ex_id)
        .where(func.lower(CatExchange.name) == exchange.lower(), Symbol.symbol != symbol)
        .order_by(Symbol.symbol)
    )
    return [other for (other,) in await database.rows(query) if shared_stem(other) == shared_stem(symbol)]


def spellings(symbol: str) -> list[str]:
    """The spellings that `symbol` may mean, in order: as it is, and with `/` in place of its first `-`."""
    return list(dict.fromkeys((symbol, symbol.replace("-", "/", 1))))


async def find_spelling(
    database: Database, caller: Caller, symbol: str, *, exchange: str | None = None, known: Collection[str] = ()
) -> str:
    """The first spelling of `symbol` that exists: `BTC-USDT` means `BTC/USDT` unless there is a `BTC-USDT`.

    It exists if it is one of the `known` names, or in the catalogue of the exchange, or of any exchange without one.

    Raises:
        Unauthenticated: the caller is not signed in.
        NotFound: no spelling exists.
    """
    reader(caller)
    names = spellings(symbol)
    if symbol in known:
        return symbol
    catalogue = visible(Symbol, caller) if exchange is None else on_exchange(caller, exchange)
    query = catalogue.where(Symbol.symbol.in_(names)).with_only_columns(Symbol.symbol)
    existing = {*known, *(row.symbol for row in await database.rows(query))}
    for name in names:
        if name in existing:
            return name
    raise NotFound(f"There is no instrument {shortened(symbol)}" + (f" on {shortened(exchange)}." if exchange else "."))


async def exchanges_of(database: Database, caller: Caller, symbol: str) -> tuple[str, list[str]]:
    """The spelling of `symbol` that exists in the catalogue, and the names of the exchanges that have it.

    Raises as `find_spelling` does.
    """
    name = await find_spelling(database, caller, symbol)
    query = (
        visible(Symbol, caller)
        .where(Symbol.symbol == name)
        .join(CatExchange, CatExchange.cat_ex_id == Symbol.cat_ex_id)
        .with_only_columns(CatExchange.name)
        .order_by(CatExchange.name)
    )
    return name, [row.name for row in await database.rows(query)]


async def create(write: UnitOfWork, values: Mapping[str, Any]) -> int:
    """Add an instrument to the catalogue: `symbol`, `cat_ex_id`, `base`, and any other column. Administrators only.

    Raises:
        Forbidden: the caller is not an administrator.
        NotFound: there is no such exchange.
        BadUserInput: a name is blank, or a value is invalid.
        Conflict: the exchange has a symbol with this name already, or one that would have the same candle tables.
    """
    administrator(write.principal)
    await write.find(CatExchange, values["cat_ex_id"])  # locked: concurrent changes see each other's symbols
    checked = _checked(values)
    await require_own_tables(write.connection, values["cat_ex_id"], checked["symbol"])
    row = await write.insert(Symbol, checked)
    _invalidate_cache(write, row)
    return int(row.symbol_id)


async def change(write: UnitOfWork, symbol_id: int, values: Mapping[str, Any]) -> int:
    """Change an instrument; its exchange stays. Administrators only.

    Raises:
        Forbidden: the caller is not an administrator.
        NotFound: there is no such instrument.
        BadUserInput: a name is blank, or a value is invalid.
        Conflict: the exchange has a symbol with this name already, or one that would have the same candle tables.
    """
    administrator(write.principal)
    symbol = await write.find(Symbol, symbol_id)
    checked = _checked(values)
    if checked.get("symbol", symbol.symbol) != symbol.symbol:
        await write.find(CatExchange, symbol.cat_ex_id)
        await require_own_tables(write.connection, symbol.cat_ex_id, checked["symbol"], symbol_id)
    _invalidate_cache(write, symbol)
    _invalidate_cache(write, await write.update(Symbol, symbol, checked))
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


async def require_own_tables(
    connection: AsyncConnection, cat_ex_id: int, symbol: str, symbol_id: int | None = None
) -> None:
    """Require that no other symbol of the exchange has the candle tables of this one.

    Raises:
        Conflict: another one has them.
    """
    others = select(Symbol.symbol).where(Symbol.cat_ex_id == cat_ex_id, Symbol.symbol_id.is_distinct_from(symbol_id))
    for (other,) in await connection.execute(others):
        if other != symbol and shared_stem(other) == shared_stem(symbol):
            raise Conflict(
                f"The symbol {shortened(other)} of this exchange has the same candle tables as {shortened(symbol)}: the"
                " two differ only in letter case, '/', ':', '-' and '_'."
            )


def _invalidate_cache(write: UnitOfWork, symbol: Row[Any]) -> None:
    write.stale |= {
        keys.cached_symbol(symbol.symbol, symbol.cat_ex_id),
        keys.cached_symbol_by_id(symbol.symbol_id),
        keys.cached_symbols_of_exchange(symbol.cat_ex_id),
    }
