"""Bots: creating, changing and deleting them, and the accounts they trade on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select

from fullon_graphql.errors import BadUserInput
from fullon_graphql.models import Bot, BotExchange, Exchange
from fullon_graphql.services import halts
from fullon_graphql.services.writing.checks import not_blank, storable, unchanged_since
from fullon_graphql.services.writing.executor import UnitOfWork


async def create(write: UnitOfWork, values: Mapping[str, Any]) -> int:
    """Create a bot of the caller's: `name`, `active`, `dry_run`.

    Raises:
        BadUserInput: the name is blank or too long.
        TradingHalted: it would be active, and all trading of the caller is halted.
    """
    not_blank(values, "name")
    if values.get("active"):
        await halts.lock_out_halts(write)
        await halts.require_no_halt(write, write.principal.uid)
    bot = await write.insert(Bot, storable(Bot, values) | {"uid": write.principal.uid})
    return int(bot.bot_id)


async def change(write: UnitOfWork, bot_id: int, values: Mapping[str, Any], expected: datetime | None = None) -> int:
    """Change the `name`, `active` or `dry_run` of a bot.

    Raises:
        NotFound: there is no such bot that the caller may see.
        BadUserInput: the name is blank or too long.
        Conflict: its timestamp is not the `expected` one.
        TradingHalted: it would become active, and its trading is halted.
    """
    if values.get("active"):
        await halts.lock_out_halts(write)
    bot = await write.find(Bot, bot_id)
    unchanged_since(expected, bot.timestamp)
    not_blank(values, "name")
    if values.get("active"):
        await halts.require_no_halt(write, bot.uid, bot_id)
    await write.update(Bot, bot, storable(Bot, values))
    return bot_id


async def remove(write: UnitOfWork, bot_id: int) -> bool:
    """Delete a bot with its strategies, feeds and logs. Its orders and trades stay.

    Raises:
        NotFound: there is no such bot that the caller may see.
        Conflict: it has simulations.
    """
    await write.delete(Bot, await write.find(Bot, bot_id))
    return True


async def attach(write: UnitOfWork, bot_id: int, ex_id: int) -> int:
    """Attach an account of the same user to a bot.

    Raises:
        NotFound: there is no such bot or account that the caller may see.
        BadUserInput: they belong to different users.
        Conflict: the account is attached already.
        TradingHalted: the bot is active, and trading on the account is halted.
    """
    await halts.lock_out_halts(write)
    bot = await write.find(Bot, bot_id)
    await account_of(write, bot, ex_id)
    if bot.active:
        await halts.require_no_halt(write, bot.uid, bot_id, ex_id)
    await write.insert(BotExchange, {"bot_id": bot_id, "ex_id": ex_id})
    return bot_id


async def detach(write: UnitOfWork, bot_id: int, ex_id: int) -> int:
    """Detach an account from a bot.

    Raises:
        NotFound: there is no such bot that the caller may see, or the account is not attached.
    """
    await write.find(Bot, bot_id)
    attached = await write.find(BotExchange, bot_id, ex_id)
    await write.delete(BotExchange, attached)
    return bot_id


async def account_of(write: UnitOfWork, bot: Row[Any], ex_id: int) -> Row[Any]:
    """The account `ex_id`, which must belong to the bot's owner.

    Raises:
        NotFound: there is no such account that the caller may see.
        BadUserInput: it belongs to a different user.
    """
    account = await write.find(Exchange, ex_id, lock=False)
    if account.uid != bot.uid:
        raise BadUserInput("The bot and the account belong to different users.", field="exId")
    return account


async def account_on(write: UnitOfWork, bot_id: int, cat_ex_id: int | None = None) -> int:
    """The key of the only account of a bot, or of its only account on the exchange `cat_ex_id`.

    Raises:
        NotFound: there is no such bot that the caller may see.
        BadUserInput: the bot has no such account, or several.
    """
    bot = await write.find(Bot, bot_id, lock=False)
    attached = select(BotExchange.ex_id).where(BotExchange.bot_id == bot.bot_id)
    query = select(Exchange.ex_id).where(Exchange.ex_id.in_(attached))
    chosen = query if cat_ex_id is None else query.where(Exchange.cat_ex_id == cat_ex_id)
    found = [row.ex_id for row in await write.connection.execute(chosen)]
    if len(found) != 1:
        where = "" if cat_ex_id is None else " of this exchange"
        raise BadUserInput(f"The bot trades on {len(found)} accounts{where}; give `exId`.", field="exId")
    return int(found[0])
