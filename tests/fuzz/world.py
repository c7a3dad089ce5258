"""The target of the fuzzing: a server over the small platform, with live state and candles."""

from __future__ import annotations

import json
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx
from redis.asyncio import Redis

from fullon_graphql.cache import accounts, keys, tickers
from fullon_graphql.cache.accounts import Balance, Position
from fullon_graphql.cache.tickers import Ticker
from fullon_graphql.config import Settings
from fullon_graphql.database import Database
from fullon_graphql.ohlcv.candles import Candle
from fullon_graphql.ohlcv.writer import create_candles, upsert_candles
from fullon_graphql.services.signing_in.sessions import Sessions
from tests.fixtures.rows import ADMIN, TRADER, add_platform
from tests.fixtures.server import ServerProcess, bearer
from tests.fixtures.socket import socket

FAULT: Final = re.compile(r"Internal error\. Please report|INTERNAL_ERROR|Traceback|\"level\": ?\"(?:error|critical)\"")
"""Marks a fault of the server in an answer or in its log. A stored value without a form in the graph is none."""
SHOWN: Final = 600
"""Characters of an answer in a complaint."""


@dataclass(frozen=True)
class World:
    """The server under test, its stores, and clients for them."""

    server: ServerProcess
    settings: Settings
    database: Database
    ohlcv: Database
    redis: Redis
    """A client that reads and writes bytes."""
    http: httpx.AsyncClient
    tokens: dict[int, str] = field(default_factory=dict)
    """Access tokens of the trader and the administrator, which no case may end."""
    openapi: dict[str, Any] = field(default_factory=dict)
    """The paths of REST, and their methods."""

    _read: list[str] = field(default_factory=list)

    def new_log(self) -> list[str]:
        """The lines that the server has logged since the last call."""
        new = self.server.log[len(self._read) :]
        self._read.extend(new)
        return new

    async def ask(self, document: str, uid: int = TRADER, variables: object = None) -> list[str]:
        """Violations in the answer to an operation."""
        body = json.dumps({"query": document, "variables": variables})  # ASCII: lone surrogates can be sent
        headers = bearer(self.tokens[uid]) | {"content-type": "application/json"}
        return complaints(await self.http.post("/graphql", content=body, headers=headers))


def complaints(response: httpx.Response) -> list[str]:
    """Violations in a response: a status or code that only a fault of the server explains."""
    return complaints_about(response.status_code, response.text)


def complaints_about(status: int, text: str) -> list[str]:
    """The same for a response of any client."""
    # pages that are not built yet have no code
    unavailable = status == 503 and ("SERVICE_UNAVAILABLE" in text or "retry-after: " in text)
    if (status >= 500 and not unavailable) or FAULT.search(text):
        return [f"{status} {text[:SHOWN]}"]
    return []


@asynccontextmanager
async def opened(server: ServerProcess, settings: Settings) -> AsyncIterator[World]:
    """The world over a server whose stores are empty."""
    database = Database.connect(settings.database_url, "fuzz", settings)
    ohlcv = Database.connect(settings.ohlcv_database_url, "fuzz", settings)
    try:
        async with (
            Redis.from_url(settings.redis_url) as redis,
            httpx.AsyncClient(base_url=server.url, timeout=60) as http,
        ):
            world = World(server, settings, database, ohlcv, redis, http, {})
            await fill(world)
            yield world
    finally:
        await database.close()
        await ohlcv.close()


async def fill(world: World) -> None:
    """Write rows, candles and live state, and sign in."""
    await add_platform(world.database)
    world.openapi.update((await world.http.get("/openapi.json")).json()["paths"])
    await write_live_state(world)
    minutes = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=n) for n in (0, 1, 2, 5, 6, 13)]
    async with world.ohlcv.transaction() as connection:
        await create_candles(connection, "kraken", "BTC/USD")
        await upsert_candles(connection, "kraken", "BTC/USD", [Candle(time, 1, 3, 0.5, 2, 0.1) for time in minutes])
    sessions = Sessions(world.database, world.redis, world.settings)
    for uid in (TRADER, ADMIN):
        world.tokens[uid] = (await sessions.open(uid, f"user{uid}@fullon")).access_token


async def write_live_state(world: World) -> None:
    """Write valid tickers, balances, positions, a bot's status and a process."""
    await tickers.write(world.redis, [ticker(101)])
    positions = {20: [Position(20, "BTC/USD", -2, 200, 100)]}
    await accounts.write(world.redis, {20: [Balance(20, "USD", 10, 7, 3)]}, positions)
    now, process = datetime.now(UTC).isoformat(), {"component": "x", "status": "running", "params": {"pid": 1}}
    await world.redis.hset(keys.BOT_STATUS, "1", json.dumps({"0": {"status": "running", "timestamp": now}}))
    await world.redis.hset(keys.process_active("bot"), "bot:x:1", now)
    await world.redis.set(
        keys.process_data("bot:x:1"), json.dumps({"process_type": "bot", "updated_at": now} | process)
    )


def ticker(price: float) -> Ticker:
    """A ticker of now."""
    return Ticker("kraken", "BTC/USD", price, time.time(), bid=price - 1, ask=price + 1)


async def remaining_complaints(world: World) -> list[str]:
    """Violations after all cases: of its health, a query or a subscription."""
    health = (await world.http.get("/health")).json()
    found = [f"/health: {issue}" for issue in health["issues"]]
    await write_live_state(world)
    query = '{ me { uid bots { nodes { name } } } ticker(exchange: "kraken", symbol: "BTC/USD") { price } }'
    answer = await world.server.ask(query, world.tokens[TRADER])
    if "errors" in answer or answer["data"]["ticker"] is None:
        found.append(f"query: {str(answer)[:SHOWN]}")
    return found + await _subscription_complaints(world)


async def _subscription_complaints(world: World) -> list[str]:
    async with socket(world.server) as client:
        await client.sign_in({"authorization": f"Bearer {world.tokens[TRADER]}"})
        await client.subscribe("1", 'subscription { ticker(exchange: "kraken", symbol: "BTC/USD") { price } }')
        for price in (None, 4242.0):
            if price:
                await tickers.write(world.redis, [ticker(price)])
            message = await client.receive()
            if message["type"] != "next":
                return [f"subscription: {message}"]
    return []
