"""The state of background services as administrators receive it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
from redis.asyncio import Redis

from fullon_graphql.background import BackgroundTasks
from fullon_graphql.cache import keys
from fullon_graphql.config import Settings
from fullon_graphql.daemons.control.runner import ServiceRunner
from fullon_graphql.daemons.daemon import Resources
from tests.daemons.specimens import PATH
from tests.fixtures.graph import ANONYMOUS, Answer, GraphClient, principal
from tests.fixtures.rows import ADMIN, TRADER

ONE = "subscription { serviceStatus(name: TICKER) { name state isRunning } }"
ALL = "subscription { serviceStatus { name state } }"
START = "mutation { startService(name: TICKER) { state } }"
STOP = "mutation { stopService(name: TICKER) { state } }"


@pytest.fixture(autouse=True)
def _calm(settings: Settings) -> None:
    settings.ticker_daemon = f"{PATH}Calm"


@pytest.fixture
async def _runner(_calm: None, settings: Settings, graph: GraphClient) -> AsyncIterator[None]:
    """The services process, as a task of this one."""
    worker, tasks = graph.worker, BackgroundTasks()
    resources = Resources(settings, worker.database, worker.ohlcv_database, worker.redis)
    async with ServiceRunner(settings, resources, worker.hub, tasks, "tests"):
        yield


@pytest.fixture
def admin(_runner: None, graph: GraphClient) -> GraphClient:
    return graph.as_(principal(ADMIN, admin=True))


async def states(stream: AsyncIterator[Answer], last: str) -> list[str]:
    """The delivered states up to the last one."""
    received: list[str] = []
    async with asyncio.timeout(60):
        while last not in received:
            answer = await anext(stream)
            assert not answer.errors, answer.errors
            assert answer.data["serviceStatus"]["name"] == "TICKER"
            received.append(answer.data["serviceStatus"]["state"])
    return received


async def test_administrator_receives_the_start_and_stop_of_a_service(admin: GraphClient) -> None:
    async with aclosing(admin.stream(ONE)) as stream:
        assert await states(stream, "STOPPED") == ["STOPPED"]
        await admin.data(START)
        assert (await states(stream, "RUNNING"))[-1] == "RUNNING"
        await admin.data(STOP)
        assert (await states(stream, "STOPPED"))[-1] == "STOPPED"


async def test_without_a_name_every_service_is_sent(admin: GraphClient) -> None:
    async with aclosing(admin.stream(ALL)) as stream:
        received = [(await anext(stream)).data["serviceStatus"] for _ in range(3)]
        assert received == [{"name": name, "state": "STOPPED"} for name in ("TICKER", "OHLCV", "ACCOUNT")]


async def test_heartbeat_alone_is_not_sent(admin: GraphClient, redis: Redis) -> None:
    async with aclosing(admin.stream(ONE)) as stream:
        assert await states(stream, "STOPPED") == ["STOPPED"]
        await redis.hset(keys.service_report("ticker"), mapping={"fence": 0, "state": "stopped", "generation": 0,
                         "started_at": "", "heartbeat_at": "2024-01-01T00:00:00+00:00", "error": ""})  # fmt: skip
        await redis.publish(keys.service_changes("ticker"), "")
        await admin.data(START)
        assert "STOPPED" not in await states(stream, "RUNNING")


@pytest.mark.parametrize(
    ("caller", "code"), [(principal(TRADER), "FORBIDDEN"), (ANONYMOUS, "UNAUTHENTICATED")]
)  # fmt: skip
async def test_services_subscription_requires_admin(graph: GraphClient, caller: object, code: str) -> None:
    async with aclosing(graph.as_(caller).stream(ALL)) as stream:  # type: ignore[arg-type]  # one of the two kinds
        assert (await anext(stream)).codes == [code]
