"""Bots: one sees and changes one's own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select

from fullon_graphql.errors import BadUserInput
from fullon_graphql.models import Bot, BotExchange, Exchange
from fullon_graphql.services.writing.checks import not_blank, storable, unchanged_since
from fullon_graphql.services.writing.executor import UnitOfWork


async def create(write: UnitOfWork, values: Mapping[str, Any]) -> int:
    """A new bot of the caller's: `name`, `active`, `dry_run`.

    Raises:
        BadUserInput: the name is blank or too long.
    """
    not_blank(values, "name")
    bot = await write.insert(Bot, storable(Bot, values) | {"uid": write.principal.uid})
    return int(bot.bot_id)


async def change(write: UnitOfWork, bot_id: int, values: Mapping[str, Any], expected: datetime | None = None) -> int:
    """Give a bot another `name`, or set `active` or `dry_run`.

    Raises:
        NotFound: no such bot, or a foreign one.
        BadUserInput: the name is blank or too long.
        Conflict: its timestamp is not the `expected` one.
    """
    bot = await write.find(Bot, bot_id)
    unchanged_since(expected, bot.timestamp)
    not_blank(values, "name")
    await write.update(Bot, bot, storable(Bot, values))
    return bot_id


async def remove(write: UnitOfWork, bot_id: int) -> bool:
    """Delete a bot with its strategies, feeds and logs. Its orders and trades stay.

    Raises:
        NotFound: no such bot, or a foreign one.
        Conflict: it has simulations.
    """
    await write.delete(Bot, await write.find(Bot, bot_id))
    return True


async def attach(write: UnitOfWork, bot_id: int, ex_id: int) -> int:
    """Let a bot trade on an account of the same person.

    Raises:
        NotFound: no such bot or account, or a foreign one.
        BadUserInput: they belong to different people.
        Conflict: it does so already.
    """
    bot = await write.find(Bot, bot_id)
    await account_of(write, bot, ex_id)
    await write.insert(BotExchange, {"bot_id": bot_id, "ex_id": ex_id})
    return bot_id


async def detach(write: UnitOfWork, bot_id: int, ex_id: int) -> int:
    """Let a bot no longer trade on an account.

    Raises:
        NotFound: no such bot, a foreign one, or it does not trade there.
    """
    await write.find(Bot, bot_id)
    attached = await write.find(BotExchange, bot_id, ex_id)
    await write.delete(BotExchange, attached)
    return bot_id


async def account_of(write: UnitOfWork, bot: Row[Any], ex_id: int) -> Row[Any]:
    """The account `ex_id`, which belongs to the bot's owner.

    Raises:
        NotFound: there is no such account, or it is foreign.
        BadUserInput: an administrator named somebody else's.
    """
    account = await write.find(Exchange, ex_id, lock=False)
    if account.uid != bot.uid:
        raise BadUserInput("The bot and the account belong to different people.", field="exId")
    return account


async def account_on(write: UnitOfWork, bot_id: int, cat_ex_id: int | None = None) -> int:
    """The one account that a bot trades on, or on the exchange `cat_ex_id`.

    Raises:
        NotFound: no such bot, or a foreign one.
        BadUserInput: it is none, or there are several.
    """
    bot = await write.find(Bot, bot_id, lock=False)
    attached = select(BotExchange.ex_id).where(BotExchange.bot_id == bot.bot_id)
    query = select(Exchange.ex_id).where(Exchange.ex_id.in_(attached))
    chosen = query if cat_ex_id is None else query.where(Exchange.cat_ex_id == cat_ex_id)
    found = [row.ex_id for row in await write.connection.execute(chosen)]
    if len(found) != 1:
        where = "" if cat_ex_id is None else " of this exchange"
        raise BadUserInput(f"The bot trades on {len(found)} accounts{where}; name the one that is meant.", field="exId")
    return int(found[0])
