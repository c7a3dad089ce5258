"""Queries and mutations about the catalogue of exchanges."""

from __future__ import annotations

from typing import Annotated

import strawberry

from fullon_graphql.context import Info
from fullon_graphql.engine.fields.mutations import change, given
from fullon_graphql.engine.fields.root import ALL, all_rows, by_key, one_row
from fullon_graphql.schema.cat_exchanges import CatExchange
from fullon_graphql.schema.support.arguments import WhichCatExchange
from fullon_graphql.schema.support.inputs import ParamInput
from fullon_graphql.services import cat_exchanges


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


CatExchangeName = Annotated[
    str,
    strawberry.argument(name="name", description="Lower-case letters and digits, at most 30, e.g. `kraken`; unique."),
]
Params = Annotated[
    list[ParamInput], strawberry.argument(description="All of them: those that are missing here are deleted.")
]


@strawberry.type
class CatExchangeMutations:
    @change(CatExchange, "Add an exchange to the catalogue. Administrators only.")
    async def create_cat_exchange(self, info: Info, name: CatExchangeName) -> int:
        return await cat_exchanges.create(info.context.write, {"name": name})

    @change(
        CatExchange,
        "Rename an exchange of the catalogue. What is stored under the old name (orders, candles, tickers) keeps it."
        " Administrators only.",
    )
    async def update_cat_exchange(self, info: Info, cat_ex_id: WhichCatExchange, name: CatExchangeName) -> int:
        return await cat_exchanges.change(info.context.write, cat_ex_id, {"name": name})

    @change(CatExchange, "Replace all parameters of an exchange. Administrators only.")
    async def set_cat_exchange_params(self, info: Info, cat_ex_id: WhichCatExchange, params: Params) -> int:
        return await cat_exchanges.set_params(info.context.write, cat_ex_id, [given(param) for param in params])
