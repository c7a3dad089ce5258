"""The simulated bot programs."""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from random import Random
from typing import Any

import pytest
from redis.asyncio import Redis
from sqlalchemy import insert, text, update

from fullon_graphql.cache import keys, tickers
from fullon_graphql.cache.client import connect
from fullon_graphql.cache.tickers import Ticker
from fullon_graphql.config import Settings
from fullon_graphql.database import Database
from fullon_graphql.embedded.demo.trading import step, trade
from fullon_graphql.models import (
    Base,
    Bot,
    BotExchange,
    CatExchange,
    CatStrategy,
    Exchange,
    Feed,
    Order,
    Strategy,
    Symbol,
    User,
)
from tests.fixtures.eventually import eventually

PLATFORM: list[tuple[type[Base], dict[str, Any]]] = [
    (User, {"uid": 1, "mail": "t@f", "password": "", "f2a": "", "name": "", "lastname": "", "phone": "", "id_num": ""}),
    (CatExchange, {"cat_ex_id": 1, "name": "kraken"}),
    (Exchange, {"ex_id": 5, "uid": 1, "cat_ex_id": 1, "name": "main"}),
    (Symbol, {"symbol_id": 1, "symbol": "BTC/USD", "cat_ex_id": 1, "base": "BTC", "quote": "USD"}),
    (Bot, {"bot_id": 3, "uid": 1, "name": "live", "active": True, "dry_run": False}),
    (Bot, {"bot_id": 4, "uid": 1, "name": "dry", "active": True, "dry_run": True}),
    (Bot, {"bot_id": 6, "uid": 1, "name": "off", "active": False, "dry_run": False}),
    (CatStrategy, {"cat_str_id": 1, "name": "trend"}),
    *[(BotExchange, {"bot_id": bot_id, "ex_id": 5}) for bot_id in (3, 4, 6)],
    *[(Strategy, {"str_id": bot_id, "bot_id": bot_id, "cat_str_id": 1}) for bot_id in (3, 4, 6)],
    *[
        (Feed, {"str_id": bot_id, "symbol_id": 1, "period": period, "compression": 1, "order": number})
        for bot_id in (3, 4, 6)
        for number, period in enumerate(("Ticks", "Minutes"))
    ],
]


@pytest.fixture
async def bots(database: Database) -> Database:
    """An active bot, a dry run and an inactive bot."""
    async with database.transaction() as connection:
        for model, values in PLATFORM:
            await connection.execute(insert(model).values(values))
    return database


async def quote(redis: Redis, *, age: float = 0.0) -> None:
    ticker = Ticker("kraken", "BTC/USD", price=100.0, time=time.time() - age, bid=99.0, ask=101.0)
    await tickers.write(redis, [ticker])


async def rows(database: Database, sql: str) -> list[dict[str, Any]]:
    return [dict(row._mapping) for row in await database.rows(text(sql))]


async def orders(database: Database) -> list[dict[str, Any]]:
    return await rows(database, "SELECT * FROM orders ORDER BY order_id")


async def statuses_after(database: Database, redis: Redis, steps: int) -> dict[int, list[str]]:
    """The sequence of statuses of each order."""
    await quote(redis)
    choices, seen = Random(1), defaultdict[int, list[str]](list)
    for _ in range(steps):
        await step(database, redis, choices)
        for order in await orders(database):
            if order["status"] not in seen[order["order_id"]][-1:]:
                seen[order["order_id"]].append(order["status"])
    return seen


