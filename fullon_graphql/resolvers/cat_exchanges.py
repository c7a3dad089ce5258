"""Queries about the catalogue of exchanges."""

from __future__ import annotations

from typing import Annotated

import strawberry

from fullon_graphql.context import Info
from fullon_graphql.engine.roots import ALL, all_rows, by_key, one_row
from fullon_graphql.schema.cat_exchanges import CatExchange


@strawberry.type
class CatExchangeQueries:
    @strawberry.field(description="Every exchange the platform can trade on, by key.", metadata={ALL: CatExchange})
    async def cat_exchanges(self, info: Info) -> list[CatExchange]:
        return await all_rows(info.context, CatExchange)

    @strawberry.field(
        description="The exchange with this key; NOT_FOUND where there is none.", metadata=by_key(CatExchange)
    )
    async def cat_exchange(
        self, info: Info, cat_ex_id: Annotated[int, strawberry.argument(description="Key of the exchange.")]
    ) -> CatExchange | None:
        return await one_row(info.context, CatExchange, cat_ex_id)
