"""Live data of many symbols: processor time, memory and delay of the services process.

The exchange is a process on this machine that speaks Kraken's WebSocket protocol, read by ccxt as in production.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles
from typing import Final

import psutil
from redis.asyncio import Redis
from sqlalchemy import insert

from benchmarks.exchange import symbols
from benchmarks.machine import CORES, on_the_servers_core, quiet
from benchmarks.report import number, table
from benchmarks.servers import seconds_of
from fullon_graphql.cache import keys, market_feeds
from fullon_graphql.cache.market_feeds import FeedState
from fullon_graphql.config import Settings
from fullon_graphql.daemons.history import prepare_tables
from fullon_graphql.database import Database
from fullon_graphql.embedded.engines.running import running_engines
from fullon_graphql.models import CatExchange, Symbol
from fullon_graphql.models.migrate import upgrade
from fullon_graphql.ohlcv.sources import Market
from tests.fixtures.eventually import eventually

KINDS: Final = {"tickers": ("ticker", "ticker"), "trades": ("ohlcv", "trade")}
"""The service and the exchange's channel of each kind."""
SAMPLED: Final = 50
"""Symbols whose delay is measured, so that the measurement does not disturb."""
WARM_UP: Final = 5
"""Seconds with all updates before the measurement."""


def feeds(*, count: int, rate: int, seconds: int) -> None:
    """Measure and print the report."""
    print(f"{len(CORES)} cores; {count} symbols, {rate} updates per second each; {quiet()}.\n")
    rows = [[kind, *_measured(kind, count, rate, seconds)] for kind in KINDS]
    heads = ["updates of", "arrived per second", "cores", "µs per update", "memory, MB", "delay p50, ms", "p99, ms"]
    print(table(heads, rows))


def _measured(kind: str, count: int, rate: int, seconds: int) -> list[str]:
    service, channel = KINDS[kind]
    with (
        tempfile.TemporaryDirectory(prefix="fullon-bench-") as folder,
        running_engines(Path(folder) / "home") as engines,
    ):
        settings = Settings(
            database_url=engines.database_url,
            ohlcv_database_url=engines.ohlcv_database_url,
            redis_url=engines.redis_url,
        )
        upgrade(settings.database_url)
        asyncio.run(_add_symbols(settings, count))
        with _exchange(channel, count, rate) as urls, _services(settings, service, urls) as process:
            return asyncio.run(_figures(settings, kind, process, count, seconds))


async def _add_symbols(settings: Settings, count: int) -> None:
    database = Database.connect(settings.database_url, "benchmark", settings)
    rows = [
        {"cat_ex_id": 1, "symbol": name, "base": name.partition("/")[0], "only_ticker": False}
        for name in symbols(count)
    ]
    async with database.transaction() as connection:
        await connection.execute(insert(CatExchange), {"cat_ex_id": 1, "name": "kraken", "ohlcv_view": ""})
        await connection.execute(insert(Symbol), rows)
    await database.close()
    await _create_tables(settings, count)


async def _create_tables(settings: Settings, count: int) -> None:
    """Create the tables of candles, which is no part of the measurement."""
    database = Database.connect(settings.ohlcv_database_url, "benchmark", settings)
    for name in symbols(count):
        await prepare_tables(database, Market("kraken", name))
    await database.close()


@contextmanager
def _exchange(channel: str, count: int, rate: int) -> Iterator[str]:
    command = [sys.executable, "-m", "benchmarks.exchange", channel, str(count), str(rate)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


@contextmanager
def _services(settings: Settings, service: str, urls: str) -> Iterator[psutil.Process]:
    environment = os.environ | {
        "DATABASE_URL": settings.database_url,
        "OHLCV_DATABASE_URL": settings.ohlcv_database_url,
        "REDIS_URL": settings.redis_url,
        "EXCHANGE_URLS": urls,
        "SERVICES_TO_AUTO_START": json.dumps([service]),
        "CANDLE_HISTORY_DAYS": "0",
        "LOG_LEVEL": "WARNING",
    }
    command = on_the_servers_core([sys.executable, "-m", "fullon_graphql.cli", "services"])
    with subprocess.Popen(command, env=environment) as process:
        try:
            yield psutil.Process(process.pid)
        finally:
            process.terminate()


async def _figures(settings: Settings, kind: str, process: psutil.Process, count: int, seconds: int) -> list[str]:
    redis = Redis.from_url(settings.redis_url, decode_responses=True)
    try:
        await _until_live(redis)
        await asyncio.sleep(WARM_UP)
        used, started = seconds_of([process]), time.monotonic()
        delays, arrived = await (_of_tickers if kind == "tickers" else _of_reports)(redis, count, seconds)
        passed, used = time.monotonic() - started, seconds_of([process]) - used
        percentiles = quantiles(delays, n=100)
        memory = process.memory_info().rss / 2**20
        per_update = number(used / (arrived * passed) * 1e6) if arrived else "-"
        rate = number(arrived) if arrived else "-"
        return [
            rate,
            number(used / passed),
            per_update,
            number(memory),
            *map(number, (percentiles[49], percentiles[98])),
        ]
    finally:
        await redis.aclose()


async def _until_live(redis: Redis) -> None:
    async def is_live() -> bool:
        return any(one.state is FeedState.LIVE for one in await market_feeds.read(redis))

    await eventually(is_live, seconds=120)


async def _of_tickers(redis: Redis, count: int, seconds: int) -> tuple[list[float], float]:
    """Milliseconds from the update until Redis publishes it, and the published updates per second of all symbols."""
    sampled = symbols(count)[:: max(1, count // SAMPLED)]
    delays: list[float] = []
    async with redis.pubsub() as pubsub:
        await pubsub.subscribe(*(keys.ticker_updates("kraken", name) for name in sampled))
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=left)
            if message:
                delays.append((time.time() - json.loads(message["data"])["price"]) * 1000)
    return delays, len(delays) / seconds * count / len(sampled)


async def _of_reports(redis: Redis, _count: int, seconds: int) -> tuple[list[float], float]:
    """Milliseconds from the trade until the feed has read it, as `feedStatus` reports once a second."""
    delays: list[float] = []
    for _ in range(max(2, seconds)):
        await asyncio.sleep(1)
        delays += [one.lag_ms for one in await market_feeds.read(redis) if one.lag_ms is not None]
    return delays, 0.0
