"""Statistics of trades. The formulas are documented in the service."""

from __future__ import annotations

from typing import Annotated, Any

import strawberry

from fullon_graphql.engine.model.batches import Batch
from fullon_graphql.schema.ledger import IN, LEFT_OUT, UNPRICED, Currency, Days, From, To
from fullon_graphql.schema.support.records import FromRecord
from fullon_graphql.schema.support.scalars import DateTime
from fullon_graphql.services.analytics import trade_statistics
from fullon_graphql.services.analytics.ledger import Period, TradeKind

KindOrDefault = Annotated[
    TradeKind | None,
    strawberry.argument(
        description="Kind of trades; by default simulated trades for a bot in dry run and live trades otherwise."
    ),
]


@strawberry.type(
    description="Statistics of trades. Without trades, sums are 0, and ratios, averages and extremes are null."
)
class TradeStatistics(FromRecord):
    kind: TradeKind = strawberry.field(description="Kind of trades: live or simulated.")
    currency: str = strawberry.field(description=IN)
    unpriced: list[str] = strawberry.field(description=UNPRICED)
    left_out: int = strawberry.field(description=LEFT_OUT)
    total_trades: int = strawberry.field(description="Number of trades.")
    closed_trades: int = strawberry.field(
        description="Number of trades that closed a position or a part of one; only these have a result."
    )
    winning_trades: int = strawberry.field(description="Number of closing trades with a profit.")
    losing_trades: int = strawberry.field(description="Number of closing trades with a loss.")
    buys: int = strawberry.field(description="Number of buy trades.")
    sells: int = strawberry.field(description="Number of sell trades.")
    active_pairs: int = strawberry.field(description="Number of different instruments.")
    total_volume: float | None = strawberry.field(description="Sum of volume times price over all trades.")
    total_fees: float | None = strawberry.field(description="Sum of all fees.")
    gross_profit: float | None = strawberry.field(description="Sum of all profits.")
    gross_loss: float | None = strawberry.field(description="Sum of all losses, as a positive number.")
    net_profit: float | None = strawberry.field(description="Sum of all results.")
    win_rate: float | None = strawberry.field(
        description="`winningTrades / closedTrades`, from 0 to 1; null without closing trades."
    )
    profit_factor: float | None = strawberry.field(description="`grossProfit / grossLoss`; null without losses.")
    expectancy: float | None = strawberry.field(
        description="`netProfit / closedTrades`, the mean result of a closing trade."
    )
    average_win: float | None = strawberry.field(description="Mean of the profits.")
    average_loss: float | None = strawberry.field(description="Mean of the losses, as a positive number.")
    best_trade: float | None = strawberry.field(description="The highest result.")
    worst_trade: float | None = strawberry.field(description="The lowest result.")
    average_roi_pct: float | None = strawberry.field(
        description="Unweighted mean of `roiPct` over closing trades, in percent."
    )
    first_trade_at: DateTime | None = strawberry.field(description="Time of the oldest trade.")
    last_trade_at: DateTime | None = strawberry.field(description="Time of the newest trade.")


@strawberry.type(description="Statistics of one instrument, over all exchange accounts.")
class SymbolStatistics(FromRecord):
    symbol: str = strawberry.field(description="Instrument in the exchange's spelling.")
    statistics: TradeStatistics = strawberry.field(description="Statistics of its trades.")


@strawberry.type(description="Summary of trading.")
class TradingOverview(FromRecord):
    kind: TradeKind = strawberry.field(description="Kind of trades: live or simulated.")
    currency: str = strawberry.field(description=IN)
    unpriced: list[str] = strawberry.field(description=UNPRICED)
    left_out: int = strawberry.field(description=LEFT_OUT)
    total_trades: int = strawberry.field(description="Number of trades.")
    total_volume: float | None = strawberry.field(description="Sum of volume times price over all trades.")
    total_fees: float | None = strawberry.field(description="Sum of all fees.")
    net_profit: float | None = strawberry.field(description="Sum of all results.")
    active_pairs: int = strawberry.field(description="Number of different instruments.")
    success_rate: float | None = strawberry.field(
        description="Fraction of closing trades with a profit, from 0 to 1; null without closing trades."
    )
    last_trade_at: DateTime | None = strawberry.field(description="Time of the newest trade.")


def _parse(
    kind: KindOrDefault = None, from_: From = None, to: To = None, days: Days = None, currency: Currency = "USD"
) -> dict[str, Any]:
    return {"kind": kind, "period": Period(from_, to, days), "currency": currency}


STATISTICS_OF_BOT = Batch(("bot_id", "dry_run"), trade_statistics.of_bots, _parse, build=TradeStatistics.from_record)
