"""Results over time, as columns. The formulas are documented in the services."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import strawberry

from fullon_graphql.engine.cost import list_size
from fullon_graphql.ohlcv.timeframes import Timeframe
from fullon_graphql.schema.candles import VALUE
from fullon_graphql.schema.ledger import IN, LEFT_OUT, UNPRICED
from fullon_graphql.schema.support.enums import described
from fullon_graphql.schema.support.records import FromRecord
from fullon_graphql.schema.support.scalars import DateTime
from fullon_graphql.services.analytics.equity import MAX_POINTS
from fullon_graphql.services.analytics.ledger import MAX_DAYS, TradeKind
from fullon_graphql.services.analytics.results import ResultGrouping, ResultPeriod

described(
    ResultPeriod,
    "Length of the periods of results, in UTC.",
    {
        ResultPeriod.DAY: "Days from midnight to midnight.",
        ResultPeriod.WEEK: "Weeks from Monday, as candles have them.",
        ResultPeriod.MONTH: "Months from the first day.",
    },
)
described(
    ResultGrouping,
    "Property by which results are grouped.",
    {
        ResultGrouping.BOT: "The bot: of a live trade, the bot of the order with its `exOrderId` on the same account.",
        ResultGrouping.SYMBOL: "The instrument.",
        ResultGrouping.SIDE: "The side of the trade. The result of a position is on the side that closed it.",
        ResultGrouping.REASON: "The recorded reason: of a live trade, that of its order.",
        ResultGrouping.STRATEGY: "The template of the bot's strategy, as the bot has it now. Trades of a bot with"
        " strategies of different templates have no group.",
    },
)

Resolution = Annotated[Timeframe, strawberry.argument(description="Length of the bars.")]
Period = Annotated[ResultPeriod, strawberry.argument(description="Length of the periods.")]
GroupBy = Annotated[
    ResultGrouping | None,
    strawberry.argument(description="Property to group by; without it there is one group, with the key null."),
]
AsOf = Annotated[
    DateTime | None,
    strawberry.argument(
        description="Answer as of this time: only trades before it, and candles as `asOf` of `candles` returns them."
        " `days` count back from it. Later corrections and deletions of trades are not undone, since the records do not"
        " have the earlier state, and other currencies are converted at current prices."
    ),
]

GROUPS: Final = list_size(20)
"""An assumption: bots or instruments of one user."""
POINTS: Final = list_size(
    366,
    fields=[
        "time", "closedTrades", "realizedProfit", "unrealizedProfit", "equity", "fees", "drawdown",
        "drawdownFraction", "equityDrawdown", "benchmarkReturn", "benchmarkProfit",
    ],
)  # fmt: skip


def estimated_points(arguments: Mapping[str, Any]) -> int:
    """The number of points of a curve, if its range is given; otherwise an assumption, those of a year of days."""
    end = arguments.get("to") or arguments.get("as_of") or datetime.now(UTC)
    if arguments.get("days") is not None:
        length = timedelta(days=min(max(0, int(arguments["days"])), MAX_DAYS))
    elif arguments.get("from") is not None:
        length = end - arguments["from"]
    else:
        return 366
    width = Timeframe(arguments["resolution"]).width or timedelta(days=28)
    return min(max(0, math.ceil(length / width)), MAX_POINTS)


@strawberry.type(
    description="Results of one group of trades, column by column: arrays of equal length, in ascending order of time."
    " There is an entry for each period with a trade of the group."
)
class ResultGroup(FromRecord):
    key: str | None = strawberry.field(
        description="Key of the group: `botId`, symbol, `BUY` or `SELL`, reason, or `catStrId` of the template. Null"
        " for trades whose group is not recorded or ambiguous, and if results are not grouped."
    )
    name: str | None = strawberry.field(
        description="Name of the bot or of the template; null for other groups, and if it does not exist any more."
    )
    length: int = strawberry.field(description="Number of periods.")
    time: list[float] = strawberry.field(description="Starts of the periods, in Unix milliseconds.")
    total_trades: list[int] = strawberry.field(description="Numbers of trades.")
    closed_trades: list[int] = strawberry.field(
        description="Numbers of trades that closed a position or a part of one; only these have a result."
    )
    winning_trades: list[int] = strawberry.field(description="Numbers of closing trades with a profit.")
    net_profit: list[float | None] = strawberry.field(
        description="Sums of the results. Null throughout if a result has no price, see `unpriced`."
    )
    total_fees: list[float | None] = strawberry.field(
        description="Sums of the fees. Null throughout if a fee has no price. Results are after the fees that the"
        " platform has subtracted, so do not subtract these again."
    )


@strawberry.type(
    description="Results of trades by day, week or month. A trade counts in the period of its own time. Sums are exact:"
    " decimals are added, and rounded once."
)
class Results(FromRecord):
    kind: TradeKind = strawberry.field(description="Kind of trades: live or simulated.")
    currency: str = strawberry.field(description=IN)
    unpriced: list[str] = strawberry.field(description=UNPRICED)
    left_out: int = strawberry.field(description=LEFT_OUT)
    period: ResultPeriod = strawberry.field(description="Length of the periods.")
    groups: list[ResultGroup] = strawberry.field(
        description="The groups by key, the one without a key last. Without trades there is none.", directives=[GROUPS]
    )


def _column(description: str) -> Any:
    return strawberry.field(description=description, directives=[VALUE])


@strawberry.type(
    description="Results over time, column by column: arrays of equal length with a value for each bar of `resolution`,"
    " as of the end of the bar. The bars have no gaps, and are those of candles. Sums are exact: decimals are added,"
    " and rounded once."
)
class EquityCurve(FromRecord):
    kind: TradeKind = strawberry.field(description="Kind of trades: live or simulated.")
    currency: str = strawberry.field(description=IN)
    unpriced: list[str] = strawberry.field(description=UNPRICED)
    left_out: int = strawberry.field(description=LEFT_OUT)
    resolution: Timeframe = strawberry.field(description="Length of the bars.")
    capital: float | None = strawberry.field(description="The `capital` of the request.")
    length: int = strawberry.field(description="Number of bars.")
    time: list[float] = _column("Starts of the bars, in Unix milliseconds.")
    closed_trades: list[int] = _column("Numbers of trades since the start that closed a position or a part of one.")
    realized_profit: list[float | None] = _column(
        "Sum of the results since the start; null throughout if a result has no price. The last value is the"
        " `netProfit` of `performanceMetrics` over the same trades."
    )
    unrealized_profit: list[float | None] = _column(
        "Sum of `volume * (close - entry price)` over open positions, at the close of the bar. Null if an open position"
        " has no stored bar of that time, no price of its currency, or no known volume and entry price."
    )
    equity: list[float | None] = _column("`realizedProfit + unrealizedProfit`; null if one of them is.")
    fees: list[float | None] = _column(
        "Sum of the fees since the start; null throughout if a fee has no price. Results are after the fees that the"
        " platform has subtracted, so do not subtract these again."
    )
    drawdown: list[float | None] = _column(
        "Fall of `realizedProfit` below its highest value so far (at least 0), as a positive number."
    )
    drawdown_fraction: list[float | None] = _column(
        "`drawdown` as a fraction of `capital` plus that highest value; null without `capital`."
    )
    equity_drawdown: list[float | None] = _column(
        "Fall of `equity` below its highest known value so far (at least 0), as a positive number."
    )
    benchmark_return: list[float | None] = _column(
        "Return of holding the coin instead: close / open price of the first stored bar of the curve - 1. Null without"
        " a stored bar of that time, and if the trades are of several instruments."
    )
    benchmark_profit: list[float | None] = _column("`benchmarkReturn` times `capital`; null without `capital`.")
