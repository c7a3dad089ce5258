"""Queries about the catalogue of exchanges."""

from __future__ import annotations

import strawberry

from fullon_graphql.context import Info
from fullon_graphql.engine.roots import ALL, all_rows
from fullon_graphql.schema.cat_exchanges import CatExchange


@strawberry.type
class CatExchangeQueries:
    @strawberry.field(description="Every exchange the platform can trade on, by key.", metadata={ALL: CatExchange})
    async def cat_exchanges(self, info: Info) -> list[CatExchange]:
        return await all_rows(info.context, CatExchange)
