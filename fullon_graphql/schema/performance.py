"""Performance and risk of closing trades. The formulas are documented in the service."""

from __future__ import annotations

import strawberry

from fullon_graphql.schema.ledger import IN, LEFT_OUT, UNPRICED
from fullon_graphql.schema.support.records import FromRecord
from fullon_graphql.services.analytics.ledger import TradeKind
from fullon_graphql.services.analytics.performance import MIN_DAYS


@strawberry.type(
    description="Performance of closing trades. Days are the UTC days from the first to the last closing trade; a day"
    " without closing trades has the result 0."
)
class PerformanceMetrics(FromRecord):
    kind: TradeKind = strawberry.field(description="Kind of trades: live or simulated.")
    currency: str = strawberry.field(description=IN)
    unpriced: list[str] = strawberry.field(description=UNPRICED)
    left_out: int = strawberry.field(description=LEFT_OUT)
    closed_trades: int = strawberry.field(description="Number of trades that closed a position or a part of one.")
    days: int = strawberry.field(description="Number of days from the first to the last closing trade.")
    net_profit: float | None = strawberry.field(description="Sum of all results.")
    win_rate: float | None = strawberry.field(
        description="Fraction of closing trades with a profit, from 0 to 1; null without closing trades."
    )
    profit_factor: float | None = strawberry.field(description="Gross profit / gross loss; null without losses.")
    expectancy: float | None = strawberry.field(description="Mean result of a closing trade.")
    sharpe_ratio: float | None = strawberry.field(
        description="Mean of the daily results / their sample standard deviation, times the square root of 365"
        " (risk-free rate 0, constant capital). Null for fewer than two days or if all days are equal."
    )
    average_day: float | None = strawberry.field(description="Mean of the daily results.")
    best_day: float | None = strawberry.field(description="The highest daily result.")
    worst_day: float | None = strawberry.field(description="The lowest daily result.")


@strawberry.type(description="Risk of closing trades. Days are defined as for `performanceMetrics`.")
class RiskMetrics(FromRecord):
    kind: TradeKind = strawberry.field(description="Kind of trades: live or simulated.")
    currency: str = strawberry.field(description=IN)
    unpriced: list[str] = strawberry.field(description=UNPRICED)
    left_out: int = strawberry.field(description=LEFT_OUT)
    capital: float | None = strawberry.field(description="The `capital` of the request.")
    closed_trades: int = strawberry.field(description="Number of trades that closed a position or a part of one.")
    days: int = strawberry.field(description="Number of days from the first to the last closing trade.")
    value_at_risk: float | None = strawberry.field(
        description="Daily value at risk at 95 % by historical simulation: the negated 5 % quantile of the daily"
        " results, linearly interpolated. On 19 of 20 days the loss was not larger than this; negative if even that"
        f" quantile is a profit. Null for fewer than {MIN_DAYS} days."
    )
    value_at_risk_fraction: float | None = strawberry.field(
        description="`valueAtRisk` as a fraction of `capital`; null without `capital`."
    )
    max_drawdown: float | None = strawberry.field(
        description="The largest fall of the cumulative result below its previous maximum, as a positive number; null"
        " without closing trades."
    )
    max_drawdown_fraction: float | None = strawberry.field(
        description="`maxDrawdown` as a fraction of the value at the maximum, `capital` included; null without"
        " `capital`."
    )
    recovery_factor: float | None = strawberry.field(
        description="Net profit / maximum drawdown; null without a drawdown."
    )
    risk_score: float | None = strawberry.field(
        description="From 0 (no drawdown) to 100 (no net profit): `100 * D / (D + max(0, N))` with maximum drawdown D"
        " and net profit N; null if both are 0."
    )
