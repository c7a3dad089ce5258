"""Queries and mutations about strategy templates."""

from __future__ import annotations

from typing import Annotated

import strawberry

from fullon_graphql.engine.fields.connection import Connection
from fullon_graphql.engine.fields.mutations import change, given
from fullon_graphql.engine.fields.root import root_connection, root_row
from fullon_graphql.schema.cat_strategies import CatStrategy, CreateCatStrategyInput, UpdateCatStrategyInput
from fullon_graphql.schema.support.arguments import WhichTemplate
from fullon_graphql.schema.support.inputs import ParamInput
from fullon_graphql.services import cat_strategies
from fullon_graphql.services.writing.executor import UnitOfWork


@strawberry.type
class CatStrategyQueries:
    cat_strategies: Connection[CatStrategy] = root_connection("All strategy templates, by key.", CatStrategy)

    cat_strategy: CatStrategy | None = root_row(
        "The template with this key; null if there is none you may see.", CatStrategy
    )


NewTemplate = Annotated[CreateCatStrategyInput, strawberry.argument(name="input", description="The template.")]
TemplateChanges = Annotated[
    UpdateCatStrategyInput, strawberry.argument(name="input", description="The template and its changes.")
]
Params = Annotated[
    list[ParamInput], strawberry.argument(description="The complete list; parameters that are not in it are deleted.")
]


@strawberry.type
class CatStrategyMutations:
    @change(CatStrategy, "Add a strategy template. Administrators only.")
    async def create_cat_strategy(self, write: UnitOfWork, template: NewTemplate) -> int:
        params = given(template).get("params") or []
        return await cat_strategies.create(write, given(template, "params"), params)

    @change(
        CatStrategy, "Change a strategy template. Strategies made from it keep their settings. Administrators only."
    )
    async def update_cat_strategy(self, write: UnitOfWork, template: TemplateChanges) -> int:
        values = given(template, "cat_str_id")
        return await cat_strategies.change(write, template.cat_str_id, values)

    @change(CatStrategy, "Replace all parameters of a strategy template. Administrators only.")
    async def set_cat_strategy_params(self, write: UnitOfWork, cat_str_id: WhichTemplate, params: Params) -> int:
        return await cat_strategies.set_params(write, cat_str_id, [given(param) for param in params])

    @change(bool, "Delete a strategy template. CONFLICT while strategies use it. Administrators only.")
    async def delete_cat_strategy(self, write: UnitOfWork, cat_str_id: WhichTemplate) -> bool:
        return await cat_strategies.remove(write, cat_str_id)
