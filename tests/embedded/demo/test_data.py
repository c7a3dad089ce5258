"""The demo's data: complete, consistent, deterministic."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Table, func, insert, select, text

from fullon_graphql.auth.passwords import password_matches
from fullon_graphql.config import Settings
from fullon_graphql.database import Database
from fullon_graphql.embedded.demo.data import load
from fullon_graphql.embedded.demo.market import Prices
from fullon_graphql.models import Base, Bot, CatExchange, Order, User
from fullon_graphql.models.migrate import create_databases, upgrade
from tests.fixtures.harness import Stores
from tests.fixtures.temporary_databases import absent_database

NOW = datetime(2025, 6, 1, 12, 34, 56, tzinfo=UTC)
SEED = 7

CANDLES = ("kraken.btc_usd", "kraken.eth_usd", "bitmex.btc_usd_btc", "binance.btc_usdt")

VIOLATIONS = (
    "orders o LEFT JOIN bots b USING (bot_id, uid) WHERE b.bot_id IS NULL",
    "orders o LEFT JOIN exchanges e USING (ex_id, uid, cat_ex_id) WHERE e.ex_id IS NULL",
    "orders o LEFT JOIN bot_exchanges e USING (bot_id, ex_id) WHERE e.ex_id IS NULL",
    "orders o LEFT JOIN symbols s USING (symbol, cat_ex_id) WHERE s.symbol_id IS NULL OR s.only_ticker",
    "orders o JOIN cat_exchanges c USING (cat_ex_id) WHERE c.name <> o.exchange",
    "orders o JOIN bots b USING (bot_id) WHERE b.dry_run",
    "trades t LEFT JOIN orders o USING (ex_order_id, uid, ex_id, symbol) WHERE o.order_id IS NULL",
    "trades t JOIN orders o USING (ex_order_id) WHERE lower(t.side) <> lower(o.side) OR t.time < o.timestamp",
    "dry_trades d LEFT JOIN bots b USING (bot_id, uid) WHERE b.bot_id IS NULL OR NOT b.dry_run",
    "feeds f JOIN strategies s USING (str_id) JOIN symbols y USING (symbol_id) LEFT JOIN bot_exchanges x"
    " ON x.bot_id = s.bot_id AND EXISTS (SELECT FROM exchanges e WHERE e.ex_id = x.ex_id"
    " AND e.cat_ex_id = y.cat_ex_id) WHERE x.ex_id IS NULL",
    "bot_log l LEFT JOIN bots b USING (bot_id) WHERE b.bot_id IS NULL OR message <> lower(message)",
    "orders WHERE status = 'filled' AND final_volume IS DISTINCT FROM volume",
    "orders WHERE status IN ('New', 'open', 'rejected') AND final_volume IS NOT NULL",
    "orders WHERE status IN ('New', 'open', 'partially_filled') AND timestamp < timestamp '2025-06-01'",
    "orders WHERE volume <= 0 OR price <= 0 OR tick <= 0",
    "trades WHERE volume <= 0 OR abs(cost - volume * price) > 1e-6 OR fee <= 0",
    "(SELECT o.final_volume, sum(t.volume) AS traded FROM orders o LEFT JOIN trades t USING (ex_order_id)"
    " GROUP BY order_id) AS sums WHERE abs(coalesce(final_volume, 0) - coalesce(traded, 0)) > 1e-7",
    "(SELECT cur_volume, sum(CASE lower(side) WHEN 'buy' THEN volume ELSE -volume END)"
    " OVER (PARTITION BY ex_id, symbol ORDER BY trade_id) AS held FROM trades) AS sums"
    " WHERE abs(cur_volume - held) > 1e-6",
)
"""Queries that must find no row."""


@pytest.fixture(scope="module")
def demo(stores: Stores) -> Iterator[Settings]:
    """Settings of databases with the demo's data, for tests that only read."""
    server = Settings(database_url=stores.database_url)
    with absent_database(server) as url, absent_database(server) as ohlcv_url:
        create_databases(url, ohlcv_url)
        upgrade(url)
        settings = Settings(database_url=url, ohlcv_database_url=ohlcv_url)
        asyncio.run(fill(settings))
        yield settings


async def fill(settings: Settings) -> None:
    async with connected(settings.database_url) as database, connected(settings.ohlcv_database_url) as ohlcv_database:
        assert await load(database, ohlcv_database, seed=SEED, now=NOW)


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Database]:
    database = Database.connect(url, "tests", Settings())
    yield database
    await database.close()


@pytest.fixture
async def platform(demo: Settings) -> AsyncIterator[Database]:
    """The demo's users, bots and orders."""
    async with connected(demo.database_url) as database:
        yield database


