"""Queries for rows by their global id, of any type."""

from __future__ import annotations

from typing import Annotated, cast

import strawberry

from fullon_graphql.auth.principal import reader
from fullon_graphql.context import Info
from fullon_graphql.engine.cost import SIZE, length_of
from fullon_graphql.engine.fields.root import NODES
from fullon_graphql.engine.lists.pages import MAX_PAGE_SIZE
from fullon_graphql.engine.model.global_ids import parse_global_id
from fullon_graphql.errors import BadUserInput
from fullon_graphql.schema.support.nodes import Node, find

Id = Annotated[strawberry.ID, strawberry.argument(name="id", description="The `id` of the row.")]
Ids = Annotated[
    list[strawberry.ID],
    strawberry.argument(description=f"The `id`s of the rows, of any types; {MAX_PAGE_SIZE} at most."),
]


@strawberry.type
class NodeQueries:
    @strawberry.field(
        description="The row with this id, of any type; null if there is none you may see.",
        metadata={NODES: lambda arguments: [parse_global_id(arguments["node_id"])]},
    )
    async def node(self, info: Info, node_id: Id) -> Node | None:
        reader(info.context.caller)
        return cast("Node | None", await find(info, parse_global_id(node_id)))

    @strawberry.field(
        description="The rows with these ids, in the same order; null for each row that does not exist or that you may"
        " not see.",
        metadata={
            NODES: lambda arguments: [parse_global_id(node_id) for node_id in arguments["ids"]],
            SIZE: length_of("ids"),
        },
    )
    async def nodes(self, info: Info, ids: Ids) -> list[Node | None]:
        reader(info.context.caller)
        if len(ids) > MAX_PAGE_SIZE:
            raise BadUserInput(f"`ids` has {len(ids)} entries; it takes at most {MAX_PAGE_SIZE}.", field="ids")
        # graphql-core awaits these together, so that each can fail alone and all share loaders.
        return cast("list[Node | None]", [find(info, parse_global_id(node_id)) for node_id in ids])
