"""Writers in place of the platform's programs: concurrent transactions that overlap, commit in any order or are rolled
back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from typing import Final

import asyncpg
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from fullon_graphql.cache import accounts, tickers
from fullon_graphql.cache.candles import announce
from fullon_graphql.database import Database
from fullon_graphql.ohlcv.candles import Candle
from fullon_graphql.ohlcv.writer import upsert_candles
from tests.fixtures.rows import OTHER, TRADER

OWNERS: Final = {1: TRADER, 2: TRADER, 6: OTHER}
"""The owner of each bot that has orders."""
SYMBOLS: Final = ("BTC/USD", "ETH/USD", "GOLD")
ACCOUNT: Final = 20
CANDLE_SYMBOL: Final = "EUR/USD"
"""A symbol with candles and without a price, so it has no forming candle."""
HOUR: Final = datetime(2024, 1, 1, tzinfo=UTC)
DISCONNECTED: Final = (
    OSError,
    asyncpg.OperatorInterventionError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
"""The driver's exceptions for a lost connection and for an unavailable database."""

_INSERT = (
    "INSERT INTO orders (bot_id, uid, ex_id, cat_ex_id, exchange, symbol, order_type, side, volume, status, reason)"
    " VALUES ($1, $2, 20, 1, 'kraken', 'BTC/USD', 'limit', 'buy', 1, 'New', '') RETURNING order_id"
)
_TOGGLE = "UPDATE orders SET status = CASE status WHEN 'open' THEN 'Filled' ELSE 'open' END WHERE order_id = $1"
_TRADE = (
    "INSERT INTO trades (ex_trade_id, ex_order_id, uid, ex_id, symbol, order_type, side, volume, price, cost, fee)"
    " VALUES (gen_random_uuid(), '', $1, 20, 'BTC/USD', 'limit', 'Buy', 1, 1, 1, 0)"
)
_LINE = (
    "INSERT INTO bot_log (bot_id, feed_num, ex_id, symbol, position, message, timestamp)"
    " VALUES ($1, 0, 20, 'BTC/USD', 0, 'message', clock_timestamp())"
)


class RolledBack(Exception):
    """Raised to roll back a transaction or savepoint."""


@dataclass
class Writer:
    """Writes orders, trades and log lines. It changes its own orders only, so that writers never wait for each other."""

    url: str
    random: Random
    permits: asyncio.Semaphore
    """Each transaction needs a permit: events that are written while no worker runs must be delivered later."""
    transactions: int = field(default=0, init=False)
    """Number of transactions that were committed or rolled back."""
    stopping: bool = field(default=False, init=False)
    """True if the writer must begin no further transaction."""
    orders: list[int] = field(default_factory=list, init=False)
    """Its orders, as of its committed transactions."""

    async def run(self) -> None:
        """Write until `stopping`; reconnect while the database is unavailable."""
        while not self.stopping:
            try:
                connection = await asyncpg.connect(self.url, timeout=60, command_timeout=60)
            except DISCONNECTED:
                await asyncio.sleep(0.1)
                continue
            try:
                while not self.stopping:
                    await self.permits.acquire()
                    await self._transaction(connection)
                    self.transactions += 1
            except DISCONNECTED:
                pass
            finally:
                connection.terminate()

    async def _transaction(self, connection: asyncpg.Connection) -> None:
        orders = self.orders.copy()
        try:
            async with connection.transaction():
                for _ in range(self.random.randint(1, 4)):
                    await self._savepoint(connection, orders)
                    await asyncio.sleep(self.random.choice([0, 0, 0.01, 0.05]))
                if self.random.random() < 0.25:
                    raise RolledBack
        except RolledBack:
            return
        except DISCONNECTED:  # perhaps in its commit, whose outcome is unknown then
            self.orders = [order for order in self.orders if order in orders]
            raise
        self.orders = orders

    async def _savepoint(self, connection: asyncpg.Connection, orders: list[int]) -> None:
        tried = orders.copy()
        try:
            async with connection.transaction():
                await self.random.choice(
                    [self._insert, self._insert, self._change, self._change, self._add_trade_and_log]
                )(connection, tried)
                if self.random.random() < 0.1:
                    raise RolledBack
        except RolledBack:
            return
        orders[:] = tried

    async def _insert(self, connection: asyncpg.Connection, orders: list[int]) -> None:
        bot = self.random.choice(list(OWNERS))
        orders.append(await connection.fetchval(_INSERT, bot, OWNERS[bot]))

    async def _change(self, connection: asyncpg.Connection, orders: list[int]) -> None:
        """Change the status, the volume or the owner of one of the newest orders, or delete it."""
        if not orders:
            return
        order = self.random.choice(orders[-10:])
        change = self.random.random()
        if change < 0.5:
            await connection.execute(_TOGGLE, order)
        elif change < 0.6:
            await connection.execute("UPDATE orders SET volume = volume + 1 WHERE order_id = $1", order)
        elif change < 0.8:
            bot = self.random.choice(list(OWNERS))
            await connection.execute(
                "UPDATE orders SET bot_id = $2, uid = $3 WHERE order_id = $1", order, bot, OWNERS[bot]
            )
        else:
            await connection.execute("DELETE FROM orders WHERE order_id = $1", order)
            orders.remove(order)

    async def _add_trade_and_log(self, connection: asyncpg.Connection, orders: list[int]) -> None:
        bot = self.random.choice(list(OWNERS))
        await connection.execute(_TRADE, OWNERS[bot])
        await connection.execute(_LINE, bot)


async def move_prices(redis: Redis) -> None:
    """Write the tickers of every step until cancelled."""

    async def write(step: int) -> None:
        now = datetime.now(UTC).timestamp()
        await tickers.write(redis, [tickers.Ticker("kraken", symbol, step, now) for symbol in SYMBOLS])

    await _step_by_step(write, 0.01)


async def move_positions(redis: Redis) -> None:
    """Write the positions of an account at every step until cancelled."""

    async def write(step: int) -> None:
        held = [accounts.Position(ACCOUNT, symbol, volume=step, cost=1, price=1) for symbol in SYMBOLS]
        await accounts.write(redis, {}, {ACCOUNT: held})

    await _step_by_step(write, 0.05)


async def correct_candles(database: Database, redis: Redis) -> None:
    """Replace the candles of one hour, each with a greater volume than before, until cancelled.

    The volume of the hour therefore grows with every step.
    """

    async def write(step: int) -> None:
        minute = Candle(HOUR + timedelta(minutes=step % 60), 1, 1, 1, 1, volume=step)
        async with database.transaction() as connection:
            await upsert_candles(connection, "kraken", CANDLE_SYMBOL, [minute])
        await announce(redis, [("kraken", CANDLE_SYMBOL)])

    await _step_by_step(write, 0.05)


async def _step_by_step(write: Callable[[int], Awaitable[None]], pause: float) -> None:
    for step in count(1):
        with suppress(RedisError, SQLAlchemyError, *DISCONNECTED):  # a store restarts; the next step replaces this one
            await write(step)
        await asyncio.sleep(pause)
