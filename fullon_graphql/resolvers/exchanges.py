"""Queries and mutations about exchange accounts."""

from __future__ import annotations

from typing import Annotated

import strawberry

from fullon_graphql.engine.fields.connection import Connection
from fullon_graphql.engine.fields.mutations import change, given
from fullon_graphql.engine.fields.root import root_connection, root_row
from fullon_graphql.schema.exchanges import CreateExchangeInput, Exchange, ExchangeHistory, UpdateExchangeInput
from fullon_graphql.schema.support.arguments import WhichExchange
from fullon_graphql.services import exchanges
from fullon_graphql.services.writing.executor import UnitOfWork


@strawberry.type
class ExchangeQueries:
    exchanges: Connection[Exchange] = root_connection(
        "The exchange accounts you may see, by key: your own, or all for administrators.", Exchange
    )

    exchange: Exchange | None = root_row(
        "The exchange account with this key; null if there is none you may see.", Exchange
    )
    exchange_history: Connection[ExchangeHistory] = root_connection(
        "Past balances of the exchange accounts you may see, by account and time: your own, or all for administrators.",
        ExchangeHistory,
    )


NewAccount = Annotated[CreateExchangeInput, strawberry.argument(name="input", description="The exchange account.")]
AccountChanges = Annotated[
    UpdateExchangeInput, strawberry.argument(name="input", description="The exchange account and its changes.")
]


@strawberry.type
class ExchangeMutations:
    @change(Exchange, "Create an exchange account of your own.")
    async def create_exchange(self, write: UnitOfWork, account: NewAccount) -> int:
        return await exchanges.create(write, given(account))

    @change(Exchange, "Rename an exchange account, or switch it on or off.")
    async def update_exchange(self, write: UnitOfWork, account: AccountChanges) -> int:
        values = given(account, "ex_id", "expected_timestamp")
        return await exchanges.change(write, account.ex_id, values, account.expected_timestamp)

    @change(
        bool,
        "Delete an exchange account. Its orders and trades are kept. CONFLICT if it has past balances.",
    )
    async def delete_exchange(self, write: UnitOfWork, ex_id: WhichExchange) -> bool:
        return await exchanges.remove(write, ex_id)
