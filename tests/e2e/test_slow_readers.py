"""A client that stops reading costs a bounded amount of memory and delays no other client."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from itertools import count
from typing import Any, Final

import psutil
import pytest
from redis.asyncio import Redis
from sqlalchemy import text

from fullon_graphql.config import Settings
from fullon_graphql.database import Database
from tests.e2e.test_socket_life import ending
from tests.e2e.test_streams_over_http import gauges
from tests.fixtures.eventually import eventually
from tests.fixtures.order_changes import newest_cursor
from tests.fixtures.rows import TRADER
from tests.fixtures.server import ServerProcess, StartServer, bearer
from tests.fixtures.signing_in import SignIn
from tests.fixtures.slow_clients import BIG, narrow_response, narrow_socket, publish, publish_and_receive
from tests.fixtures.socket import Socket, socket

FULL: Final = 100
"""Number of frames that fill every buffer between server and client."""
FRAMES: Final = 2_000
"""Number of frames; together they have more than 400 MB."""
ALLOWED: Final = 60_000_000
"""Bytes by which the memory of the server may grow."""


@pytest.fixture
def server(server_process: ServerProcess) -> ServerProcess:
    """A server in a process of its own, whose memory and log the tests read."""
    return server_process


async def check_memory(server: ServerProcess, redis: Redis, quick: Socket) -> None:
    """While one of its clients does not read, the server sends each price to `quick` at once, and does not grow."""
    await publish_and_receive(redis, quick, range(1, FULL))
    before = server.memory
    await publish_and_receive(redis, quick, range(FULL, FRAMES + 1))
    assert server.memory - before < ALLOWED


def skipped_to_the_newest(prices: Sequence[float]) -> bool:
    return prices == sorted(set(prices)) and prices[-1] == FRAMES and len(prices) < FRAMES / 2


async def test_socket_that_stops_reading_states_costs_bounded_memory_and_resumes_with_the_newest(
    server: ServerProcess, sign_in: SignIn, redis: Redis
) -> None:
    token = await sign_in(TRADER)
    await publish(redis, 0.5)
    async with narrow_socket(server) as slow, socket(server) as quick:
        for client in (slow, quick):
            await client.sign_in({"authorization": token})
            await client.subscribe("1", BIG)
        assert (await quick.next("1"))["ticker"]["price"] == 0.5
        await check_memory(server, redis, quick)
        prices = [-1.0]
        while prices[-1] < FRAMES:
            prices.append((await slow.next("1"))["ticker"]["price"])
        assert skipped_to_the_newest(prices)


async def test_response_that_is_not_read_costs_bounded_memory_and_resumes_with_the_newest(
    server: ServerProcess, sign_in: SignIn, redis: Redis
) -> None:
    token = await sign_in(TRADER)
    await publish(redis, 0.5)
    async with narrow_response(server, token, BIG) as slow, socket(server, bearer(token)) as quick:
        await quick.sign_in()
        await quick.subscribe("1", BIG)
        assert (await quick.next("1"))["ticker"]["price"] == 0.5
        async with asyncio.timeout(30):
            await slow.readuntil(b"event: next")
        await check_memory(server, redis, quick)
        seen = b""
        async with asyncio.timeout(30):
            while b'"price":%d.0' % FRAMES not in seen:
                seen += await slow.read(65536)
    assert skipped_to_the_newest([float(price) for price in re.findall(rb'"price":([0-9.]+)', seen)])


async def test_response_that_is_not_read_is_aborted_after_its_token_has_expired(
    server: ServerProcess, sign_in: SignIn, settings: Settings, redis: Redis
) -> None:
    token = ending(settings, await sign_in(TRADER), 6)
    await publish(redis, 0.5)
    async with narrow_response(server, token, BIG) as slow:
        async with asyncio.timeout(30):
            await slow.readuntil(b"event: next")
            for step in range(1, FULL):
                await publish(redis, step)
            process = psutil.Process(server.process.pid)
            await eventually(
                lambda: all(one.status != psutil.CONN_ESTABLISHED for one in process.net_connections("tcp"))
            )
    assert not [line for line in server.log if '"level":"error"' in line]


EVENTS: Final = 1_000
"""Number of events; together they have 200 MB."""
EVENTS_AT_ONCE: Final = 25
BACKLOG: Final = 2 * EVENTS_AT_ONCE
"""Number of events in the backlog of a slow client; a client that reads keeps up."""
NOTES: Final = " ".join(f"f{number}: note" for number in range(20))
ORDERS: Final = f"subscription ($after: String) {{ orders(after: $after) {{ cursor order {{ user {{ {NOTES} }} }} }} }}"
"""Its frames have 200 kB, once the trader has a note of 10 kB."""
CURSORS: Final = "subscription ($after: String) { orders(after: $after) { cursor } }"


async def change(platform: Database) -> None:
    """Change some orders of the trader in one transaction."""
    async with platform.transaction() as connection:
        await connection.execute(text(f"UPDATE orders SET volume = volume + 1 WHERE order_id <= {EVENTS_AT_ONCE}"))


async def change_and_receive(platform: Database, quick: Socket, events: int) -> list[str]:
    """Change orders, wait until `quick` has each event before the next change, and return the cursors."""
    received: list[str] = []
    while len(received) < events:
        await change(platform)
        received += [(await quick.next("1"))["orders"]["cursor"] for _ in range(EVENTS_AT_ONCE)]
    return received


async def cursors(client: Socket, id_: str, upto: str) -> tuple[list[str], dict[str, Any]]:
    """The cursors up to `upto` or the end of the stream, and the extensions of the error that ended it."""
    received: list[str] = []
    while received[-1:] != [upto]:
        match await client.receive():
            case {"type": "next", "payload": {"data": {"orders": {"cursor": cursor}}}}:
                received.append(cursor)
            case {"type": "error", "id": ended, "payload": [{"extensions": extensions}]} if ended == id_:
                return received, extensions
            case message:
                pytest.fail(f"{message}")
    return received, {}


async def test_socket_that_stops_reading_events_costs_bounded_memory_and_resumes_without_a_gap(
    start_server: StartServer, sign_in: SignIn, platform: Database
) -> None:
    async with platform.transaction() as connection:
        await connection.execute(text(f"UPDATE users SET note = repeat('x', 10000) WHERE uid = {TRADER}"))
    token, before = await sign_in(TRADER), await newest_cursor(platform)
    async with (
        start_server(STREAM_BACKLOG_BYTES=str(BACKLOG * 200_000)) as server,
        narrow_socket(server) as slow,
        socket(server) as quick,
    ):
        for client in (slow, quick):
            await client.sign_in({"authorization": token})
            await client.subscribe("1", ORDERS, after=before)
        changed, received = list[str](), list[str]()
        while not received or (await gauges(server))[0] != 1:  # until both have caught up and share one stream
            changed += await change_and_receive(platform, quick, EVENTS_AT_ONCE)
            received += (await cursors(slow, "1", changed[-1]))[0]
        changed += await change_and_receive(platform, quick, FULL)
        memory = server.memory
        changed += await change_and_receive(platform, quick, EVENTS)
        assert server.memory - memory < ALLOWED
        backlog, end = await cursors(slow, "1", changed[-1])
        assert len(backlog) < EVENTS / 2
        received += backlog
        ids = map(str, count(2))
        while end:
            assert (end["code"], end["cursor"]) == ("LAGGED", received[-1])
            await slow.subscribe(id_ := next(ids), CURSORS, after=end["cursor"])
            more, end = await cursors(slow, id_, changed[-1])
            received += more
        assert received == changed