class TestStep:
    async def test_order_is_placed_at_the_price_of_the_ticker(self, bots: Database, redis: Redis) -> None:
        await quote(redis)
        await step(bots, redis, Random(1))
        [order] = await orders(bots)
        assert (order["bot_id"], order["uid"], order["ex_id"], order["cat_ex_id"]) == (3, 1, 5, 1)
        assert (order["exchange"], order["symbol"], order["status"]) == ("kraken", "BTC/USD", "New")
        assert (order["side"], order["tick"]) == ("buy", 100.0)
        assert order["price"] == (101.0 if order["order_type"] == "limit" else None)
        assert order["ex_order_id"] is None

    async def test_orders_have_the_statuses_of_an_exchange(self, bots: Database, redis: Redis) -> None:
        seen = await statuses_after(bots, redis, steps=400)
        assert {tuple(statuses) for statuses in list(seen.values())[:-1]} == {
            ("New", "rejected"),
            ("New", "open", "filled"),
            ("New", "open", "canceled"),
            ("New", "open", "partially_filled", "filled"),
            ("New", "open", "partially_filled", "canceled"),
        }

    async def test_trades_of_an_order_add_up_to_its_filled_volume(self, bots: Database, redis: Redis) -> None:
        await statuses_after(bots, redis, steps=250)
        sums = await rows(
            bots,
            "SELECT status, final_volume, sum(t.volume) AS traded, count(DISTINCT ex_trade_id) AS fills,"
            " min(o.price) AS price, sum(t.cost) / sum(t.volume) AS paid"
            " FROM orders o LEFT JOIN trades t USING (ex_order_id, uid, ex_id, symbol) GROUP BY order_id",
        )
        assert {row["fills"] for row in sums} == {0, 1, 2}
        for row in sums:
            assert (row["traded"] or 0) == pytest.approx(row["final_volume"] or 0)
            assert row["paid"] is None or row["price"] == pytest.approx(row["paid"])

    async def test_concurrent_programs_do_not_fill_an_order_twice(self, bots: Database, redis: Redis) -> None:
        await quote(redis)
        one, other = Random(1), Random(2)
        for _ in range(30):
            await asyncio.gather(step(bots, redis, one), step(bots, redis, other))
        assert await rows(bots, "SELECT * FROM orders WHERE final_volume > volume + 1e-7") == []
        sums = await rows(bots, "SELECT sum(final_volume) AS filled, (SELECT sum(volume) FROM trades) FROM orders")
        assert sums[0]["filled"] == pytest.approx(sums[0]["sum"])

    async def test_positions_are_closed_again(self, bots: Database, redis: Redis) -> None:
        await statuses_after(bots, redis, steps=60)
        trades = await rows(bots, "SELECT side, cur_volume, roi FROM trades ORDER BY trade_id")
        assert {trade["side"] for trade in trades} == {"Buy", "Sell"}
        assert min(trade["cur_volume"] for trade in trades) == 0.0
        assert all((trade["roi"] is None) == (trade["side"] == "Buy") for trade in trades)

    async def test_inactive_bots_and_dry_runs_do_not_trade(self, bots: Database, redis: Redis) -> None:
        await statuses_after(bots, redis, steps=30)
        assert {order["bot_id"] for order in await orders(bots)} == {3}

    async def test_bot_writes_its_status_and_log(self, bots: Database, redis: Redis) -> None:
        await statuses_after(bots, redis, steps=30)
        status = await redis.hgetall(keys.BOT_STATUS)
        assert list(status) == ["3"]
        feed = json.loads(status["3"])["0"]
        assert (feed["symbol"], feed["period"]) == ("BTC/USD", "Ticks")
        assert {"status", "position", "performance", "timestamp"} <= feed.keys()
        messages = [row["message"] for row in await rows(bots, "SELECT message FROM bot_log WHERE bot_id = 3")]
        assert any("btc/usd filled" in message for message in messages)

    @pytest.mark.parametrize("age", [None, 3600.0])
    async def test_bots_do_not_trade_without_a_fresh_ticker(
        self, bots: Database, redis: Redis, age: float | None
    ) -> None:
        if age:
            await quote(redis, age=age)
        await step(bots, redis, Random(1))
        assert await orders(bots) == []

    async def test_order_canceled_by_another_program_is_left_alone(self, bots: Database, redis: Redis) -> None:
        await quote(redis)
        await step(bots, redis, Random(1))
        async with bots.transaction() as connection:
            await connection.execute(update(Order).values(status="Canceled"))
        await step(bots, redis, Random(1))
        assert [order["status"] for order in await orders(bots)] == ["Canceled", "New"]

    @pytest.mark.parametrize("status", ["open", "partially_filled"])
    async def test_open_order_without_an_exchange_id_is_left_alone(
        self, bots: Database, redis: Redis, status: str
    ) -> None:
        await quote(redis)
        await step(bots, redis, Random(1))
        async with bots.transaction() as connection:
            await connection.execute(update(Order).values(status=status, ex_order_id=None))
        for _ in range(10):
            await step(bots, redis, Random(1))
        first, *others = await orders(bots)
        assert (first["status"], first["final_volume"]) == (status, None)
        assert others

    async def test_equal_seeds_make_equal_choices(self, bots: Database, redis: Redis) -> None:
        chosen = []
        for _ in range(2):
            await statuses_after(bots, redis, steps=30)
            chosen.append(await rows(bots, "SELECT side, volume, status, order_type FROM orders ORDER BY order_id"))
            async with bots.transaction() as connection:
                await connection.execute(text("TRUNCATE orders, trades RESTART IDENTITY"))
        assert chosen[0] == chosen[1]


class TestTrade:
    async def test_trading_continues_after_the_stores_were_disconnected(
        self, bots: Database, redis: Redis, settings: Settings
    ) -> None:
        own = Database.connect(settings.database_url, "trading", settings)
        await quote(redis)
        async with connect(settings.redis_url, settings, "trading") as own_redis:
            task = asyncio.create_task(trade(own, own_redis, seed=1, pause=0.01))
            await eventually(lambda: more_orders(bots, 1))
            await disconnect(bots, redis)
            seen = len(await orders(bots))
            await eventually(lambda: more_orders(bots, seen + 1))
            await end(task)
        await own.close()

    async def test_trading_ends_when_it_is_cancelled_at_any_moment(self, bots: Database, settings: Settings) -> None:
        async with connect(settings.redis_url, settings, "trading") as redis:
            await quote(redis)
            for moment in range(100):
                task = asyncio.create_task(trade(bots, redis, seed=1, pause=0.001))
                for _ in range(moment):
                    await asyncio.sleep(0)
                await end(task)
                assert task.cancelled()


async def end(task: asyncio.Task[None]) -> None:
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=5)
    assert done == {task}


async def more_orders(database: Database, count: int) -> bool:
    return len(await orders(database)) >= count


async def disconnect(database: Database, redis: Redis) -> None:
    """Close the connections of the trading programs."""
    theirs = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'fullon_graphql:trading'"
    await database.rows(text(theirs))
    await redis.client_kill_filter(skipme=True)
