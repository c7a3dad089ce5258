"""Queries and mutations about the catalogue of exchanges."""

from __future__ import annotations

from typing import Annotated

import strawberry

from fullon_graphql.engine.fields.mutations import change, given
from fullon_graphql.engine.fields.root import root_list, root_row
from fullon_graphql.schema.cat_exchanges import CatExchange
from fullon_graphql.schema.support.arguments import WhichCatExchange
from fullon_graphql.schema.support.inputs import ParamInput
from fullon_graphql.services import cat_exchanges
from fullon_graphql.services.writing.executor import UnitOfWork


@strawberry.type
class CatExchangeQueries:
    cat_exchanges: list[CatExchange] = root_list("All exchanges that the platform can trade on, by key.", CatExchange)

    cat_exchange: CatExchange | None = root_row(
        "The exchange with this key; null if there is none you may see.", CatExchange
    )


CatExchangeName = Annotated[
    str,
    strawberry.argument(
        name="name", description="Unique name of lower-case letters and digits, at most 30, e.g. `kraken`."
    ),
]
Params = Annotated[
    list[ParamInput], strawberry.argument(description="The complete list; settings that are not in it are deleted.")
]


@strawberry.type
class CatExchangeMutations:
    @change(CatExchange, "Add an exchange to the catalogue. Administrators only.")
    async def create_cat_exchange(self, write: UnitOfWork, name: CatExchangeName) -> int:
        return await cat_exchanges.create(write, {"name": name})

    @change(
        CatExchange,
        "Rename an exchange of the catalogue. Orders, candles and tickers stored under the old name keep it."
        " Administrators only.",
    )
    async def update_cat_exchange(self, write: UnitOfWork, cat_ex_id: WhichCatExchange, name: CatExchangeName) -> int:
        return await cat_exchanges.change(write, cat_ex_id, {"name": name})

    @change(CatExchange, "Replace all settings of an exchange. Administrators only.")
    async def set_cat_exchange_params(self, write: UnitOfWork, cat_ex_id: WhichCatExchange, params: Params) -> int:
        return await cat_exchanges.set_params(write, cat_ex_id, [given(param) for param in params])
