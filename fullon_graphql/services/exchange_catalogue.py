"""Catalogue rows from what exchanges publish about their markets, for the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from redis.asyncio import Redis
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from fullon_graphql.cache import keys
from fullon_graphql.daemons.feeds.market_feed import Market
from fullon_graphql.database import Database
from fullon_graphql.errors import BadUserInput, NotFound, shortened
from fullon_graphql.models import CatExchange, Symbol, SymbolStep
from fullon_graphql.services.symbols import require_own_tables
from fullon_graphql.services.writing.checks import storable


@dataclass(frozen=True, slots=True)
class CataloguedSymbol:
    """A symbol of the catalogue, with the steps and minimums of its exchange; None if unknown."""

    exchange: str
    symbol: str
    decimals: int
    futures: bool
    only_ticker: bool
    price_step: float | None
    amount_step: float | None
    min_notional: float | None


def choose(exchange: str, markets: Sequence[Market], symbols: Sequence[str]) -> list[Market]:
    """The markets of `symbols`, in their order.

    Raises:
        NotFound: the exchange has no such symbol; the message has the most similar ones.
    """
    by_symbol = {market.symbol: market for market in markets}
    for symbol in symbols:
        if symbol not in by_symbol:
            similar = get_close_matches(symbol, by_symbol, 3) or sorted(by_symbol)[:3]
            raise NotFound(
                f"{exchange} has no symbol {shortened(symbol)}. Some that it has: {', '.join(similar) or 'none'}."
            )
    return [by_symbol[symbol] for symbol in symbols]


async def store_markets(
    database: Database, redis: Redis, exchange: str, markets: Sequence[Market], *, only_ticker: bool | None = None
) -> None:
    """Write an exchange and its symbols into the catalogue, all or none.

    Of a symbol that exists, `updateframe` and `backtest` are kept, and `only_ticker` unless it is given.

    Raises:
        BadUserInput: a name is too long for the catalogue.
        Conflict: a symbol would have the candle tables of another one.
    """
    async with database.transaction() as connection:
        await connection.execute(
            insert(CatExchange)
            .values(storable(CatExchange, {"name": exchange, "ohlcv_view": ""}))
            .on_conflict_do_nothing()
        )
        named = select(CatExchange.cat_ex_id).where(CatExchange.name == exchange).with_for_update()
        cat_ex_id = (await connection.execute(named)).scalar_one()
        stale = {keys.cached_symbols_of_exchange(cat_ex_id)}
        for market in markets:
            symbol_id = await _store(connection, cat_ex_id, market, only_ticker)
            stale |= {keys.cached_symbol(market.symbol, cat_ex_id), keys.cached_symbol_by_id(symbol_id)}
    stale |= {key async for key in redis.scan_iter(keys.CACHED_CAT_EXCHANGES)}
    await redis.delete(*stale)


async def _store(connection: AsyncConnection, cat_ex_id: int, market: Market, only_ticker: bool | None) -> int:
    facts = {"base": market.base, "quote": market.quote, "decimals": market.decimals, "futures": market.futures}
    if only_ticker is not None:
        facts["only_ticker"] = only_ticker
    try:
        row = storable(Symbol, {"symbol": market.symbol, "cat_ex_id": cat_ex_id} | facts)
    except BadUserInput as error:
        raise BadUserInput(f"{shortened(market.symbol)} does not fit into the catalogue: {error.message}") from error
    await require_own_tables(connection, cat_ex_id, market.symbol)
    symbol = insert(Symbol).values(row)
    symbol = symbol.on_conflict_do_update(index_elements=["symbol", "cat_ex_id"], set_=facts)
    symbol_id = int((await connection.execute(symbol.returning(Symbol.symbol_id))).scalar_one())
    steps = {
        "price_step": market.price_step, "amount_step": market.amount_step, "min_notional": market.min_notional,
    }  # fmt: skip
    step = insert(SymbolStep).values(symbol_id=symbol_id, **steps)
    await connection.execute(step.on_conflict_do_update(index_elements=["symbol_id"], set_=steps))
    return symbol_id


async def catalogued(database: Database, exchange: str | None = None) -> list[CataloguedSymbol]:
    """The symbols of one exchange or of all, by exchange and symbol."""
    query = (
        select(
            CatExchange.name.label("exchange"), Symbol.symbol, Symbol.decimals, Symbol.futures, Symbol.only_ticker,
            SymbolStep.price_step, SymbolStep.amount_step, SymbolStep.min_notional,
        )
        .join(CatExchange, CatExchange.cat_ex_id == Symbol.cat_ex_id)
        .outerjoin(SymbolStep, SymbolStep.symbol_id == Symbol.symbol_id)
        .order_by(CatExchange.name, Symbol.symbol)
    )  # fmt: skip
    if exchange is not None:
        query = query.where(CatExchange.name == exchange)
    return [CataloguedSymbol(**row._mapping) for row in await database.rows(query)]
