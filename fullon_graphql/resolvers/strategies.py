"""Queries about strategies at work in bots."""

from __future__ import annotations

from typing import Annotated

import strawberry

from fullon_graphql.context import Info
from fullon_graphql.engine.connections import Connection
from fullon_graphql.engine.roots import by_key, one_row, root_connection
from fullon_graphql.schema.strategies import Strategy


@strawberry.type
class StrategyQueries:
    strategies: Connection[Strategy] = root_connection(
        "The strategies you may see, by key: those of your own bots, or all as administrator.", Strategy
    )

    @strawberry.field(
        description="The strategy with this key; NOT_FOUND where there is none you may see.", metadata=by_key(Strategy)
    )
    async def strategy(
        self, info: Info, str_id: Annotated[int, strawberry.argument(description="Key of the strategy.")]
    ) -> Strategy | None:
        return await one_row(info.context, Strategy, str_id)
