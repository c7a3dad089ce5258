"""Which trades or orders a figure is about: what every route with figures takes."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query

from fullon_graphql.rest.parameters import Key, Name, Time
from fullon_graphql.services.analytics.ledger import MOST_DAYS, Period, Scope, TradeKind


def _scope(
    kind: Annotated[TradeKind, Query(description="Live trades, or simulated ones.")] = TradeKind.LIVE,
    start_date: Annotated[Time | None, Query(description="Only what happened at or after this time.")] = None,
    end_date: Annotated[Time | None, Query(description="Only what happened before this time.")] = None,
    days: Annotated[
        int | None, Query(ge=1, le=MOST_DAYS, description="Only the last so many days, instead of `start_date`.")
    ] = None,
    bot_id: Annotated[Key | None, Query(description="Only what this bot did.")] = None,
    ex_id: Annotated[Key | None, Query(description="Only on this account.")] = None,
    symbol: Annotated[Name | None, Query(description="Only this instrument.")] = None,
    user_id: Annotated[Key | None, Query(description="Only this person: for administrators.")] = None,
) -> Scope:
    bots = None if bot_id is None else (bot_id,)
    return Scope(kind, Period(start_date, end_date, days), user_id, ex_id, symbol, bots)


TheScope = Annotated[Scope, Depends(_scope)]
TheCurrency = Annotated[
    str,
    Query(
        min_length=1,
        max_length=20,
        pattern=r"^[^\x00]+$",
        description="What money is given in; other currencies are converted at the prices of now.",
        examples=["USD"],
    ),
]
