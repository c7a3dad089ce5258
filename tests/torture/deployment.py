"""The deployments under test: engines of their own, which are restarted, and a server of two workers."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
from redis.asyncio import Redis

from fullon_graphql import models
from fullon_graphql.cache.client import connect
from fullon_graphql.config import Settings
from fullon_graphql.database import Database
from fullon_graphql.embedded.engines import postgres, redis
from fullon_graphql.embedded.engines.data_folder import socket_folder
from fullon_graphql.models.migrate import create_databases, upgrade
from fullon_graphql.ohlcv.writer import create_candles
from fullon_graphql.services.signing_in.sessions import Sessions
from tests.fixtures.eventually import eventually
from tests.fixtures.rows import ADMIN, OTHER, TRADER, add, person
from tests.fixtures.sentinel import SentinelDeployment, sentinel_deployment
from tests.fixtures.server import ServerProcess, running
from tests.torture.writers import ACCOUNT, CANDLE_SYMBOL

SECRET = "a secret of the torture, long enough for HS256"
BACKLOG = 50
"""Events that may wait for a subscriber: few, so that a client that resumes late is LAGGED."""


class Engine:
    """A store that can be restarted with its data."""

    def __init__(self, opened: Callable[[], AbstractContextManager[psutil.Process]]) -> None:
        self._opened = opened
        self._running: AbstractContextManager[psutil.Process] | None = None
        self.process: psutil.Process | None = None

    async def start(self) -> None:
        running = self._opened()
        self.process = await asyncio.to_thread(running.__enter__)
        self._running = running

    async def stop(self) -> None:
        """Stop the store in order."""
        if self._running:
            running, self._running = self._running, None
            await asyncio.to_thread(running.__exit__, None, None, None)

    async def restart(self, number: signal.Signals) -> None:
        """End the store by a signal and start it again."""
        assert self.process
        self.process.send_signal(number)
        await self.stop()
        await self.start()


class RedisBehindSentinel:
    """Redis with a replica and Sentinels, in place of a single server. A restart of the master is a failover."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running = ExitStack()
        self._servers: SentinelDeployment | None = None

    @property
    def url(self) -> str:
        assert self._servers
        return self._servers.url

    async def start(self) -> None:
        opened = sentinel_deployment(self._folder, durable=True)
        self._servers = await asyncio.to_thread(self._running.enter_context, opened)
        await self._become_complete()

    async def stop(self) -> None:
        """Stop everything in order."""
        await asyncio.to_thread(self._running.close)

    async def restart(self, number: signal.Signals) -> None:
        """End the master by a signal, and start it again once another server is the master."""
        assert self._servers
        servers, master = self._servers, self._servers.master
        await asyncio.to_thread(master.stop, number)
        await eventually(lambda: servers.master is not master, seconds=60)
        await asyncio.to_thread(master.start)
        await self._become_complete()

    async def _become_complete(self) -> None:
        assert self._servers
        servers = self._servers
        await eventually(lambda: servers.is_complete, seconds=60)


@dataclass(frozen=True)
class Deployment:
    """The running stores, the address for clients, and a token for each of the three users."""

    settings: Settings
    url: str
    redis: Engine | RedisBehindSentinel
    tokens: dict[int, str]


@dataclass(frozen=True)
class OneServer(Deployment):
    """One server, and one PostgreSQL."""

    postgres: Engine
    server: ServerProcess

    @property
    def workers(self) -> list[psutil.Process]:
        """The worker processes."""
        children = psutil.Process(self.server.process.pid).children()
        return [child for child in children if "spawn_main" in " ".join(_command(child))]

    @property
    def services(self) -> list[psutil.Process]:
        """The services process; none while it is restarted."""
        children = psutil.Process(self.server.process.pid).children()
        return [child for child in children if _command(child)[-1:] == ["services"]]


