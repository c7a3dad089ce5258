"""What fields over trades and orders are asked with: which book, whose, of which period, in which currency."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import strawberry

from fullon_graphql.context import Context, Info
from fullon_graphql.schema.support.enums import described
from fullon_graphql.schema.support.scalars import DateTime
from fullon_graphql.services.analytics.ledger import MOST_DAYS, Period, Scope, TradeKind

described(
    TradeKind,
    "Which trades.",
    {
        TradeKind.LIVE: "Those that were made on exchanges.",
        TradeKind.DRY: "Those that bots in dry run only simulated.",
    },
)

Kind = Annotated[TradeKind, strawberry.argument(description="Live trades, or simulated ones.")]
From = Annotated[
    DateTime | None, strawberry.argument(name="from", description="Only what happened at or after this time.")
]
To = Annotated[DateTime | None, strawberry.argument(description="Only what happened before this time.")]
Days = Annotated[
    int | None,
    strawberry.argument(description=f"Only the last so many days (1 to {MOST_DAYS}), instead of `from`."),
]
OfBot = Annotated[int | None, strawberry.argument(description="Only what this bot did.")]
OfAccount = Annotated[int | None, strawberry.argument(description="Only on this exchange account.")]
OfSymbol = Annotated[
    str | None, strawberry.argument(description="Only this instrument, in the exchange's spelling, e.g. `BTC/USD`.")
]
OfPerson = Annotated[
    int | None,
    strawberry.argument(
        description="Only what belongs to this person: for administrators, who otherwise get everybody's together."
    ),
]
Currency = Annotated[
    str,
    strawberry.argument(
        description="What money is given in, e.g. `USD`. Other currencies are converted at the prices of now."
    ),
]
Capital = Annotated[
    float | None,
    strawberry.argument(description="What there was before the first trade, in `currency`, for fractions of it."),
]

UNPRICED = "Currencies for which no live ticker gives a price: where there is one, money as a whole is null."
IN = "What money is given in."


def over_trades(description: str, answer: Callable[[Context, Scope, str], Awaitable[Any]]) -> Any:
    """A root field over the trades in a scope, with figures in a currency."""

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
    """One bot as a scope wants it."""
    return None if bot_id is None else (bot_id,)
