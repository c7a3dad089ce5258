"""Queries about exchange accounts."""

from __future__ import annotations

from typing import Annotated

import strawberry

from fullon_graphql.context import Info
from fullon_graphql.engine.connections import Connection
from fullon_graphql.engine.roots import by_key, one_row, root_connection
from fullon_graphql.schema.exchanges import Exchange


@strawberry.type
class ExchangeQueries:
    exchanges: Connection[Exchange] = root_connection(
        "The exchange accounts you may see, by key: your own, or all as administrator.", Exchange
    )

    @strawberry.field(
        description="The exchange account with this key; NOT_FOUND where there is none you may see.",
        metadata=by_key(Exchange),
    )
    async def exchange(
        self, info: Info, ex_id: Annotated[int, strawberry.argument(description="Key of the account.")]
    ) -> Exchange | None:
        return await one_row(info.context, Exchange, ex_id)
