"""Every background task of a worker: a failure is reported in `/health` and counted, and the task is restarted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any, Final

import pytest

from fullon_graphql.app import worker
from fullon_graphql.auth.credentials import BearerToken
from fullon_graphql.cache.hub import Hub
from fullon_graphql.config import Settings
from fullon_graphql.context import Worker
from fullon_graphql.database import Database
from fullon_graphql.models import Order
from fullon_graphql.rest.health import health
from fullon_graphql.services.change_feed import pruning
from fullon_graphql.services.change_feed.reader import ChangeFeed
from fullon_graphql.services.change_feed.table import Interest
from fullon_graphql.services.rate_limits import CostLimiter, RateLimiter
from fullon_graphql.services.signing_in import revocation
from fullon_graphql.streaming.connections import Connection, ConnectionRegistry
from tests.fixtures.eventually import eventually
from tests.fixtures.graph import principal
from tests.fixtures.rows import TRADER

FAULTS: Final[dict[str, tuple[Any, str]]] = {
    "hub": (Hub, "_read"),
    "change feed": (ChangeFeed, "_read_table"),
    "pruning of changes": (pruning, "prune"),
    "rate limits": (RateLimiter, "_add_all"),
    "cost limits": (CostLimiter, "_add_all"),
    "revocations": (ConnectionRegistry, "_check_revoked"),
    "revocations by other programs": (revocation, "_notifications"),
    "credentials": (ConnectionRegistry, "_check"),
}
"""The attribute of a class or module that is broken for each task."""
UNBROKEN: Final = {"retention of the audit log", "log of sign-ins", "switches that halt trading", "blocks of halts"}
"""Tasks that wait for several seconds or longer between two steps."""


@asynccontextmanager
async def busy_worker(settings: Settings) -> AsyncIterator[Worker]:
    """A worker whose tasks all have something to do."""
    connections = ConnectionRegistry(settings.model_copy(update={"socket_recheck_interval": 0.01}))
    caller = principal(TRADER)
    connection = Connection(BearerToken("token"), caller, lambda _: None, lambda _: None)

    async def follow(changes: ChangeFeed) -> None:
        async with aclosing(changes.follow(Interest(Order, uid=TRADER))) as batches:
            async for _ in batches:
                pass

    async with worker(settings) as parts, connections.watch_credentials(parts), asyncio.TaskGroup() as group:
        with connections.registered(connection):
            follower = group.create_task(follow(parts.changes))
            parts.rate_limits.spend(caller, None)
            parts.cost_limits.spend(caller, None, 1)
            yield parts
        follower.cancel()


@pytest.mark.parametrize("task", FAULTS)
async def test_failed_task_is_reported_and_restarted(
    settings: Settings, platform: Database, monkeypatch: pytest.MonkeyPatch, task: str
) -> None:
    owner, name = FAULTS[task]
    works, is_broken = getattr(owner, name), True

    def breakable(*arguments: Any, **options: Any) -> Any:
        if is_broken:
            raise RuntimeError("injected")
        return works(*arguments, **options)

    monkeypatch.setattr(pruning, "PERIOD", 0.01)
    monkeypatch.setattr(owner, name, breakable)
    issue = f"Background task {task!r} is down"
    async with busy_worker(settings) as parts:
        await eventually(lambda: parts.background.failures.get(task, 0) >= 2)  # it was restarted at least once

        async def is_reported() -> bool:
            page = await health(parts)
            return page.status == "degraded" and issue in page.issues

        await eventually(is_reported)  # between two failures it is up for a moment
        is_broken = False
        await eventually(lambda: parts.background.down == [])
        assert (await health(parts)).issues == []


async def test_worker_names_all_its_tasks(settings: Settings, platform: Database) -> None:
    async with busy_worker(settings) as parts:
        await eventually(lambda: parts.background.names == FAULTS.keys() | UNBROKEN)
