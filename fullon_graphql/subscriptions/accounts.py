"""What accounts on exchanges hold: now, and whenever it changes."""

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
from fullon_graphql.streaming.pace import MaxRate, pause_of
from fullon_graphql.streaming.sources import streamed
from fullon_graphql.streaming.states import States

ExId = Annotated[int, strawberry.argument(description="Key of the exchange account; NOT_FOUND where it is not yours.")]


def _balances(
    context: Context, ex_id: ExId, max_rate: MaxRate = None
) -> States[int, list[cache.Balance], list[Balance]]:
    async def allowed() -> Callable[[list[cache.Balance]], list[Balance]]:
        await one_row(context, Exchange, ex_id)
        return lambda held: list(map(Balance.from_record, held))

    return States(context.worker.watches.balances, ex_id, allowed, pause_of(max_rate))


def _positions(
    context: Context, ex_id: ExId, max_rate: MaxRate = None
) -> States[int, list[cache.Position], list[Position]]:
    async def allowed() -> Callable[[list[cache.Position]], list[Position]]:
        account = await one_row(context, Exchange, ex_id)
        return lambda taken: [Position.from_record(HeldPosition(position, account.exchange_name)) for position in taken]

    return States(context.worker.watches.positions, ex_id, allowed, pause_of(max_rate))


@strawberry.type
class AccountSubscriptions:
    balances: list[Balance] = streamed(
        "All balances of an account of yours (administrators: of any) at once, then all of them whenever one changes.",
        _balances,
    )
    positions: list[Position] = streamed(
        "All positions of an account of yours (administrators: of any) at once, then all of them whenever one changes."
        " `marketPrice` and `unrealizedPnl` are those of that moment.",
        _positions,
    )
