"""Results over time, as columns. The formulas are documented in the services."""

from __future__ import annotations

from typing import Annotated, Final

import strawberry

from fullon_graphql.engine.cost import list_size
from fullon_graphql.schema.ledger import IN, LEFT_OUT, UNPRICED
from fullon_graphql.schema.support.enums import described
from fullon_graphql.schema.support.records import FromRecord
from fullon_graphql.schema.support.scalars import DateTime
from fullon_graphql.services.analytics.ledger import TradeKind
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
    "What results are grouped by.",
    {
        ResultGrouping.BOT: "The bot: of a live trade, the bot of the order with its `exOrderId` on the same account.",
        ResultGrouping.SYMBOL: "The instrument.",
        ResultGrouping.SIDE: "The side of the trade. The result of a position is on the side that closed it.",
        ResultGrouping.REASON: "The recorded reason: of a live trade, that of its order.",
        ResultGrouping.STRATEGY: "The template of the bot's strategy, as the bot has it now. Trades of a bot with"
        " strategies of different templates have no group.",
    },
)

Period = Annotated[ResultPeriod, strawberry.argument(description="Length of the periods.")]
GroupBy = Annotated[
    ResultGrouping | None,
    strawberry.argument(description="What to group by; without it there is one group, with the key null."),
]
AsOf = Annotated[
    DateTime | None,
    strawberry.argument(
        description="Answer as of this time: only trades before it, and only prices of bars that had ended by then."
        " `days` count back from it. Later corrections and deletions of trades are not undone, since the records do not"
        " have the earlier state, and other currencies are converted at current prices."
    ),
]

GROUPS: Final = list_size(20)
"""An assumption: bots or instruments of one user."""


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
