"""Queries and mutations about strategies of bots."""

from __future__ import annotations

from typing import Annotated

import strawberry

from fullon_graphql.engine.fields.connection import Connection
from fullon_graphql.engine.fields.mutations import change, given
from fullon_graphql.engine.fields.root import root_connection, root_row
from fullon_graphql.schema.strategies import CreateStrategyInput, Strategy, UpdateStrategyInput
from fullon_graphql.schema.support.arguments import WhichStrategy
from fullon_graphql.schema.support.inputs import ParamInput
from fullon_graphql.services import strategies
from fullon_graphql.services.writing.executor import UnitOfWork


@strawberry.type
class StrategyQueries:
    strategies: Connection[Strategy] = root_connection(
        "The strategies you may see, by key: those of your own bots, or all for administrators.", Strategy
    )

    strategy: Strategy | None = root_row("The strategy with this key; null if there is none you may see.", Strategy)


NewStrategy = Annotated[CreateStrategyInput, strawberry.argument(name="input", description="The strategy.")]
StrategyChanges = Annotated[
    UpdateStrategyInput, strawberry.argument(name="input", description="The strategy and its changes.")
]
Params = Annotated[
    list[ParamInput], strawberry.argument(description="The complete list; parameters that are not in it are deleted.")
]


@strawberry.type
class StrategyMutations:
    @change(
        Strategy,
        "Create a strategy of a bot from a template. Omitted settings and parameters are those of the template.",
    )
    async def create_strategy(self, write: UnitOfWork, strategy: NewStrategy) -> int:
        params = given(strategy).get("params") or []
        return await strategies.create(write, given(strategy, "params"), params)

    @change(Strategy, "Change the settings of a strategy.")
    async def update_strategy(self, write: UnitOfWork, strategy: StrategyChanges) -> int:
        return await strategies.change(write, strategy.str_id, given(strategy, "str_id"))

    @change(Strategy, "Replace all parameters of a strategy.")
    async def set_strategy_params(self, write: UnitOfWork, str_id: WhichStrategy, params: Params) -> int:
        return await strategies.set_params(write, str_id, [given(param) for param in params])

    @change(bool, "Delete a strategy with its parameters and feeds.")
    async def delete_strategy(self, write: UnitOfWork, str_id: WhichStrategy) -> bool:
        return await strategies.remove(write, str_id)