@asynccontextmanager
async def one_server(clients: int, *, sentinel: bool = False) -> AsyncIterator[OneServer]:
    """A deployment that accepts `clients` connections per user; with `sentinel`, its Redis is behind Sentinel."""
    with TemporaryDirectory(prefix="fullon-tests-") as name, socket_folder(Path(name)) as sockets:
        folder = Path(name)
        stores = Engine(lambda: postgres.postgres(folder / "postgres", sockets))
        behind_sentinel = RedisBehindSentinel(folder / "sentinel")
        live = behind_sentinel if sentinel else Engine(lambda: redis.redis(folder / "redis", sockets))
        try:
            await stores.start()
            await live.start()
            settings = Settings(
                database_url=postgres.address(sockets, "torture"),
                ohlcv_database_url=postgres.address(sockets, "torture_ohlcv"),
                redis_url=behind_sentinel.url if sentinel else redis.address(sockets),
                jwt_secret_key=SECRET,  # type: ignore[arg-type]  # pydantic makes a secret of it
                db_pool_size=5,
            )
            tokens = await fill(settings)
            async with running(environment(settings, clients), "/health/ready", "--workers", "2") as server:
                yield OneServer(settings, server.url, live, tokens, stores, server)
        finally:
            await live.stop()
            await stores.stop()


@asynccontextmanager
async def redis_client(settings: Settings) -> AsyncIterator[Redis]:
    """A Redis client of ours, because redis-py's own may lose a cancellation."""
    async with connect(settings.redis_url, settings, "torture") as redis:
        yield redis


@asynccontextmanager
async def candle_store(settings: Settings) -> AsyncIterator[Database]:
    """The database of candles."""
    database = Database.connect(settings.ohlcv_database_url, "torture", settings)
    try:
        yield database
    finally:
        await database.close()


def environment(settings: Settings, clients: int) -> dict[str, str]:
    """The environment of a server that accepts `clients` connections per user."""
    return os.environ | {
        "DATABASE_URL": settings.database_url,
        "OHLCV_DATABASE_URL": settings.ohlcv_database_url,
        "REDIS_URL": settings.redis_url,
        "JWT_SECRET_KEY": SECRET,
        "SOCKETS_PER_USER": str(clients + 10),
        "RATE_LIMIT_REQUESTS": "0",  # all clients of an account connect again after each fault
        "STREAM_BACKLOG": str(BACKLOG),
        "WEBHOOK_PRIVATE_NETWORKS": "true",
        "CIRCUIT_BREAKER_TIMEOUT": "0.5",  # stores return within seconds
    }


async def fill(settings: Settings) -> dict[int, str]:
    """Create the databases and their rows; returns a token for each user."""
    await asyncio.to_thread(create_databases, settings.database_url, settings.ohlcv_database_url)
    await asyncio.to_thread(upgrade, settings.database_url)
    database = Database.connect(settings.database_url, "torture", settings)
    try:
        async with candle_store(settings) as store, store.transaction() as connection:
            await create_candles(connection, "kraken", CANDLE_SYMBOL)
        await add(database, models.User, person(ADMIN, role="ADMIN"), person(TRADER), person(OTHER))
        await add(database, models.CatExchange, {"cat_ex_id": 1, "name": "kraken"})
        await add(database, models.Exchange, {"ex_id": ACCOUNT, "uid": TRADER, "cat_ex_id": 1, "name": "main"})
        bots = ((1, TRADER), (2, TRADER), (6, OTHER))
        await add(database, models.Bot, *({"bot_id": bot, "uid": uid, "name": f"bot {bot}"} for bot, uid in bots))
        async with redis_client(settings) as redis:
            sessions = Sessions(database, redis, settings)
            users = (ADMIN, TRADER, OTHER)
            return {uid: (await sessions.open(uid, f"user{uid}@fullon")).access_token for uid in users}
    finally:
        await database.close()


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:  # it has ended meanwhile
        return []
