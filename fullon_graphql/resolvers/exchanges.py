"""Queries and mutations about exchange accounts."""

from __future__ import annotations

from typing import Annotated

import strawberry

from fullon_graphql.context import Info
from fullon_graphql.engine.fields.connection import Connection
from fullon_graphql.engine.fields.mutations import change, given
from fullon_graphql.engine.fields.root import by_key, one_row, root_connection
from fullon_graphql.schema.exchanges import CreateExchangeInput, Exchange, UpdateExchangeInput
from fullon_graphql.schema.support.arguments import WhichExchange
from fullon_graphql.services import exchanges


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


NewAccount = Annotated[CreateExchangeInput, strawberry.argument(name="input", description="The account.")]
AccountChanges = Annotated[
    UpdateExchangeInput, strawberry.argument(name="input", description="The account, and what changes.")
]


@strawberry.type
class ExchangeMutations:
    @change(Exchange, "Add an account of your own on an exchange.")
    async def create_exchange(self, info: Info, account: NewAccount) -> int:
        return await exchanges.create(info.context.write, given(account))

    @change(Exchange, "Rename an account, or switch it on or off.")
    async def update_exchange(self, info: Info, account: AccountChanges) -> int:
        values = given(account, "ex_id", "expected_timestamp")
        return await exchanges.change(info.context.write, account.ex_id, values, account.expected_timestamp)

    @change(
        bool,
        "Delete an account. Its orders and trades stay; an account with a history of balances is a CONFLICT.",
    )
    async def delete_exchange(self, info: Info, ex_id: WhichExchange) -> bool:
        return await exchanges.remove(info.context.write, ex_id)
