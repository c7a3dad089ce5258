"""Queries and mutations about bots."""

from __future__ import annotations

from typing import Annotated

import strawberry

from fullon_graphql.engine.fields.connection import Connection
from fullon_graphql.engine.fields.mutations import change, given
from fullon_graphql.engine.fields.root import root_connection, root_row
from fullon_graphql.schema.bots import Bot, CreateBotInput, UpdateBotInput
from fullon_graphql.schema.support.arguments import WhichBot, WhichExchange
from fullon_graphql.services import bots
from fullon_graphql.services.writing.executor import UnitOfWork

NewBot = Annotated[CreateBotInput, strawberry.argument(name="input", description="The bot.")]
BotChanges = Annotated[UpdateBotInput, strawberry.argument(name="input", description="The bot and its changes.")]


@strawberry.type
class BotQueries:
    bots: Connection[Bot] = root_connection("The bots you may see, by key: your own, or all for administrators.", Bot)

    bot: Bot | None = root_row("The bot with this key; null if there is none you may see.", Bot)


@strawberry.type
class BotMutations:
    @change(Bot, "Create a bot of your own.")
    async def create_bot(self, write: UnitOfWork, bot: NewBot) -> int:
        return await bots.create(write, given(bot))

    @change(Bot, "Rename a bot, switch it on or off, or switch dry run on or off.")
    async def update_bot(self, write: UnitOfWork, bot: BotChanges) -> int:
        values = given(bot, "bot_id", "expected_timestamp")
        return await bots.change(write, bot.bot_id, values, bot.expected_timestamp)

    @change(
        bool,
        "Delete a bot with its strategies, feeds and log lines. Its orders and trades are kept. CONFLICT if the bot has"
        " simulations.",
    )
    async def delete_bot(self, write: UnitOfWork, bot_id: WhichBot) -> bool:
        return await bots.remove(write, bot_id)

    @change(Bot, "Let a bot trade on an exchange account of the same owner. CONFLICT if it already does.")
    async def attach_exchange(self, write: UnitOfWork, bot_id: WhichBot, ex_id: WhichExchange) -> int:
        return await bots.attach(write, bot_id, ex_id)

    @change(Bot, "Stop a bot from trading on an exchange account. NOT_FOUND if it does not trade on it.")
    async def detach_exchange(self, write: UnitOfWork, bot_id: WhichBot, ex_id: WhichExchange) -> int:
        return await bots.detach(write, bot_id, ex_id)
