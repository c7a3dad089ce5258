"""The symbols the daemons work on, per exchange."""

from __future__ import annotations

from collections import defaultdict

from sqlalchemy import select

from fullon_graphql.database import Database
from fullon_graphql.models import CatExchange, Symbol


async def symbols_by_exchange(database: Database, *, with_candles: bool = False) -> dict[str, list[str]]:
    """All symbols by the name of their exchange, both sorted; `with_candles` leaves out those with tickers only."""
    statement = (
        select(CatExchange.name.label("exchange"), Symbol.symbol)
        .join(CatExchange, CatExchange.cat_ex_id == Symbol.cat_ex_id)
        .order_by(CatExchange.name, Symbol.symbol)
    )
    if with_candles:
        statement = statement.where(Symbol.only_ticker.is_(False))
    symbols: dict[str, list[str]] = defaultdict(list)
    for row in await database.rows(statement):
        symbols[row.exchange].append(row.symbol)
    return dict(symbols)


async def history_days(database: Database, days: int | None) -> dict[tuple[str, str], int]:
    """Days of history to collect, by exchange and symbol: `days`, or what the catalogue says."""
    rows = await database.rows(
        select(CatExchange.name.label("exchange"), Symbol.symbol, Symbol.backtest).join(
            CatExchange, CatExchange.cat_ex_id == Symbol.cat_ex_id
        )
    )
    return {(row.exchange, row.symbol): max(row.backtest, 0) if days is None else days for row in rows}
