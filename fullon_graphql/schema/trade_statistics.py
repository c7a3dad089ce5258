"""Statistics of trades. Formulas and conventions stand with the service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import strawberry

from fullon_graphql.context import Context
from fullon_graphql.engine.model.batches import Batch
from fullon_graphql.schema.ledger import IN, UNPRICED, Currency, Days, From, To
from fullon_graphql.schema.support.scalars import DateTime
from fullon_graphql.services.analytics import prices, trade_statistics
from fullon_graphql.services.analytics.ledger import Period, Scope, TradeKind


@strawberry.type(
    description="What trades amounted to. Sums of nothing are 0; ratios, averages and extremes of nothing are null."
)
class TradeStatistics:
    kind: TradeKind = strawberry.field(description="Live trades, or simulated ones.")
    currency: str = strawberry.field(description=IN)
    unpriced: list[str] = strawberry.field(description=UNPRICED)
    total_trades: int = strawberry.field(description="How many trades there were.")
    closed_trades: int = strawberry.field(
        description="How many of them closed a position or a part of one, and so have a result."
    )
    winning_trades: int = strawberry.field(description="How many results were above zero.")
    losing_trades: int = strawberry.field(description="How many results were below zero.")
    buys: int = strawberry.field(description="How many trades bought.")
    sells: int = strawberry.field(description="How many trades sold.")
    active_pairs: int = strawberry.field(description="How many different instruments were traded.")
    total_volume: float | None = strawberry.field(description="What all trades cost together (volume times price).")
    total_fees: float | None = strawberry.field(description="Fees of all trades together.")
    gross_profit: float | None = strawberry.field(description="All results above zero together.")
    gross_loss: float | None = strawberry.field(description="All results below zero together, as a positive number.")
    net_profit: float | None = strawberry.field(description="All results together.")
    win_rate: float | None = strawberry.field(
        description="`winningTrades / closedTrades`, from 0 to 1; null where none has closed."
    )
    profit_factor: float | None = strawberry.field(
        description="`grossProfit / grossLoss`: above 1 where more was won than lost; null where nothing was lost."
    )
    expectancy: float | None = strawberry.field(
        description="`netProfit / closedTrades`: what one closing trade brought on average."
    )
    average_win: float | None = strawberry.field(description="Mean of the results above zero.")
    average_loss: float | None = strawberry.field(description="Mean of the results below zero, as a positive number.")
    best_trade: float | None = strawberry.field(description="The highest result.")
    worst_trade: float | None = strawberry.field(description="The lowest result.")
    average_roi_pct: float | None = strawberry.field(
        description="Mean of `roiPct` over closing trades, in per cent, each counting alike."
    )
    first_trade_at: DateTime | None = strawberry.field(description="When the oldest of the trades was made.")
    last_trade_at: DateTime | None = strawberry.field(description="When the newest of the trades was made.")


@strawberry.type(description="The statistics of one instrument, over all accounts in question.")
class SymbolStatistics:
    symbol: str = strawberry.field(description="Instrument in the exchange's spelling.")
    statistics: TradeStatistics = strawberry.field(description="What its trades amounted to.")


@strawberry.type(description="Trading at a glance.")
class TradingOverview:
    kind: TradeKind = strawberry.field(description="Live trades, or simulated ones.")
    currency: str = strawberry.field(description=IN)
    unpriced: list[str] = strawberry.field(description=UNPRICED)
    total_trades: int = strawberry.field(description="How many trades there were.")
    total_volume: float | None = strawberry.field(description="What all trades cost together (volume times price).")
    total_fees: float | None = strawberry.field(description="Fees of all trades together.")
    net_profit: float | None = strawberry.field(description="Results of all closing trades together.")
    active_pairs: int = strawberry.field(description="How many different instruments were traded.")
    success_rate: float | None = strawberry.field(
        description="Closing trades that won, as a part of all closing trades, from 0 to 1; null where none has closed."
    )
    last_trade_at: DateTime | None = strawberry.field(description="When the newest of the trades was made.")


async def _of_bots(
    context: Context, asked: Sequence[tuple[int, bool]], kind: TradeKind | None, period: Period, currency: str
) -> list[Any]:
    """One statement for each kind of trades that is asked for, and one for the prices."""
    database = context.database
    rates = (await prices.read(database, context.worker.redis, context.caller)).rates(currency)
    kinds = {key: kind or (TradeKind.DRY if key[1] else TradeKind.LIVE) for key in asked}
    found = {}
    for each in dict.fromkeys(kinds.values()):
        scope = Scope(each, period, bot_ids=[bot_id for (bot_id, _), its in kinds.items() if its is each])
        found[each] = await trade_statistics.by_bot(database, context.caller, scope, rates)
    return [found[its][bot_id] for (bot_id, _), its in kinds.items()]


def _read(
    kind: TradeKind | None = None, from_: From = None, to: To = None, days: Days = None, currency: Currency = "USD"
) -> dict[str, Any]:
    return {"kind": kind, "period": Period(from_, to, days), "currency": currency}


STATISTICS_OF_BOT = Batch(("bot_id", "dry_run"), _of_bots, _read)
"""The statistics of a bot's trades: simulated ones for a bot in dry run, unless a kind is asked for."""
