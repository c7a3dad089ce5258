"""Balances and positions of exchange accounts: the current state, then each change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import strawberry

from fullon_graphql.cache import accounts as cache
from fullon_graphql.context import Context
from fullon_graphql.engine.fields.root import one_row
from fullon_graphql.schema.balances import Balance
from fullon_graphql.schema.exchanges import Exchange
from fullon_graphql.schema.positions import Position
from fullon_graphql.services.live import HeldPosition
from fullon_graphql.streaming.sources import MaxRate, frame_interval, streamed
from fullon_graphql.streaming.watches import WatchedSource

ExId = Annotated[int, strawberry.argument(description="Key of the exchange account. NOT_FOUND if it is not yours.")]


def _balances(
    context: Context, ex_id: ExId, max_rate: MaxRate = None
) -> WatchedSource[int, list[cache.Balance], list[Balance]]:
    async def authorize() -> Callable[[list[cache.Balance]], list[Balance]]:
        await one_row(context, Exchange, ex_id)
        return lambda balances: list(map(Balance.from_record, balances))

    return WatchedSource(context.worker.watches.balances, ex_id, authorize, frame_interval(max_rate))


def _positions(
    context: Context, ex_id: ExId, max_rate: MaxRate = None
) -> WatchedSource[int, list[cache.Position], list[Position]]:
    async def authorize() -> Callable[[list[cache.Position]], list[Position]]:
        account = await one_row(context, Exchange, ex_id)
        return lambda positions: [
            Position.from_record(HeldPosition(position, account.exchange_name)) for position in positions
        ]

    return WatchedSource(context.worker.watches.positions, ex_id, authorize, frame_interval(max_rate))


@strawberry.type
class AccountSubscriptions:
    balances: list[Balance] = streamed(
        "All balances of an account of yours (administrators: any account): the current ones first, then all of them"
        " whenever one changes.",
        _balances,
    )
    positions: list[Position] = streamed(
        "All positions of an account of yours (administrators: any account): the current ones first, then all of them"
        " whenever one changes. `marketPrice` and `unrealizedPnl` are as of the event.",
        _positions,
    )
