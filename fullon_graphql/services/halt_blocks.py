"""The blocks of halts: instruments that no bot may trade, in the hash in which the platform's bots look for blocks.

PostgreSQL has the halts, and the blocks in Redis follow from them. They are written after the commit of a halt, and
compared with the halts in force every `PERIOD` seconds, so a Redis that was down or has lost its data gets them again.
Each comparison is made by one process for all.
"""

from __future__ import annotations

import asyncio
from typing import Final

from redis.asyncio import Redis
from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from fullon_graphql.background import Ready
from fullon_graphql.cache import bots, keys
from fullon_graphql.database import Database
from fullon_graphql.models import BotExchange, Exchange, Feed, HaltScope, Strategy, Symbol, TradingHalt

PERIOD: Final = 5.0
"""Seconds between two comparisons."""
TURN: Final = 0.8
"""The part of a period for which the others leave out theirs: less than one, so that the next turn is not missed."""

_OUR_TURN = select(func.pg_advisory_xact_lock(func.hashtext("fullon_graphql blocks of halts")))


async def write_blocks(database: Database, redis: Redis) -> None:
    """Let the blocks in Redis be those of the halts that are in force now. Concurrent calls take turns."""

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(_OUR_TURN)
        found = (await connection.execute(blocked_instruments())).all()
        await bots.block_for_halts(redis, [(row.ex_id, row.symbol) for row in found])

    await database.in_transaction(work)


def blocked_instruments(*conditions: ColumnElement[bool]) -> Select[int, int, str]:
    """The instruments that the halts in force block: the halt, the account and the symbol of each.

    They are those in the feeds of the bots on the halted accounts. A halt of one bot blocks none, because other bots
    may trade its instruments. `conditions` restrict the halts.
    """
    covers_account = or_(
        and_(TradingHalt.scope == HaltScope.ALL, or_(TradingHalt.uid.is_(None), TradingHalt.uid == Exchange.uid)),
        and_(TradingHalt.scope == HaltScope.EXCHANGE, TradingHalt.ex_id == Exchange.ex_id),
    )
    return (
        select(TradingHalt.halt_id, Exchange.ex_id, Symbol.symbol)
        .join(Exchange, covers_account)
        .join(BotExchange, BotExchange.ex_id == Exchange.ex_id)
        .join(Strategy, Strategy.bot_id == BotExchange.bot_id)
        .join(Feed, Feed.str_id == Strategy.str_id)
        .join(Symbol, and_(Symbol.symbol_id == Feed.symbol_id, Symbol.cat_ex_id == Exchange.cat_ex_id))
        .where(TradingHalt.ended_at.is_(None), *conditions)
        .distinct()
        .order_by(TradingHalt.halt_id, Exchange.ex_id, Symbol.symbol)
    )


class BlockKeeper:
    """Compares the blocks with the halts periodically; a background task of every process, which take turns."""

    def __init__(self, database: Database, redis: Redis, period: float = PERIOD) -> None:
        self._database = database
        self._redis = redis
        self._period = period

    async def run(self, ready: Ready) -> None:
        """Write missing blocks and remove outdated ones until cancelled."""
        while True:
            await asyncio.sleep(self._period)
            await self.compare()
            ready()

    async def compare(self) -> bool:
        """Compare the blocks, unless another process has done it in this period; true if this one has."""
        is_ours = await self._redis.set(keys.HALT_BLOCKS, 1, nx=True, px=round(self._period * TURN * 1_000))
        if is_ours:
            await write_blocks(self._database, self._redis)
        return bool(is_ours)
