"""Servers for the whole run, empty stores for each test; see tests/fixtures/harness.py."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict
from functools import cache
from typing import Any

import pytest
from httpx._transports import default as httpx_transports
from pydantic import SecretStr
from redis.asyncio import Redis

from fullon_graphql.config import Settings
from fullon_graphql.config.sources import names
from fullon_graphql.database import Database
from tests.fixtures import counters
from tests.fixtures.empty_stores import empty
from tests.fixtures.harness import Harness, Stores
from tests.fixtures.store_connections import StoreConnections

pytest_plugins = [
    "tests.fixtures.clients",
    "tests.fixtures.graph",
    "tests.fixtures.issuer",
    "tests.fixtures.rows",
    "tests.fixtures.server",
    "tests.fixtures.signing_in",
    "tests.fixtures.rest",  # last, because it imports modules that must be registered before
]

HARNESS = pytest.StashKey[Harness]()

Count = Callable[[], AbstractContextManager[list[str]]]


def pytest_configure(config: pytest.Config) -> None:
    """Remove the developer's settings from the environment; the first process of the run owns its servers."""
    for name in (name for field in Settings.model_fields for name in names(field)):
        os.environ.pop(name, None)
    os.environ["FULLON_ENV_FILE"] = os.environ["FULLON_CONFIG"] = os.devnull
    # A client of httpx reads all certificate authorities, which takes longer than most requests of the tests.
    httpx_transports.create_ssl_context = cache(httpx_transports.create_ssl_context)  # type: ignore[attr-defined]  # an import of httpx
    if hasattr(config, "workerinput"):
        return
    os.environ["FULLON_HOME"] = os.devnull  # so that no running demo is found
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends the run in order, as Ctrl-C does
    config.stash[HARNESS] = Harness()
    config.add_cleanup(config.stash[HARNESS].close)


@pytest.hookimpl(optionalhook=True)  # a hook of xdist
def pytest_configure_node(node: Any) -> None:
    """Pass the stores to a worker."""
    node.workerinput["stores"] = asdict(node.config.stash[HARNESS].stores(node.gateway.id))


@pytest.fixture(scope="session")
def stores(pytestconfig: pytest.Config) -> Stores:
    """The stores of this worker, or of the only process."""
    if hasattr(pytestconfig, "workerinput"):
        return Stores(**pytestconfig.workerinput["stores"])
    return pytestconfig.stash[HARNESS].stores("main")


@pytest.fixture(scope="session")
def store_connections() -> Iterator[StoreConnections]:
    """The connections that empty the stores."""
    connections = StoreConnections()
    yield connections
    connections.close()


@pytest.fixture
async def settings(stores: Stores, store_connections: StoreConnections) -> Settings:
    """Settings for this worker's stores, which are empty."""
    await empty(stores, store_connections)
    return Settings(
        database_url=stores.database_url,
        ohlcv_database_url=stores.ohlcv_database_url,
        redis_url=stores.redis_url,
        jwt_secret_key=SecretStr("a secret of the tests, long enough for HS256"),
        db_pool_size=5,
        db_pool_max_overflow=5,
        rate_limit_requests=1_000_000,  # tests of the limits set their own
        cost_limit_per_minute=10**12,
        drain_seconds=0,
    )


@pytest.fixture
def environment(settings: Settings) -> dict[str, str]:
    """An environment with the same settings, for commands and servers that a test starts."""
    return os.environ | {
        "DATABASE_URL": settings.database_url,
        "OHLCV_DATABASE_URL": settings.ohlcv_database_url,
        "REDIS_URL": settings.redis_url,
        "JWT_SECRET_KEY": settings.jwt_secret_key.get_secret_value(),
        "RATE_LIMIT_REQUESTS": str(settings.rate_limit_requests),
        "COST_LIMIT_PER_MINUTE": str(settings.cost_limit_per_minute),
        "DRAIN_SECONDS": "0",
        "QUERY_REPETITION_LIMIT": "2000",  # frames of slow readers repeat one field
    }


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    """The migrated database of users, bots and orders."""
    database = Database.connect(settings.database_url, "tests", settings)
    yield database
    await database.close()


@pytest.fixture
async def ohlcv_database(settings: Settings) -> AsyncIterator[Database]:
    """The candle store's database, without any table."""
    database = Database.connect(settings.ohlcv_database_url, "tests", settings)
    yield database
    await database.close()


@pytest.fixture
async def redis(settings: Settings) -> AsyncIterator[Redis]:
    """A client of this worker's Redis; answers are text.

    It has no timeout: with one, redis-py may swallow the cancellation of its task, and a test could hang.
    """
    async with Redis.from_url(settings.redis_url, decode_responses=True, socket_timeout=None) as client:
        yield client


@pytest.fixture
def statements() -> Count:
    """Count SQL: `with statements() as seen: …`, then `len(seen)`."""
    return counters.statements


@pytest.fixture
def redis_calls() -> Count:
    """Count Redis round trips: `with redis_calls() as seen: …`, then `len(seen)`."""
    return counters.redis_calls
