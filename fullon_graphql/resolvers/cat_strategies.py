"""Queries about strategy templates."""

from __future__ import annotations

from typing import Annotated

import strawberry

from fullon_graphql.context import Info
from fullon_graphql.engine.connections import Connection
from fullon_graphql.engine.roots import by_key, one_row, root_connection
from fullon_graphql.schema.cat_strategies import CatStrategy


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
