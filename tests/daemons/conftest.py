"""Service runners, managers, and the instruments the daemons work on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from sqlalchemy import insert

from fullon_graphql.background import BackgroundTasks
from fullon_graphql.cache import keys
from fullon_graphql.cache.client import connect
from fullon_graphql.cache.hub import Hub, Topic
from fullon_graphql.config import Settings
from fullon_graphql.daemons.control.manager import ServiceManager
from fullon_graphql.daemons.control.runner import ServiceRunner
from fullon_graphql.daemons.control.state import ServiceName, ServiceState, ServiceStatus, Timing
from fullon_graphql.daemons.daemon import Resources
from fullon_graphql.database import Database
from fullon_graphql.models import CatExchange, Exchange, Symbol, User
from tests.daemons.specimens import PATH, Fragile, FromThePlatform, Script, Unstoppable, Witness

TICKER = ServiceName.TICKER

FAST = Timing(
    interval=0.1, lease=1.5, margin=0.5, start=0.5, stop=0.5, command=10, first_backoff=0.05, longest_backoff=0.4
)


class Manager(ServiceManager):
    """A manager that can also wait for states."""

    async def becomes(self, *states: ServiceState) -> list[ServiceStatus]:
        """Wait until the ticker service has been in each of `states`, in that order; return these statuses."""
        met: list[ServiceStatus] = []
        async with asyncio.timeout(15), self._hub.listen([Topic(keys.service_changes(TICKER))]) as mailbox:
            while len(met) < len(states):
                status = await self.status(TICKER)
                if status.state is states[len(met)] and status not in met:
                    met.append(status)
                else:
                    await mailbox.news_until(asyncio.get_running_loop().time() + 0.1)
        return met


RunServices = Callable[..., AbstractAsyncContextManager[Manager]]


@pytest.fixture
async def resources(settings: Settings, database: Database, ohlcv_database: Database) -> AsyncIterator[Resources]:
    async with connect(settings.redis_url, settings, "tests") as client:
        yield Resources(settings, database, ohlcv_database, client)


@pytest.fixture
def run_services(settings: Settings, resources: Resources) -> RunServices:
    """`async with run_services("one", ticker="Calm") as manager`: a runner with its own connections, and a manager."""

    @asynccontextmanager
    async def run(runner_id: str, timing: Timing = FAST, **changes: object) -> AsyncIterator[Manager]:
        daemons = {name: f"{PATH}{daemon}" for name, daemon in changes.items() if name in list(ServiceName)}
        changed = settings.model_copy(update=changes | {f"{name}_daemon": path for name, path in daemons.items()})
        tasks = BackgroundTasks()
        async with (
            connect(settings.redis_url, settings, "tests") as client,
            connect(settings.redis_url, settings, "tests") as listener,
            Hub(listener, 5, tasks) as hub,
        ):
            own = Resources(changed, resources.database, resources.ohlcv_database, client)
            async with ServiceRunner(changed, own, hub, tasks, runner_id, timing):
                yield Manager(client, hub, timing)

    return run


@pytest.fixture
async def manager(settings: Settings, resources: Resources) -> AsyncIterator[Manager]:
    """A manager in a process that runs no services."""
    async with connect(settings.redis_url, settings, "tests") as listener, Hub(listener, 5) as hub:
        yield Manager(resources.redis, hub, FAST)


@pytest.fixture(autouse=True)
def _reset_specimens() -> Iterator[None]:
    Witness.stops, Fragile.failures_left, Fragile.message = [], 0, "the exchange hung up"
    FromThePlatform.failures_left = 0
    FromThePlatform.calls.clear()
    Unstoppable.let_go = False
    Script.ticks, Script.deals, Script.ends = [], [], False
    Script.finished = set()
    yield
    Unstoppable.let_go = True


@pytest.fixture
async def market(database: Database, settings: Settings) -> None:
    """Two exchanges, three symbols (one with tickers only), two active accounts, an inactive one, a scripted feed."""
    settings.market_feed = f"{PATH}Script"
    async with database.transaction() as connection:
        await connection.execute(
            insert(CatExchange),
            [
                {"cat_ex_id": 1, "name": "kraken", "ohlcv_view": ""},
                {"cat_ex_id": 2, "name": "bitmex", "ohlcv_view": ""},
            ],
        )
        await connection.execute(
            insert(Symbol),
            [
                {"symbol": "BTC/USD", "cat_ex_id": 1, "base": "BTC", "quote": "USD", "only_ticker": False},
                {"symbol": "GOLD", "cat_ex_id": 1, "base": "GOLD", "quote": "USD", "only_ticker": True},
                {"symbol": "BTC/USD:BTC", "cat_ex_id": 2, "base": "BTC", "quote": "USD", "only_ticker": False},
            ],
        )
        person = {"password": "", "f2a": "---", "role": "USER", "lastname": "", "phone": "", "id_num": ""}
        await connection.execute(insert(User), [person | {"uid": 1, "mail": "a@b.c", "name": "A"}])
        await connection.execute(
            insert(Exchange),
            [
                {"ex_id": 11, "uid": 1, "cat_ex_id": 1, "name": "one", "active": True},
                {"ex_id": 12, "uid": 1, "cat_ex_id": 2, "name": "two", "active": True},
                {"ex_id": 13, "uid": 1, "cat_ex_id": 2, "name": "closed", "active": False},
            ],
        )
