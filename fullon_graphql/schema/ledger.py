"""Arguments of statistics over trades and orders: kind, owner, period and currency."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import strawberry

from fullon_graphql.context import Context, Info
from fullon_graphql.schema.support.enums import described
from fullon_graphql.schema.support.scalars import DateTime
from fullon_graphql.services.analytics.ledger import MAX_DAYS, Period, Scope, TradeKind

described(
    TradeKind,
    "Kind of trades.",
    {
        TradeKind.LIVE: "Trades executed on exchanges.",
        TradeKind.DRY: "Trades simulated by bots in dry run.",
    },
)

Kind = Annotated[TradeKind, strawberry.argument(description="Kind of trades: live or simulated.")]
From = Annotated[DateTime | None, strawberry.argument(name="from", description="Restrict to this time or later.")]
To = Annotated[DateTime | None, strawberry.argument(description="Restrict to before this time.")]
Days = Annotated[
    int | None,
    strawberry.argument(description=f"Restrict to the last N days (1 to {MAX_DAYS}); use either `days` or `from`."),
]
OfBot = Annotated[int | None, strawberry.argument(description="Restrict to this bot.")]
OfAccount = Annotated[int | None, strawberry.argument(description="Restrict to this exchange account.")]
OfSymbol = Annotated[
    str | None,
    strawberry.argument(description="Restrict to this instrument, in the exchange's spelling, e.g. `BTC/USD`."),
]
OfPerson = Annotated[
    int | None,
    strawberry.argument(
        description="Restrict to this user. For administrators; without it they get the figures of all users together."
    ),
]
Currency = Annotated[
    str,
    strawberry.argument(
        description="Currency of the amounts, e.g. `USD`. Other currencies are converted at current prices."
    ),
]
Capital = Annotated[
    float | None,
    strawberry.argument(
        description="Capital before the first trade, in `currency`; needed for results that are fractions of it."
    ),
]

UNPRICED = "Currencies that have no price in the live tickers. If there are any, the affected amounts are null."
LEFT_OUT = (
    "Number of stored figures (cost, fee, `roi`, `roiPct`) of these trades that are NaN or infinite. No sum includes"
    " them."
)
IN = "Currency of the amounts."


def over_trades(description: str, answer: Callable[[Context, Scope, str], Awaitable[Any]]) -> Any:
    """A root field for statistics of the trades in a scope, with amounts in a currency."""

    async def resolve(
        root: Any,
        info: Info,
        kind: Kind = TradeKind.LIVE,
        from_: From = None,
        to: To = None,
        days: Days = None,
        bot_id: OfBot = None,
        ex_id: OfAccount = None,
        symbol: OfSymbol = None,
        uid: OfPerson = None,
        currency: Currency = "USD",
    ) -> Any:
        scope = Scope(kind, Period(from_, to, days), uid, ex_id, symbol, bots(bot_id))
        return await answer(info.context, scope, currency)

    return strawberry.field(resolver=resolve, description=description)


def bots(bot_id: int | None) -> tuple[int, ...] | None:
    """The argument `botId` as a scope takes it."""
    return None if bot_id is None else (bot_id,)
