"""The stores of the run: servers in a temporary folder, with the demo's data and more bots."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_urlsafe
from typing import Final

import psutil
from pydantic import SecretStr
from redis.asyncio import Redis
from sqlalchemy import make_url, text

from fullon_graphql.cache import tickers
from fullon_graphql.config import Settings
from fullon_graphql.database import Database
from fullon_graphql.embedded.demo import data
from fullon_graphql.embedded.demo.catalogue import INSTRUMENTS, TRADER
from fullon_graphql.embedded.demo.market import SimulatedMarket
from fullon_graphql.embedded.engines.running import running_engines
from fullon_graphql.models.migrate import connect, upgrade
from fullon_graphql.services.signing_in.sessions import Sessions

POOL_SIZE: Final = 10
"""Connections of each server to each database; all together must stay below PostgreSQL's 200."""
COPIES: Final = 3
"""Copies of the trader's bots with their orders: the demo has seven bots, a question needs twenty."""


@dataclass(frozen=True)
class Stores:
    """Their addresses, the caller's token, and the processes whose time is measured."""

    settings: Settings
    token: str
    engines: tuple[psutil.Process, ...]

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a server, the same for all."""
        return {
            "DATABASE_URL": self.settings.database_url,
            "OHLCV_DATABASE_URL": self.settings.ohlcv_database_url,
            "REDIS_URL": self.settings.redis_url,
            "JWT_SECRET_KEY": self.settings.jwt_secret_key.get_secret_value(),
            "DB_POOL_SIZE": str(POOL_SIZE),
            "DB_POOL_MAX_OVERFLOW": "0",
            "POOL_SIZE": str(POOL_SIZE),
            "RATE_LIMIT_REQUESTS": "0",
            "COST_LIMIT_PER_MINUTE": "0",
            "SUBSCRIPTION_COST_PER_SOCKET": "0",
            "SUBSCRIPTION_COST_PER_USER": "0",
            "LOG_LEVEL": "WARNING",
            "DRAIN_SECONDS": "0",
            "NODE_ENV": "production",
            "GRAPHILE_ENV": "production",
            "TZ": "UTC",
        }


@contextmanager
def stores() -> Iterator[Stores]:
    """The filled stores, for the duration of the block."""
    with tempfile.TemporaryDirectory(prefix="fullon-bench-") as folder, running_engines(Path(folder) / "home") as found:
        settings = Settings(
            database_url=found.database_url,
            ohlcv_database_url=found.ohlcv_database_url,
            redis_url=found.redis_url,
            jwt_secret_key=SecretStr(token_urlsafe(32)),
        )
        upgrade(settings.database_url)
        token = asyncio.run(_fill(settings))
        yield Stores(settings, token, tuple(psutil.Process().children()))


def enlarged(small: Stores, factor: int) -> Stores:
    """Copies of both databases with `factor` times the bots, orders and candles; the same newest ones."""
    return asyncio.run(_enlarged(small, factor))


async def _fill(settings: Settings) -> str:
    """Demo data, more bots, one ticker per instrument; a token of the trader."""
    database = Database.connect(settings.database_url, "benchmark", settings)
    ohlcv_database = Database.connect(settings.ohlcv_database_url, "benchmark", settings)
    redis = Redis.from_url(settings.redis_url, decode_responses=True)
    now = datetime.now(UTC)
    try:
        await data.load(database, ohlcv_database, seed=settings.market_seed, now=now)
        await _add_bots(settings.database_url, range(1, COPIES + 1))
        await _settle(settings.ohlcv_database_url)
        market = SimulatedMarket(settings)
        await tickers.write(redis, [market.ticker(each.exchange, each.symbol, now.timestamp()) for each in INSTRUMENTS])
        return (await Sessions(database, redis, settings).open(TRADER.uid, TRADER.mail)).access_token
    finally:
        await redis.aclose()
        await ohlcv_database.close()
        await database.close()


async def _enlarged(small: Stores, factor: int) -> Stores:
    settings = small.settings
    database_url = await _copied(settings.database_url)
    ohlcv_database_url = await _copied(settings.ohlcv_database_url)
    await _add_bots(database_url, range(COPIES + 1, (COPIES + 1) * factor))
    await _add_candles(ohlcv_database_url, factor)
    urls = {"database_url": database_url, "ohlcv_database_url": ohlcv_database_url}
    return replace(small, settings=settings.model_copy(update=urls))


async def _copied(url: str) -> str:
    name = make_url(url).database
    async with connect(make_url(url).set(database="postgres")) as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text(f"CREATE DATABASE {name}_large TEMPLATE {name}"))
    return make_url(url).set(database=f"{name}_large").render_as_string(hide_password=False)


async def _add_bots(url: str, copies: range) -> None:
    """Copy the trader's bots that have orders. The copies come after the originals by key."""
    bots = ", ".join(["b.bot_id + 1000 * copy", "uid", "name", "dry_run", "active", "timestamp"])
    columns = (
        "uid, ex_id, cat_ex_id, ex_order_id, exchange, symbol, order_type, side, volume, final_volume, price, plimit,"
        " tick, leverage, futures, status, command, reason, timestamp"
    )
    given = {"uid": TRADER.uid, "first": copies.start, "last": copies.stop - 1}
    async with connect(url) as connection, connection.begin():
        await connection.execute(
            text(f"""
                INSERT INTO bots (bot_id, uid, name, dry_run, active, timestamp)
                SELECT {bots} FROM bots b, generate_series(CAST(:first AS int), CAST(:last AS int)) AS copy
                WHERE uid = :uid AND bot_id < 1000 AND EXISTS (SELECT FROM orders o WHERE o.bot_id = b.bot_id)
            """),
            given,
        )
        await connection.execute(
            text(f"""
                INSERT INTO orders (order_id, bot_id, {columns})
                SELECT order_id + 100000 * copy, bot_id + 1000 * copy, {columns}
                FROM orders, generate_series(CAST(:first AS int), CAST(:last AS int)) AS copy
                WHERE uid = :uid AND bot_id < 1000
            """),
            given,
        )
    await _settle(url)


async def _add_candles(url: str, factor: int) -> None:
    """Add older candles of BTC/USD on kraken."""
    async with connect(url) as connection, connection.begin():
        await connection.execute(
            text("""
                INSERT INTO kraken.btc_usd_candles1m (timestamp, open, high, low, close, vol)
                SELECT timestamp - copy * span, open, high, low, close, vol
                FROM kraken.btc_usd_candles1m,
                    (SELECT max(timestamp) - min(timestamp) + interval '1 minute' AS span
                     FROM kraken.btc_usd_candles1m) AS past,
                    generate_series(1, CAST(:copies AS int)) AS copy
            """),
            {"copies": factor - 1},
        )
    await _settle(url)


async def _settle(url: str) -> None:
    """Run the work of autovacuum now, so that it does not run during a measurement."""
    async with connect(url) as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text("VACUUM (ANALYZE, FREEZE)"))
        await connection.execute(text("CHECKPOINT"))
