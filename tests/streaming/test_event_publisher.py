"""Row changes as messages of NATS JetStream, with a NATS server from its wheel."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from pydantic import SecretStr
from sqlalchemy import delete, insert

from fullon_graphql import models
from fullon_graphql.app import open_state
from fullon_graphql.background import BackgroundTasks
from fullon_graphql.config import Settings
from fullon_graphql.database import Database, sole_process
from fullon_graphql.errors import SettingsError
from fullon_graphql.observability.metrics import Metrics
from fullon_graphql.services.change_feed.table import Position
from fullon_graphql.streaming.connections import ConnectionRegistry
from fullon_graphql.streaming.event_publisher import TASK, EventPublisher
from tests.fixtures.eventually import eventually, eventually_equal
from tests.fixtures.graph import GraphClient, principal
from tests.fixtures.nats_server import NatsServer
from tests.fixtures.order_changes import change_orders, newest_cursor
from tests.fixtures.rows import ADMIN

ORDERS = "subscription ($after: String) { orders(after: $after) { cursor order { id status } } }"


@pytest.fixture
async def nats(tmp_path: Path, unused_tcp_port: int) -> AsyncIterator[NatsServer]:
    server = NatsServer(tmp_path, unused_tcp_port)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
def events_settings(settings: Settings, nats: NatsServer) -> Settings:
    return settings.model_copy(update={"nats_url": SecretStr(nats.url)})


class Publishing:
    """A publisher that runs in the background."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self.metrics = Metrics()
        self.tasks = BackgroundTasks()
        self.publisher = EventPublisher(database, settings, self.metrics)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Publishing]:
        """Run it in the block, which begins once it publishes or stands by."""
        ready = asyncio.Event()

        async def run(report: Any) -> None:
            def reported() -> None:
                report()
                ready.set()

            await self.publisher.run(reported)

        async with self.tasks.running({TASK: run}):
            async with asyncio.timeout(20):
                await ready.wait()
            yield self

    @property
    def is_publisher(self) -> bool:
        return self.publisher.position is not None

    def count(self, result: str) -> int:
        return self.metrics.events_published.counts.get(result, 0)


async def test_each_change_is_a_message_in_order(
    platform: Database, graph: GraphClient, nats: NatsServer, events_settings: Settings
) -> None:
    async with Publishing(platform, events_settings).running() as publishing:
        since = await newest_cursor_or_none(platform)
        await change_orders(platform, [1, 2, 1])
        async with platform.transaction() as connection:
            await connection.execute(
                insert(models.BotLog).values(
                    bot_id=1, feed_num=0, ex_id=1, symbol="BTC/USD", position=0, message="x",
                    timestamp=datetime(2026, 1, 1, tzinfo=UTC),
                )
            )  # fmt: skip
            await connection.execute(delete(models.BotLog).where(models.BotLog.message == "x"))
        await eventually_equal(lambda: stored(publishing), 5)
    found = await nats.messages()
    assert [one["subject"] for one in found] == ["fullon.changes.Order"] * 3 + ["fullon.changes.BotLog"] * 2
    assert [one["__typename"] for one in found] == ["Order"] * 3 + ["BotLog"] * 2
    ids = [one["id"] for one in found]
    data = await graph.as_(principal(ADMIN, admin=True)).data(
        "query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Order { orderId } } }", ids=ids
    )
    assert data["nodes"] == [{"orderId": 1}, {"orderId": 2}, {"orderId": 1}, None, None]
    assert ids[3] == ids[4]
    async with aclosing(graph.as_(principal(ADMIN, admin=True)).stream(ORDERS, after=since)) as events:
        cursors = [(await anext(events)).data["orders"]["cursor"] for _ in range(3)]
    assert cursors == [one["cursor"] for one in found[:3]]


async def test_publisher_resumes_after_nats_was_away_and_delays_no_stream(
    platform: Database, graph: GraphClient, nats: NatsServer, events_settings: Settings
) -> None:
    async with (
        Publishing(platform, events_settings).running() as publishing,
        aclosing(graph.as_(principal(ADMIN, admin=True)).stream(ORDERS)) as events,
    ):
        first = asyncio.ensure_future(anext(events))
        await eventually(lambda: graph.worker.changes.listeners)
        await change_orders(platform, [1])
        assert (await first).data["orders"]["order"]["status"] == "filled"
        await eventually_equal(lambda: stored(publishing), 1)
        await nats.stop()
        await change_orders(platform, [2, 3], "canceled")
        async with asyncio.timeout(5):
            assert [(await anext(events)).data["orders"]["order"]["status"] for _ in range(2)] == ["canceled"] * 2
        await eventually_equal(lambda: down(publishing), [TASK])
        await nats.start()
        await eventually_equal(lambda: stored(publishing), 3)
        await eventually_equal(lambda: down(publishing), [])
        await change_orders(platform, [1], "canceled")
        await eventually_equal(lambda: stored(publishing), 4)
    cursors = [Position.parse(one["cursor"]) for one in await nats.messages()]
    assert len(cursors) == 4
    assert cursors == sorted(set(cursors))


