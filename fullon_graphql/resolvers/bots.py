"""Queries and mutations about bots."""

from __future__ import annotations

from typing import Annotated

import strawberry

from fullon_graphql.context import Info
from fullon_graphql.engine.fields.connection import Connection
from fullon_graphql.engine.fields.mutations import change, given
from fullon_graphql.engine.fields.root import by_key, one_row, root_connection
from fullon_graphql.schema.bots import Bot, CreateBotInput, UpdateBotInput
from fullon_graphql.schema.support.arguments import WhichBot, WhichExchange
from fullon_graphql.services import bots

NewBot = Annotated[CreateBotInput, strawberry.argument(name="input", description="The bot.")]
BotChanges = Annotated[UpdateBotInput, strawberry.argument(name="input", description="The bot, and what changes.")]


@strawberry.type
class BotQueries:
    bots: Connection[Bot] = root_connection("The bots you may see, by key: your own, or all as administrator.", Bot)

    @strawberry.field(
        description="The bot with this key; NOT_FOUND where there is none you may see.", metadata=by_key(Bot)
    )
    async def bot(self, info: Info, bot_id: WhichBot) -> Bot | None:
        return await one_row(info.context, Bot, bot_id)


@strawberry.type
class BotMutations:
    @change(Bot, "Make a bot of your own.")
    async def create_bot(self, info: Info, bot: NewBot) -> int:
        return await bots.create(info.context.write, given(bot))

    @change(Bot, "Rename a bot, switch it on or off, or let it simulate.")
    async def update_bot(self, info: Info, bot: BotChanges) -> int:
        values = given(bot, "bot_id", "expected_timestamp")
        return await bots.change(info.context.write, bot.bot_id, values, bot.expected_timestamp)

    @change(
        bool,
        "Delete a bot with its strategies, feeds and logs. Its orders and trades stay; a bot with simulations is a"
        " CONFLICT.",
    )
    async def delete_bot(self, info: Info, bot_id: WhichBot) -> bool:
        return await bots.remove(info.context.write, bot_id)

    @change(Bot, "Let a bot trade on an account of the same person; CONFLICT where it does already.")
    async def attach_exchange(self, info: Info, bot_id: WhichBot, ex_id: WhichExchange) -> int:
        return await bots.attach(info.context.write, bot_id, ex_id)

    @change(Bot, "Let a bot no longer trade on an account; NOT_FOUND where it does not.")
    async def detach_exchange(self, info: Info, bot_id: WhichBot, ex_id: WhichExchange) -> int:
        return await bots.detach(info.context.write, bot_id, ex_id)
