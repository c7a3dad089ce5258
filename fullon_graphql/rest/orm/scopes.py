"""Query parameters of every route with statistics: which trades or orders count."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query

from fullon_graphql.rest.parameters import Key, Name, Time
from fullon_graphql.services.analytics.ledger import MAX_DAYS, Period, Scope, TradeKind


async def _scope(
    kind: Annotated[TradeKind, Query(description="Live or simulated trades.")] = TradeKind.LIVE,
    start_date: Annotated[Time | None, Query(description="Only trades at or after this time.")] = None,
    end_date: Annotated[Time | None, Query(description="Only trades before this time.")] = None,
    days: Annotated[
        int | None, Query(ge=1, le=MAX_DAYS, description="Only the last so many days; instead of `start_date`.")
    ] = None,
    bot_id: Annotated[Key | None, Query(description="Only trades of this bot.")] = None,
    ex_id: Annotated[Key | None, Query(description="Only trades on this account.")] = None,
    symbol: Annotated[Name | None, Query(description="Only trades of this instrument.")] = None,
    user_id: Annotated[Key | None, Query(description="Only trades of this user; for administrators.")] = None,
) -> Scope:
    bots = None if bot_id is None else (bot_id,)
    return Scope(kind, Period(start_date, end_date, days), user_id, ex_id, symbol, bots)


ScopeDep = Annotated[Scope, Depends(_scope)]
CurrencyParam = Annotated[
    str,
    Query(
        min_length=1,
        max_length=20,
        pattern=r"^[^\x00]+$",
        description="Currency of amounts; other currencies are converted at current prices.",
        examples=["USD"],
    ),
]
