"""The shutdown of a server: readiness falls, sockets and streams are closed one after the other, requests finish."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import AsyncExitStack

import httpx
import psutil
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from fullon_graphql.config import Settings
from fullon_graphql.server.shutdown import QUIET_SHARE, Shutdown
from tests.fixtures.eventually import eventually
from tests.fixtures.in_process import InProcess, in_process
from tests.fixtures.rows import TRADER
from tests.fixtures.server import bearer, running
from tests.fixtures.signing_in import SignIn
from tests.fixtures.socket import PROTOCOL, Socket

GOLD = 'subscription { ticker(exchange: "kraken", symbol: "GOLD") { price } }'
MULTIPART = "multipart/mixed;subscriptionSpec=1.0, application/json"


async def test_callbacks_are_spread_over_the_drain_in_random_order() -> None:
    shutdown, called = Shutdown(), list[tuple[int, float]]()
    for number in range(50):
        shutdown.add(lambda number=number: called.append((number, time.monotonic())))  # type: ignore[misc]  # a default
    started = time.monotonic()
    shutdown.begin(0.5)
    assert (shutdown.has_begun, called, shutdown.waiting) == (True, [], 50)
    await eventually(lambda: shutdown.waiting == 0)
    order, moments = [number for number, _ in called], [moment - started for _, moment in called]
    assert sorted(order) == list(range(50)) != order
    assert moments[0] >= 0.5 * QUIET_SHARE
    assert moments[24] >= 0.2
    assert moments[-1] >= 0.45


async def test_second_call_calls_what_remains_and_nothing_twice() -> None:
    shutdown, called = Shutdown(), list[str]()
    kept, dropped = (lambda: called.append("kept")), (lambda: called.append("dropped"))
    shutdown.add(kept)
    shutdown.add(dropped)
    shutdown.begin(0.05)
    shutdown.discard(dropped)
    shutdown.begin()
    assert called == ["kept"]
    await asyncio.sleep(0.1)  # the timers of the first call have run
    assert called == ["kept"]
    shutdown.add(lambda: called.append("late"))
    assert called == ["kept", "late"]


async def subscribed(server: InProcess, token: str) -> ClientConnection:
    """A socket with an open subscription to prices."""
    connection = await connect(f"ws://{server.address}/graphql", subprotocols=[PROTOCOL], proxy=None)
    await Socket(connection).sign_in({"authorization": token})
    await Socket(connection).subscribe("1", GOLD)
    return connection


async def test_drain_closes_sockets_over_time_while_requests_are_answered(settings: Settings, sign_in: SignIn) -> None:
    token = await sign_in(TRADER)
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(httpx.AsyncClient(headers=bearer(token), timeout=30))
        server = await stack.enter_async_context(in_process(settings.model_copy(update={"drain_seconds": 1.5})))
        url = f"http://{server.address}"
        sockets = [await subscribed(server, token) for _ in range(10)]
        ending = {
            accept: asyncio.create_task(_read(client, url, accept)) for accept in ("text/event-stream", MULTIPART)
        }
        await eventually(lambda: _connections(client, url, 12))

        closings = [asyncio.create_task(_closed(socket)) for socket in sockets]
        server.stop()
        await eventually(lambda: _status(client, url, 503))
        answer = await client.post(f"{url}/graphql", json={"query": "{ me { uid } }"})
        assert answer.json() == {"data": {"me": {"uid": TRADER}}}
        assert answer.headers["connection"] == "close"
        refused = await client.post(f"{url}/graphql", json={"query": GOLD}, headers={"accept": "text/event-stream"})
        assert (refused.status_code, refused.json()["errors"][0]["extensions"]["service"]) == (503, "server")
        with pytest.raises(InvalidStatus) as handshake:
            await subscribed(server, token)
        assert handshake.value.response.status_code == 503
        assert 1 <= int(handshake.value.response.headers["retry-after"]) <= 3

        closed = await asyncio.gather(*closings)
        await server.ended
    assert {code for _, code, _ in closed} == {1012}
    assert {reason.partition(" in ")[0] for *_, reason in closed} == {"The server shuts down; connect again"}
    assert all(1 <= int(reason.rpartition(" in ")[2].removesuffix(" s.")) <= 3 for *_, reason in closed)
    moments = sorted(moment for moment, *_ in closed)
    assert moments[-1] - moments[0] >= 0.5  # of 1.35 s
    assert b"\nretry: " in await ending["text/event-stream"]
    assert b'"retryAfter":' in await ending[MULTIPART]


async def test_interrupt_skips_the_drain(settings: Settings, sign_in: SignIn) -> None:
    token = await sign_in(TRADER)
    async with in_process(settings.model_copy(update={"drain_seconds": 60})) as server:
        socket = await subscribed(server, token)
        server.server.handle_exit(signal.SIGINT, None)
        server.server._captured_signals.clear()  # else uvicorn would raise it again, for this process
        async with asyncio.timeout(30):
            assert (await _closed(socket))[1] == 1012
            await server.ended


async def test_hangup_replaces_workers_without_a_moment_of_unreadiness() -> None:
    environment = os.environ | {"DRAIN_SECONDS": "0.3"}
    async with running(environment, "/", module="tests.server.workers") as server:
        before = [
            child for child in psutil.Process(server.process.pid).children() if "spawn_main" in str(child.cmdline())
        ]
        assert len(before) == 2
        sockets = [await connect(server.url.replace("http", "ws", 1), proxy=None) for _ in range(4)]
        server.process.send_signal(signal.SIGHUP)
        closing, seen = asyncio.gather(*(_closed(socket) for socket in sockets)), set[int]()
        async with asyncio.timeout(60), httpx.AsyncClient(base_url=server.url, timeout=30) as client:
            while not closing.done() or any(map(psutil.Process.is_running, before)):
                seen.add((await client.get("/", headers={"connection": "close"})).status_code)
                await asyncio.sleep(0.01)
        assert {code for _, code, _ in await closing} == {1012}
        assert seen == {200}


async def _read(client: httpx.AsyncClient, url: str, accept: str) -> bytes:
    response = await client.post(f"{url}/graphql", json={"query": GOLD}, headers={"accept": accept})
    return response.content


async def _closed(connection: ClientConnection) -> tuple[float, int | None, str]:
    """When, with which code and with which reason the server closes."""
    await connection.wait_closed()
    return time.monotonic(), connection.close_code, connection.close_reason or ""


async def _status(client: httpx.AsyncClient, url: str, expected: int) -> bool:
    return (await client.get(f"{url}/health/ready")).status_code == expected


async def _connections(client: httpx.AsyncClient, url: str, expected: int) -> bool:
    return f"fullon_graphql_sockets {expected}.0\n" in (await client.get(f"{url}/metrics")).text
