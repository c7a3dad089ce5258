"""Queries and mutations about strategy templates."""

from __future__ import annotations

from typing import Annotated

import strawberry

from fullon_graphql.context import Info
from fullon_graphql.engine.fields.connection import Connection
from fullon_graphql.engine.fields.mutations import change, given
from fullon_graphql.engine.fields.root import by_key, one_row, root_connection
from fullon_graphql.schema.cat_strategies import CatStrategy, CreateCatStrategyInput, UpdateCatStrategyInput
from fullon_graphql.schema.support.arguments import WhichTemplate
from fullon_graphql.schema.support.inputs import ParamInput
from fullon_graphql.services import cat_strategies


@strawberry.type
class CatStrategyQueries:
    cat_strategies: Connection[CatStrategy] = root_connection("Every strategy template, by key.", CatStrategy)

    @strawberry.field(
        description="The template with this key; NOT_FOUND where there is none you may see.",
        metadata=by_key(CatStrategy),
    )
    async def cat_strategy(
        self, info: Info, cat_str_id: Annotated[int, strawberry.argument(description="Key of the template.")]
    ) -> CatStrategy | None:
        return await one_row(info.context, CatStrategy, cat_str_id)


NewTemplate = Annotated[CreateCatStrategyInput, strawberry.argument(name="input", description="The template.")]
TemplateChanges = Annotated[
    UpdateCatStrategyInput, strawberry.argument(name="input", description="The template, and what changes.")
]
Params = Annotated[
    list[ParamInput], strawberry.argument(description="All of them: those that are missing here are deleted.")
]


@strawberry.type
class CatStrategyMutations:
    @change(CatStrategy, "Add a strategy template. Administrators only.")
    async def create_cat_strategy(self, info: Info, template: NewTemplate) -> int:
        params = given(template).get("params") or []
        return await cat_strategies.create(info.context.write, given(template, "params"), params)

    @change(CatStrategy, "Change a template; strategies made from it keep what they have. Administrators only.")
    async def update_cat_strategy(self, info: Info, template: TemplateChanges) -> int:
        values = given(template, "cat_str_id")
        return await cat_strategies.change(info.context.write, template.cat_str_id, values)

    @change(CatStrategy, "Replace all parameters of a template. Administrators only.")
    async def set_cat_strategy_params(self, info: Info, cat_str_id: WhichTemplate, params: Params) -> int:
        return await cat_strategies.set_params(info.context.write, cat_str_id, [given(param) for param in params])

    @change(bool, "Delete a template; CONFLICT while strategies are made from it. Administrators only.")
    async def delete_cat_strategy(self, info: Info, cat_str_id: WhichTemplate) -> bool:
        return await cat_strategies.remove(info.context.write, cat_str_id)
