"""Rows by their global id, whatever their type."""

from __future__ import annotations

from typing import Annotated, cast

import strawberry

from fullon_graphql.auth.principal import signed_in
from fullon_graphql.context import Info
from fullon_graphql.engine.fields.root import NODES
from fullon_graphql.engine.lists.pages import MAX_PAGE_SIZE
from fullon_graphql.errors import BadUserInput
from fullon_graphql.schema.support.nodes import Node, find

Id = Annotated[strawberry.ID, strawberry.argument(name="id", description="The row's `id`.")]
Ids = Annotated[
    list[strawberry.ID], strawberry.argument(description=f"The rows' `id`s, of any types: {MAX_PAGE_SIZE} at most.")
]


@strawberry.type
class NodeQueries:
    @strawberry.field(
        description="The row with this id; NOT_FOUND where there is none you may see.",
        metadata={NODES: lambda arguments: [arguments["node_id"]]},
    )
    async def node(self, info: Info, node_id: Id) -> Node | None:
        signed_in(info.context.caller)
        found: Node = await find(info, node_id)
        return found

    @strawberry.field(
        description="The rows with these ids, in their order; null with a NOT_FOUND error for each you may not see.",
        metadata={NODES: lambda arguments: arguments["ids"]},
    )
    async def nodes(self, info: Info, ids: Ids) -> list[Node | None]:
        signed_in(info.context.caller)
        if len(ids) > MAX_PAGE_SIZE:
            raise BadUserInput(f"`ids` has {len(ids)} entries; it takes at most {MAX_PAGE_SIZE}.", field="ids")
        # Not awaited here: graphql-core completes them together, so that each may fail alone and all share loaders.
        return cast("list[Node | None]", [find(info, node_id) for node_id in ids])
