"""Performance and risk: two views of the same figures. Formulas and conventions stand with the service."""

from __future__ import annotations

import strawberry

from fullon_graphql.schema.ledger import IN, UNPRICED
from fullon_graphql.services.analytics.ledger import TradeKind
from fullon_graphql.services.analytics.performance import FEWEST_DAYS


@strawberry.type(
    description="How well closing trades did. Days are UTC days from the first to the last closing trade; one without"
    " any has the result 0."
)
class PerformanceMetrics:
    kind: TradeKind = strawberry.field(description="Live trades, or simulated ones.")
    currency: str = strawberry.field(description=IN)
    unpriced: list[str] = strawberry.field(description=UNPRICED)
    closed_trades: int = strawberry.field(description="How many trades closed a position or a part of one.")
    days: int = strawberry.field(description="From the first to the last closing trade.")
    net_profit: float | None = strawberry.field(description="All results together.")
    win_rate: float | None = strawberry.field(
        description="Closing trades that won, as a part of all closing trades, from 0 to 1; null where none has closed."
    )
    profit_factor: float | None = strawberry.field(
        description="What was won / what was lost: above 1 where more was won; null where nothing was lost."
    )
    expectancy: float | None = strawberry.field(description="What one closing trade brought on average.")
    sharpe_ratio: float | None = strawberry.field(
        description="Mean of the daily results / their sample standard deviation, times the root of 365 (risk-free"
        " rate 0, constant capital). Null with fewer than two days, or where all days are alike."
    )
    average_day: float | None = strawberry.field(description="Mean of the daily results.")
    best_day: float | None = strawberry.field(description="The highest daily result.")
    worst_day: float | None = strawberry.field(description="The lowest daily result.")


@strawberry.type(description="What was at risk. Days are as for performance.")
class RiskMetrics:
    kind: TradeKind = strawberry.field(description="Live trades, or simulated ones.")
    currency: str = strawberry.field(description=IN)
    unpriced: list[str] = strawberry.field(description=UNPRICED)
    capital: float | None = strawberry.field(description="The capital that was given, for the fractions.")
    closed_trades: int = strawberry.field(description="How many trades closed a position or a part of one.")
    days: int = strawberry.field(description="From the first to the last closing trade.")
    value_at_risk: float | None = strawberry.field(
        description="Daily value at risk at 95 % by historical simulation: minus the 5 % quantile of the daily"
        " results, linearly interpolated. On 19 of 20 days no more than this was lost; below zero where even then"
        f" something was won. Null with fewer than {FEWEST_DAYS} days."
    )
    value_at_risk_fraction: float | None = strawberry.field(
        description="The same as a fraction of `capital`; null where none is given."
    )
    max_drawdown: float | None = strawberry.field(
        description="The deepest fall of all results so far below their highest sum before, as a positive number; null"
        " where none has closed."
    )
    max_drawdown_fraction: float | None = strawberry.field(
        description="The deepest fall as a fraction of what there was at the highest point, `capital` included; null"
        " where no capital is given."
    )
    recovery_factor: float | None = strawberry.field(
        description="Net profit / maximum drawdown; null where there was no drawdown."
    )
    risk_score: float | None = strawberry.field(
        description="From 0 (nothing was ever lost) to 100 (nothing is left of what was won): `100 * D / (D + max(0,"
        " N))`, with maximum drawdown D and net profit N; null where both are 0."
    )
