"""Real nginx and HAProxy, as deploy/ configures them, in front of two servers."""

from __future__ import annotations

import asyncio
import ssl
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from redis.asyncio import Redis
from websockets.asyncio.client import ClientConnection, connect

from fullon_graphql.cache import tickers
from fullon_graphql.cache.tickers import Ticker
from fullon_graphql.config import Settings
from tests.deploy.proxies import Proxy, haproxy, nginx, program
from tests.fixtures.eventually import eventually
from tests.fixtures.in_process import InProcess, in_process
from tests.fixtures.rows import TRADER
from tests.fixtures.server import bearer
from tests.fixtures.signing_in import SignIn
from tests.fixtures.socket import PROTOCOL, Socket
from tests.fixtures.streaming import EVENTS, Streaming

GOLD = 'subscription { ticker(exchange: "kraken", symbol: "GOLD") { price } }'
ME = {"query": "{ me { uid } }"}

Start = Callable[[Path, Sequence[str]], AbstractAsyncContextManager[Proxy]]


def installed(start: Start) -> Any:
    name = start.__name__
    return pytest.param(
        start, id=name, marks=pytest.mark.skipif(program(name) is None, reason=f"{name} is not installed")
    )


both = pytest.mark.parametrize("start", [installed(nginx), installed(haproxy)])


@dataclass(frozen=True)
class Deployment:
    """Two servers behind a proxy, and a client of the proxy."""

    servers: Sequence[InProcess]
    proxy: Proxy
    client: httpx.AsyncClient
    token: str

    async def subscribed(self) -> ClientConnection:
        """A socket through the proxy with an open subscription to prices."""
        tls: Any = {"ssl": self.proxy.tls} if isinstance(self.proxy.tls, ssl.SSLContext) else {}
        url = self.proxy.url.replace("http", "ws", 1) + "/graphql"
        connection = await connect(url, subprotocols=[PROTOCOL], proxy=None, **tls)
        await Socket(connection).sign_in({"authorization": self.token})
        await Socket(connection).subscribe("1", GOLD)
        return connection

    async def sockets(self, server: InProcess) -> int:
        """The open connections of one of the servers."""
        async with httpx.AsyncClient() as client:
            text = (await client.get(f"http://{server.address}/metrics")).text
        [line] = [line for line in text.splitlines() if line.startswith("fullon_graphql_sockets ")]
        return int(float(line.split()[1]))


@contextmanager
def folder_for_all() -> Iterator[Path]:
    """A folder that workers of nginx can reach, which are another user if the tests run as root."""
    with tempfile.TemporaryDirectory(prefix="fullon-tests-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@asynccontextmanager
async def deployed(
    start: Start, settings: Settings, token: str, *, drain_seconds: float = 0
) -> AsyncIterator[Deployment]:
    """Two servers, of which the first one drains when it is stopped."""
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(folder_for_all())
        draining = settings.model_copy(update={"drain_seconds": drain_seconds})
        servers = [await stack.enter_async_context(in_process(each)) for each in (draining, settings)]
        for server in servers:
            await eventually(lambda server=server: server.server.started)  # type: ignore[misc]  # mypy infers no type for the default
        proxy = await stack.enter_async_context(start(folder, [server.address for server in servers]))
        client = httpx.AsyncClient(base_url=proxy.url, headers=bearer(token), verify=proxy.tls, timeout=20)
        yield Deployment(servers, proxy, await stack.enter_async_context(client), token)


async def publish(redis: Redis, price: float) -> None:
    await tickers.write(redis, [Ticker("kraken", "GOLD", price, price)])


@both
async def test_queries_sockets_and_event_streams_pass(
    start: Start, settings: Settings, sign_in: SignIn, redis: Redis
) -> None:
    async with deployed(start, settings, await sign_in(TRADER)) as deployment:
        client = deployment.client
        answer = await client.post("/graphql", json=ME)
        assert answer.json() == {"data": {"me": {"uid": TRADER}}}
        assert len(answer.headers["x-request-id"]) >= 32
        assert ("strict-transport-security" in answer.headers) == (deployment.proxy.certificate is not None)
        for hidden in ("/metrics", "/health/ready", "/health/deep"):
            assert (await client.get(hidden)).status_code == 404
        await publish(redis, 1)
        socket = Socket(await deployment.subscribed())
        request = client.stream("POST", "/graphql", json={"query": GOLD}, headers={"accept": EVENTS})
        async with request as response:
            stream = Streaming(response)
            for price in range(1, 5):  # each event arrives before the next one is published
                await publish(redis, price)
                assert await socket.next("1") == {"ticker": {"price": price}}
                assert await stream.data() == {"ticker": {"price": price}}
        await socket.connection.close()


@both
async def test_server_that_drains_gets_no_new_clients_and_no_request_fails(
    start: Start, settings: Settings, sign_in: SignIn
) -> None:
    async with deployed(start, settings, await sign_in(TRADER), drain_seconds=2.0) as deployment:
        first, second = deployment.servers
        sockets = [await deployment.subscribed() for _ in range(6)]
        closings = {asyncio.create_task(socket.wait_closed()): socket for socket in sockets}
        before = await deployment.sockets(first)
        assert 0 < before < 6
        first.stop()
        renewed = list[ClientConnection]()
        while not first.ended.done():
            answer = await deployment.client.post("/graphql", json=ME)
            assert (answer.status_code, orjson.loads(answer.content)) == (200, {"data": {"me": {"uid": TRADER}}})
            if len([closing for closing in closings if closing.done()]) > len(renewed):
                renewed.append(await deployment.subscribed())
            await asyncio.sleep(0.02)
        for _ in range(5):
            assert (await deployment.client.post("/graphql", json=ME)).status_code == 200
        closed = [socket for closing, socket in closings.items() if closing.done()]
        assert [socket.close_code for socket in closed] == [1012] * before
        while len(renewed) < before:
            renewed.append(await deployment.subscribed())
        assert await deployment.sockets(second) == 6
        for socket in (*sockets, *renewed):
            await socket.close()


@pytest.mark.skipif(program("haproxy") is None, reason="haproxy is not installed")
async def test_servers_answer_behind_haproxy_while_a_store_is_down(settings: Settings, sign_in: SignIn) -> None:
    changed = settings.model_copy(update={"ohlcv_database_url": "postgresql://postgres@127.0.0.1:1/absent"})
    async with deployed(haproxy, changed, await sign_in(TRADER)) as deployment:

        async def none_is_ready() -> bool:
            return await deployment.proxy.states() == ["DOWN", "DOWN"]

        await eventually(none_is_ready)
        answer = await deployment.client.post("/graphql", json=ME)
        assert (answer.status_code, answer.json()) == (200, {"data": {"me": {"uid": TRADER}}})


@pytest.mark.skipif(program("haproxy") is None, reason="haproxy is not installed")
async def test_operator_takes_a_server_out_of_haproxy(settings: Settings, sign_in: SignIn) -> None:
    async with deployed(haproxy, settings, await sign_in(TRADER)) as deployment:
        first, second = deployment.servers
        kept = [await deployment.subscribed() for _ in range(2)]
        assert [await deployment.sockets(server) for server in (first, second)] == [1, 1]
        assert await deployment.proxy.command("set server fullon/a state drain") == "\n"
        added = [await deployment.subscribed() for _ in range(3)]
        assert [await deployment.sockets(server) for server in (first, second)] == [1, 4]
        for socket in (*kept, *added):
            await socket.close()