async def test_new_process_continues_after_the_newest_message(
    platform: Database, nats: NatsServer, events_settings: Settings
) -> None:
    async with Publishing(platform, events_settings).running() as publishing:
        await change_orders(platform, [1])
        await eventually_equal(lambda: stored(publishing), 1)
    await change_orders(platform, [2, 3])
    async with Publishing(platform, events_settings).running() as publishing:
        await eventually_equal(lambda: stored(publishing), 2)
        assert publishing.count("duplicate") == 0
    assert len(await nats.messages()) == 3


async def test_message_that_is_published_again_is_stored_once(
    platform: Database, nats: NatsServer, events_settings: Settings
) -> None:
    start = Position.parse(await newest_cursor(platform)) if await newest_cursor_or_none(platform) else Position(0, 0)
    async with Publishing(platform, events_settings).running() as publishing:
        await change_orders(platform, [1, 2])
        await eventually_equal(lambda: stored(publishing), 2)

    async def from_start(*_: object) -> Position:
        return start

    with patch.object(EventPublisher, "_start", from_start):
        async with Publishing(platform, events_settings).running() as again:
            await eventually(lambda: again.count("duplicate") == 2)
    assert len(await nats.messages()) == 2


async def test_one_of_two_processes_publishes_and_the_other_takes_over(
    platform: Database, nats: NatsServer, events_settings: Settings
) -> None:
    standby = Publishing(platform, events_settings)
    with patch.object(sole_process, "STANDBY_SECONDS", 0.05):
        async with Publishing(platform, events_settings).running() as first, standby.running():
            await change_orders(platform, [1, 2])
            await eventually_equal(lambda: stored(first), 2)
            assert (first.is_publisher, standby.is_publisher) == (True, False)
            await first.tasks.stop(*first.tasks._tasks)
            await eventually(lambda: standby.is_publisher)
            await change_orders(platform, [3])
            await eventually_equal(lambda: stored(standby), 1)
    assert len(await nats.messages()) == 3


async def test_changes_that_are_no_longer_stored_are_counted_as_lost(
    platform: Database, nats: NatsServer, events_settings: Settings
) -> None:
    await change_orders(platform, [1])

    async def long_ago(*_: object) -> Position:
        return Position(2**62, 0)  # of another database

    with patch.object(EventPublisher, "_start", long_ago):
        async with Publishing(platform, events_settings).running() as publishing:
            assert publishing.count("lost") == 1
            await change_orders(platform, [2])
            await eventually_equal(lambda: stored(publishing), 1)


async def test_worker_publishes_if_nats_url_is_set(
    platform: Database, nats: NatsServer, settings: Settings, events_settings: Settings
) -> None:
    for its_settings, names in ((settings, set()), (events_settings, {TASK})):
        async with open_state(its_settings, Metrics(), ConnectionRegistry(its_settings)) as state:
            assert state["worker"].background.names & {TASK} == names
    async with open_state(events_settings, metrics := Metrics(), ConnectionRegistry(events_settings)):

        async def is_published() -> int | None:
            await change_orders(platform, [1])  # changes before the publisher's start are not published
            return metrics.events_published.counts.get("stored")

        await eventually(is_published)
    assert await nats.messages()


def test_nats_url_requires_the_extra(database: Database, settings: Settings) -> None:
    with patch.dict("sys.modules", {"nats": None}), pytest.raises(SettingsError, match=r"fullon-graphql\[nats\]"):
        EventPublisher(database, settings, Metrics())


async def stored(publishing: Publishing) -> int:
    return publishing.count("stored")


async def down(publishing: Publishing) -> list[str]:
    return publishing.tasks.down


async def newest_cursor_or_none(database: Database) -> str | None:
    try:
        return await newest_cursor(database)
    except ValueError:
        return None