@pytest.fixture
async def market(demo: Settings) -> AsyncIterator[Database]:
    """The demo's candles."""
    async with connected(demo.ohlcv_database_url) as database:
        yield database


async def one(database: Database, sql: str) -> Any:
    row = await database.row(text(sql))
    assert row is not None
    return row[0] if len(row) == 1 else tuple(row)


async def contents(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of the platform, without the salted passwords."""
    return {
        name: sorted((tuple(row) for row in await database.rows(select(*without_passwords(table)))), key=repr)
        for name, table in Base.metadata.tables.items()
        if table.schema is None  # our own tables contain transaction ids
    }


def without_passwords(table: Table) -> list[Any]:
    return [column for column in table.columns if column.name != "password"]


async def candles(database: Database, table: str) -> str:
    """A digest of all candles of a symbol."""
    rows = f'SELECT md5(string_agg(candle::text, chr(10) ORDER BY "timestamp")) FROM {table}_candles1m AS candle'
    return str(await one(database, rows))


class TestLoading:
    async def test_second_load_changes_nothing(self, platform: Database, market: Database) -> None:
        before = await contents(platform), await candles(market, "kraken.btc_usd")
        assert not await load(platform, market, seed=SEED + 1, now=NOW + timedelta(days=1))
        assert (await contents(platform), await candles(market, "kraken.btc_usd")) == before

    @pytest.mark.parametrize(
        "row",
        [
            insert(CatExchange).values(name="kraken"),
            insert(User).values(
                mail="me@home", password="", f2a="---", name="", lastname="", phone="", id_num="", role="USER"
            ),
        ],
    )
    async def test_platform_in_use_is_not_changed(self, database: Database, ohlcv_database: Database, row: Any) -> None:
        async with database.transaction() as connection:
            await connection.execute(row)
        before = await contents(database)
        assert not await load(database, ohlcv_database, seed=SEED, now=NOW)
        assert await contents(database) == before
        assert await one(ohlcv_database, "SELECT count(*) FROM pg_tables WHERE tablename LIKE '%candles%'") == 0

    async def test_equal_seeds_give_equal_rows(
        self, database: Database, ohlcv_database: Database, platform: Database, market: Database
    ) -> None:
        assert await load(database, ohlcv_database, seed=SEED, now=NOW)
        assert await contents(database) == await contents(platform)
        for table in CANDLES:
            assert await candles(ohlcv_database, table) == await candles(market, table)

    async def test_load_interrupted_after_the_candles_is_completed_by_the_next(
        self, database: Database, ohlcv_database: Database
    ) -> None:
        async with database.transaction() as connection:
            await connection.execute(text("ALTER TABLE orders RENAME TO orders_away"))
        try:
            with pytest.raises(Exception, match="orders"):
                await load(database, ohlcv_database, seed=SEED, now=NOW)
            assert await one(database, "SELECT count(*) FROM users") == 0
        finally:
            async with database.transaction() as connection:
                await connection.execute(text("ALTER TABLE orders_away RENAME TO orders"))
        stored = await candles(ohlcv_database, CANDLES[0])
        assert await load(database, ohlcv_database, seed=SEED, now=NOW + timedelta(minutes=5))
        assert await one(database, "SELECT count(*) FROM users") == 3
        assert await candles(ohlcv_database, CANDLES[0]) == stored

    async def test_new_rows_have_keys_after_those_of_the_demo(self, platform: Database) -> None:
        async with platform.engine.connect() as connection:  # and never committed
            added = insert(Bot).values(uid=2, name="mine").returning(Bot.bot_id)
            assert (await connection.execute(added)).scalar_one() == 13
            last = await connection.scalar(select(func.max(Order.order_id)))
            following = await connection.scalar(text("SELECT nextval(pg_get_serial_sequence('orders', 'order_id'))"))
        assert last is not None
        assert following == last + 1


class TestPeople:
    async def test_users_have_the_printed_password(self, platform: Database) -> None:
        rows = await platform.rows(select(User.mail, User.role, User.password, User.active).order_by(User.uid))
        assert [(row.mail, row.role) for row in rows] == [
            ("admin@fullon", "ADMIN"),
            ("trader@fullon", "USER"),
            ("other@fullon", "USER"),
        ]
        assert all(row.active and password_matches("fullon-demo", row.password) for row in rows)

    async def test_twelve_bots_of_all_kinds_exist(self, platform: Database) -> None:
        kinds = await platform.rows(text("SELECT active, dry_run, count(*) FROM bots GROUP BY 1, 2"))
        assert sum(kind[-1] for kind in kinds) == 12
        assert len(kinds) == 4

    async def test_exchanges_and_symbols_of_every_kind_exist(self, platform: Database) -> None:
        rows = await platform.rows(text("SELECT name, symbol FROM symbols JOIN cat_exchanges USING (cat_ex_id)"))
        found = {(row.name, row.symbol) for row in rows}
        assert {exchange for exchange, _ in found} == {"kraken", "bitmex", "binance"}
        assert found >= {("kraken", "BTC/USD"), ("bitmex", "BTC/USD:BTC"), ("bitmex", "GOLD"), ("binance", "XRP/ETH")}


class TestHistory:
    async def test_no_row_violates_a_rule(self, platform: Database) -> None:
        counts = {rule: await one(platform, f"SELECT count(*) FROM {rule}") for rule in VIOLATIONS}
        assert {rule: count for rule, count in counts.items() if count} == {}

    async def test_history_has_some_thousand_orders_of_all_statuses_in_ninety_days(self, platform: Database) -> None:
        count, first, last = await one(platform, "SELECT count(*), min(timestamp), max(timestamp) FROM orders")
        assert 2_500 < count < 3_500
        assert NOW.replace(tzinfo=None) - timedelta(days=91) < first
        assert NOW.replace(tzinfo=None) - timedelta(hours=3) < last < NOW.replace(tzinfo=None)
        statuses = {row.status for row in await platform.rows(text("SELECT DISTINCT status FROM orders"))}
        assert statuses > {"filled", "canceled", "cancelled", "rejected"}
        assert await one(platform, "SELECT count(*) FROM trades") > 2_500
        assert await one(platform, "SELECT count(*) FROM dry_trades") > 500

    async def test_sides_occur_in_lower_case_and_capitalised(self, platform: Database) -> None:
        sides = {row.side for row in await platform.rows(text("SELECT DISTINCT side FROM orders"))}
        assert sides == {"buy", "sell", "Buy", "Sell"}

    async def test_trade_prices_are_within_their_candles(self, platform: Database, market: Database) -> None:
        rows = await market.rows(text('SELECT "timestamp", low, high FROM kraken.btc_usd_candles1m'))
        known = {row.timestamp: (row.low, row.high) for row in rows}
        trades = await platform.rows(text("SELECT time, price FROM trades WHERE symbol = 'BTC/USD'"))
        assert len(trades) > 500
        for trade in trades:
            low, high = known[trade.time.replace(second=0, microsecond=0, tzinfo=UTC)]
            assert low <= trade.price <= high

    async def test_closing_trades_have_a_profit(self, platform: Database) -> None:
        closing = await one(platform, "SELECT count(*) FROM trades WHERE roi IS NOT NULL AND roi_pct IS NOT NULL")
        assert 1_000 < closing < 2_000


class TestCandles:
    @pytest.mark.parametrize("table", CANDLES)
    async def test_every_candle_is_well_formed(self, platform: Database, market: Database, table: str) -> None:
        whole = f"""
            SELECT count(*), min("timestamp"), max("timestamp"), count(*) FILTER (WHERE NOT (
                low <= least(open, close) AND high >= greatest(open, close) AND low > 0 AND vol > 0
                AND date_trunc('minute', "timestamp") = "timestamp"))
            FROM {table}_candles1m
        """
        count, first, last, malformed = await one(market, whole)
        assert malformed == 0
        assert first - (NOW - timedelta(days=90)) < timedelta(hours=1)
        assert last == datetime(2025, 6, 1, 12, 33, tzinfo=UTC)
        assert 0.96 < count / (90 * 24 * 60) < 0.98

    async def test_outages_of_many_minutes_occur(self, platform: Database, market: Database) -> None:
        gaps = 'SELECT "timestamp" - lag("timestamp") OVER (ORDER BY "timestamp") AS gap FROM kraken.btc_usd_candles1m'
        assert await one(market, f"SELECT max(gap) FROM ({gaps}) AS gaps") > timedelta(minutes=20)

    async def test_candle_opens_at_the_close_of_the_previous_one(self, platform: Database, market: Database) -> None:
        steps = """
            SELECT open - lag(close) OVER minutes AS jump, "timestamp" - lag("timestamp") OVER minutes AS pause
            FROM kraken.eth_usd_candles1m WINDOW minutes AS (ORDER BY "timestamp")
        """
        jumps = f"SELECT max(abs(jump)) FROM ({steps}) AS steps WHERE pause = interval '1 minute'"
        assert await one(market, jumps) < 0.011  # a cent, if the two were rounded in opposite directions

    async def test_last_candle_closes_at_the_first_live_price(self, platform: Database, market: Database) -> None:
        close = await one(market, 'SELECT close FROM kraken.btc_usd_candles1m ORDER BY "timestamp" DESC LIMIT 1')
        assert close == Prices(SEED).price("kraken", "BTC/USD", NOW.replace(second=0).timestamp())
