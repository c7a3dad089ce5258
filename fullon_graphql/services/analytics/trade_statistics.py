"""Statistics of trades: over all of them, per symbol, per bot."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from redis.asyncio import Redis
from sqlalchemy import ColumnElement, Row, Select, Subquery, func, select

from fullon_graphql.auth.principal import Caller
from fullon_graphql.database import Database
from fullon_graphql.services.analytics import prices
from fullon_graphql.services.analytics.ledger import (
    Period,
    Scope,
    TradeKind,
    converted,
    divided,
    in_currency,
    ledger_entries,
    only_priced,
    unpriced,
)
from fullon_graphql.services.analytics.prices import Rates
from fullon_graphql.services.sources import Sources


@dataclass(frozen=True, slots=True)
class TradeStatistics:
    """Statistics of trades. Money is in `currency`.

    Without trades sums are 0, ratios, averages and extremes None. All money is None if trades are in a currency
    without a price; `unpriced` has those currencies. The profit of a closing trade is its `roi`, so it is after fees
    if the platform has subtracted them. `left_out` counts the stored figures that are not finite and in no sum.

    - `win_rate`: closing trades with roi > 0 / closing trades. Trades with roi 0 are neither won nor lost.
    - `profit_factor`: gross profit / gross loss (Schwager's term, common name); None without a loss.
    - `expectancy`: net profit / closing trades (Tharp), the average result of a closing trade.
    """

    kind: TradeKind
    currency: str
    unpriced: Sequence[str] = ()
    left_out: int = 0
    total_trades: int = 0
    closed_trades: int = 0
    winning_trades: int = 0
    losing_trades: int = 0
    buys: int = 0
    sells: int = 0
    active_pairs: int = 0
    total_volume: float | None = 0.0
    total_fees: float | None = 0.0
    gross_profit: float | None = 0.0
    gross_loss: float | None = 0.0
    net_profit: float | None = 0.0
    win_rate: float | None = None
    profit_factor: float | None = None
    expectancy: float | None = None
    average_win: float | None = None
    average_loss: float | None = None
    best_trade: float | None = None
    worst_trade: float | None = None
    average_roi_pct: float | None = None
    first_trade_at: datetime | None = None
    last_trade_at: datetime | None = None

    @property
    def success_rate(self) -> float | None:
        """The win rate, by its name in the platform's overview."""
        return self.win_rate


@dataclass(frozen=True, slots=True)
class SymbolStatistics:
    """The statistics of one symbol, over all accounts of the scope."""

    symbol: str
    statistics: TradeStatistics


async def overall(database: Database, redis: Redis, caller: Caller, scope: Scope, currency: str) -> TradeStatistics:
    """The statistics of all trades of `scope` that `caller` may see: two statements and one round trip.

    Raises:
        Unauthenticated: the caller is not signed in.
        BadUserInput: the scope is invalid.
    """
    entries = ledger_entries(caller, scope)
    rates = await (await prices.read(database, redis, caller)).rates_of_accounts(currency)
    [row] = await database.rows(_statement(entries, rates))
    return _statistics(scope, rates, row)


async def by_symbol(
    database: Database, redis: Redis, caller: Caller, scope: Scope, currency: str
) -> list[SymbolStatistics]:
    """The statistics per traded symbol, by name. Costs and raises as `overall` does."""
    entries = ledger_entries(caller, scope)
    rates = await (await prices.read(database, redis, caller)).rates_of_accounts(currency)
    rows = await database.rows(_statement(entries, rates, entries.c.symbol).order_by(entries.c.symbol))
    return [SymbolStatistics(row.by, _statistics(scope, rates, row)) for row in rows]


async def by_bot(database: Database, caller: Caller, scope: Scope, rates: Rates) -> Mapping[int, TradeStatistics]:
    """The statistics per bot of the scope, also for bots without trades, in one statement. Raises as `overall` does."""
    entries = ledger_entries(caller, scope)
    rows = await database.rows(_statement(entries, rates, entries.c.bot_id))
    empty = TradeStatistics(scope.kind, rates.currency)
    return defaultdict(lambda: empty, {row.by: _statistics(scope, rates, row) for row in rows})


async def of_bots(
    sources: Sources, keys: Sequence[tuple[int, bool]], kind: TradeKind | None, period: Period, currency: str
) -> list[TradeStatistics]:
    """The statistics of each bot (key, dry run): of simulated trades for one in dry run, unless a kind is given.

    One statement for each kind of trades, and one for the prices.
    """
    rates = await (await prices.read(sources.database, sources.redis, sources.caller)).rates_of_accounts(currency)
    kinds = {key: kind or (TradeKind.DRY if key[1] else TradeKind.LIVE) for key in keys}
    found = {}
    for each in dict.fromkeys(kinds.values()):
        scope = Scope(each, period, bot_ids=[bot_id for (bot_id, _), its in kinds.items() if its is each])
        found[each] = await by_bot(sources.database, sources.caller, scope, rates)
    return [found[its][bot_id] for (bot_id, _), its in kinds.items()]


def _statement(entries: Subquery, rates: Rates, *by: ColumnElement[Any]) -> Select[Any]:
    """One row of figures, or one for each value of the column `by`."""
    joined, rate = in_currency(entries, rates)
    roi, profit = entries.c.roi, converted(entries.c.roi, rate)
    without_price = unpriced(entries, rate)
    closed, won, lost = func.count(roi), roi > 0, roi < 0
    gross_profit = func.coalesce(func.sum(profit).filter(won), 0.0)
    gross_loss = func.coalesce(-func.sum(profit).filter(lost), 0.0)
    net_profit = func.coalesce(func.sum(profit), 0.0)
    money = {
        "total_volume": func.coalesce(func.sum(converted(entries.c.cost, rate)), 0.0),
        "total_fees": func.coalesce(func.sum(converted(entries.c.fee, rate)), 0.0),
        "gross_profit": gross_profit,
        "gross_loss": gross_loss,
        "net_profit": net_profit,
        "profit_factor": divided(gross_profit, gross_loss),
        "expectancy": func.avg(profit),
        "average_win": func.avg(profit).filter(won),
        "average_loss": -func.avg(profit).filter(lost),
        "best_trade": func.max(profit),
        "worst_trade": func.min(profit),
    }
    return (
        select(
            *(column.label("by") for column in by),
            without_price.label("unpriced"),
            func.coalesce(func.sum(entries.c.left_out), 0).label("left_out"),
            func.count().label("total_trades"),
            closed.label("closed_trades"),
            func.count().filter(won).label("winning_trades"),
            func.count().filter(lost).label("losing_trades"),
            func.count().filter(entries.c.side == "buy").label("buys"),
            func.count().filter(entries.c.side == "sell").label("sells"),
            func.count(entries.c.symbol.distinct()).label("active_pairs"),
            divided(func.count().filter(won), closed).label("win_rate"),
            func.avg(entries.c.roi_pct).label("average_roi_pct"),
            func.min(entries.c.time).label("first_trade_at"),
            func.max(entries.c.time).label("last_trade_at"),
            *(only_priced(figure, without_price).label(name) for name, figure in money.items()),
        )
        .select_from(joined)
        .group_by(*by)
    )


def _statistics(scope: Scope, rates: Rates, row: Row[Any]) -> TradeStatistics:
    figures = {name: value for name, value in row._mapping.items() if name != "by"}
    return TradeStatistics(scope.kind, rates.currency, **figures | {"unpriced": row.unpriced or ()})
