"""Queries and mutations about strategies at work in bots."""

from __future__ import annotations

from typing import Annotated

import strawberry

from fullon_graphql.context import Info
from fullon_graphql.engine.fields.connection import Connection
from fullon_graphql.engine.fields.mutations import change, given
from fullon_graphql.engine.fields.root import by_key, one_row, root_connection
from fullon_graphql.schema.strategies import CreateStrategyInput, Strategy, UpdateStrategyInput
from fullon_graphql.schema.support.arguments import WhichStrategy
from fullon_graphql.schema.support.inputs import ParamInput
from fullon_graphql.services import strategies


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


NewStrategy = Annotated[CreateStrategyInput, strawberry.argument(name="input", description="The strategy.")]
StrategyChanges = Annotated[
    UpdateStrategyInput, strawberry.argument(name="input", description="The strategy, and what changes.")
]
Params = Annotated[
    list[ParamInput], strawberry.argument(description="All of them: those that are missing here are deleted.")
]


@strawberry.type
class StrategyMutations:
    @change(
        Strategy, "Put a template to work in a bot, with the template's settings and parameters but for those given."
    )
    async def create_strategy(self, info: Info, strategy: NewStrategy) -> int:
        params = given(strategy).get("params") or []
        return await strategies.create(info.context.write, given(strategy, "params"), params)

    @change(Strategy, "Change the settings of a strategy.")
    async def update_strategy(self, info: Info, strategy: StrategyChanges) -> int:
        return await strategies.change(info.context.write, strategy.str_id, given(strategy, "str_id"))

    @change(Strategy, "Replace all parameters of a strategy.")
    async def set_strategy_params(self, info: Info, str_id: WhichStrategy, params: Params) -> int:
        return await strategies.set_params(info.context.write, str_id, [given(param) for param in params])

    @change(bool, "Delete a strategy with its parameters and feeds.")
    async def delete_strategy(self, info: Info, str_id: WhichStrategy) -> bool:
        return await strategies.remove(info.context.write, str_id)
