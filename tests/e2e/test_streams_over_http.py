"""Subscriptions over HTTP: the bytes of server-sent events and multipart, and the life of a stream."""

from __future__ import annotations

import asyncio
import re
import socket as sockets
from contextlib import AsyncExitStack
from urllib.parse import urlsplit

import httpx
import orjson
import pytest
from redis.asyncio import Redis

from fullon_graphql.cache import tickers
from fullon_graphql.cache.tickers import Ticker
from fullon_graphql.config import Settings
from fullon_graphql.database import Database
from tests.e2e.test_socket_life import ending
from tests.fixtures.eventually import eventually_equal
from tests.fixtures.order_changes import change_orders, newest_cursor
from tests.fixtures.rows import OTHER, TRADER
from tests.fixtures.server import Server, ServerProcess, StartInProcess, StartServer, bearer
from tests.fixtures.signing_in import SignIn
from tests.fixtures.streaming import EVENTS, PARTS, streaming

GOLD = 'subscription { ticker(exchange: "kraken", symbol: "GOLD") { price } }'
TICKER = 'subscription ($symbol: String!) { ticker(exchange: "kraken", symbol: $symbol) { price } }'
ORDERS = "subscription ($after: String) { orders(after: $after) { cursor order { status } } }"


async def gold(redis: Redis, price: float) -> None:
    await tickers.write(redis, [Ticker("kraken", "GOLD", price, price)])


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_server_sent_events_have_the_specified_bytes(
    server: Server, sign_in: SignIn, redis: Redis, method: str
) -> None:
    token = bearer(await sign_in(TRADER))
    await gold(redis, 1)
    async with streaming(server, TICKER, token, method, symbol="GOLD") as stream:
        assert stream.response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert stream.response.headers["cache-control"] == "no-store"
        assert await stream.data() == {"ticker": {"price": 1}}
        await gold(redis, 2)
        assert await stream.data() == {"ticker": {"price": 2}}
        first, second = (b'event: next\ndata: {"data":{"ticker":{"price":%d.0}}}\n\n' % price for price in (1, 2))
        assert re.sub(rb"(?m)^:\n\n", b"", stream.seen).replace(b": {", b": {") == first + second
        assert b"\r" not in stream.seen


async def test_query_is_one_event_and_complete(server: Server, sign_in: SignIn) -> None:
    token = bearer(await sign_in(TRADER))
    async with streaming(server, "{ me { uid } }", token) as stream:
        assert await stream.data() == {"me": {"uid": TRADER}}
        assert await stream.event() == {"event": "complete", "data": ""}
        await stream.over()
    async with streaming(server, "{ nonsense }", token) as stream:
        assert await stream.codes() == ["GRAPHQL_VALIDATION_FAILED"]
    async with streaming(server, 'subscription { ticker(exchange: "kraken") { price } }', token) as stream:
        assert await stream.codes() == ["GRAPHQL_VALIDATION_FAILED"]
    async with streaming(server, TICKER, token, symbol=1) as stream:
        assert await stream.codes() == ["BAD_USER_INPUT"]
    async with streaming(server, "subscription { positions(exId: 30) { symbol } }", token) as stream:
        assert await stream.codes() == ["NOT_FOUND"]
    async with streaming(server, "{ me { uid } }", token, accept=f"application/json, {EVENTS}") as stream:
        assert orjson.loads(await stream.response.aread()) == {"data": {"me": {"uid": TRADER}}}


async def test_request_error_has_a_status(server: Server, sign_in: SignIn) -> None:
    token = bearer(await sign_in(TRADER))
    async with streaming(server, GOLD, {}, status=401) as stream:
        [error] = orjson.loads(await stream.response.aread())["errors"]
        assert error["extensions"]["code"] == "UNAUTHENTICATED"
    async with streaming(server, GOLD, bearer("garbage"), accept=PARTS, status=401):
        pass
    async with streaming(server, "mutation { logout }", token, "GET", status=405) as stream:
        assert stream.response.headers["allow"] == "POST"
    async with httpx.AsyncClient(base_url=server.url, headers={**token, "accept": EVENTS}, timeout=60) as client:
        for status, content, kind in ((400, b"{", "application/json"), (415, b"{}", "text/plain")):
            answer = await client.post("/graphql", content=content, headers={"content-type": kind})
            assert (answer.status_code, "errors" in answer.json()) == (status, True)
    async with streaming(server, GOLD, token, accept="image/png", status=406):
        pass
    async with streaming(server, GOLD, token, accept="application/json") as stream:
        assert b"text/event-stream" in await stream.response.aread()


async def test_event_id_is_the_cursor_and_last_event_id_resumes(
    server: Server, sign_in: SignIn, platform: Database
) -> None:
    token = bearer(await sign_in(TRADER))

    before = await newest_cursor(platform)
    for status in ("open", "filled"):
        await change_orders(platform, [1], status)
    async with streaming(server, ORDERS, {**token, "last-event-id": before}) as stream:
        events = [await stream.event(), await stream.event()]
    cursors = [orjson.loads(event["data"])["data"]["orders"]["cursor"] for event in events]
    assert [event["id"] for event in events] == cursors
    await change_orders(platform, [1], "canceled")
    async with streaming(server, ORDERS, {**token, "last-event-id": cursors[0]}, after=before) as stream:
        resumed = [(await stream.event())["id"] for _ in range(2)]
        assert resumed[0] == cursors[1]
        assert resumed[1] not in [before, *cursors]
    async with streaming(server, ORDERS, {**token, "last-event-id": "nonsense"}) as stream:
        assert await stream.codes() == ["BAD_USER_INPUT"]


async def test_multipart_stream_has_the_specified_bytes(server: Server, sign_in: SignIn, redis: Redis) -> None:
    token = bearer(await sign_in(TRADER))
    await gold(redis, 1)
    async with streaming(server, GOLD, token, accept=PARTS) as stream:
        kind = stream.response.headers["content-type"]
        assert kind == 'multipart/mixed;boundary="graphql";subscriptionSpec=1.0'
        assert await stream.until(b"--graphql") == b""
        assert await stream.part() == {"payload": {"data": {"ticker": {"price": 1}}}}
        await gold(redis, 2)
        assert await stream.part() == {"payload": {"data": {"ticker": {"price": 2}}}}
    async with streaming(server, "subscription { positions(exId: 30) { symbol } }", token, accept=PARTS) as stream:
        assert await stream.until(b"--graphql") == b""
        refused = (await stream.part())["payload"]
        assert [error["extensions"]["code"] for error in refused["errors"]] == ["NOT_FOUND"]
        assert await stream.until(b"--\r\n") == b""
        await stream.over()
    async with streaming(server, "{ me { uid } }", token, accept=PARTS) as stream:
        assert orjson.loads(await stream.response.aread()) == {"data": {"me": {"uid": TRADER}}}


async def test_silent_stream_sends_heartbeats(start_in_process: StartInProcess, sign_in: SignIn, redis: Redis) -> None:
    token = bearer(await sign_in(TRADER))
    async with start_in_process(STREAM_HEARTBEAT="0.05") as server:
        async with streaming(server, GOLD, token) as stream:
            assert [await stream.until(b"\n\n") for _ in range(3)] == [b":"] * 3
            await gold(redis, 1)
            assert await stream.data() == {"ticker": {"price": 1}}
        async with streaming(server, TICKER, token, accept=PARTS, symbol="unknown") as stream:
            assert await stream.until(b"--graphql") == b""
            part = b"\r\nContent-Type: application/json\r\n\r\n{}"
            assert [await stream.until(b"\r\n--graphql") for _ in range(3)] == [part] * 3


async def test_stream_ends_with_its_token_or_session(server: Server, sign_in: SignIn, settings: Settings) -> None:
    token = await sign_in(TRADER)
    async with streaming(server, GOLD, bearer(ending(settings, token, 8))) as stream:
        assert await stream.codes() == ["UNAUTHENTICATED"]
    async with (
        streaming(server, GOLD, bearer(token)) as events,
        streaming(server, GOLD, bearer(token), accept=PARTS) as parts,
    ):
        assert (await server.ask("mutation { logout }", token))["data"] == {"logout": True}
        assert await events.codes() == ["UNAUTHENTICATED"]
        assert await parts.until(b"--graphql") == b""
        assert (await parts.part())["payload"]["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_disconnected_client_leaves_nothing_behind(
    server_process: ServerProcess, sign_in: SignIn, redis: Redis
) -> None:
    token = bearer(await sign_in(TRADER))
    await gold(redis, 1)
    async with streaming(server_process, GOLD, token) as stream, streaming(server_process, GOLD, token) as other:
        for one in (stream, other):
            await one.data()
        assert await gauges(server_process) == (1, 2, 2)
    await eventually_equal(lambda: gauges(server_process), (0, 0, 0))
    assert not [line for line in server_process.log if '"level":"error"' in line]


async def gauges(server: Server) -> tuple[int, ...]:
    """The numbers of streams, subscribers and connections."""
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        text = (await client.get("/metrics")).text
    found = (
        re.search(rf"(?m)^fullon_graphql_{name} (\S+)$", text) for name in ("streams", "stream_listeners", "sockets")
    )
    return tuple(int(float(one[1])) for one in found if one)


async def gauge(server: Server, position: int) -> int:
    """One of `gauges`."""
    return (await gauges(server))[position]


async def test_http_streams_count_as_connections(start_in_process: StartInProcess, sign_in: SignIn) -> None:
    trader, other = bearer(await sign_in(TRADER)), bearer(await sign_in(OTHER))
    async with start_in_process(SOCKET_LIMIT="3", SOCKETS_PER_USER="2") as server, AsyncExitStack() as stack:
        for headers in (trader, trader):
            await stack.enter_async_context(streaming(server, GOLD, headers))
        async with streaming(server, GOLD, trader, status=429):
            pass
        await stack.enter_async_context(streaming(server, GOLD, other, accept=PARTS))
        async with streaming(server, GOLD, other, status=429) as stream:
            [error] = orjson.loads(await stream.response.aread())["errors"]
            assert error["extensions"]["code"] == "RATE_LIMITED"


async def test_shutdown_interrupts_streams(start_server: StartServer, sign_in: SignIn) -> None:
    token = bearer(await sign_in(TRADER))
    async with (
        start_server() as server,
        streaming(server, GOLD, token) as events,
        streaming(server, GOLD, token, accept=PARTS) as parts,
    ):
        server.process.terminate()
        opening, last = [await events.until(b"\n\n") for _ in range(2)]
        assert opening == b":"
        assert re.fullmatch(rb"retry: ([1-3])000\n: The server shuts down; subscribe again in \1 s\.", last)
        await events.over()
        assert await parts.until(b"--graphql") == b""
        ended = await parts.part()
        assert ended["payload"] is None
        assert [error["extensions"]["code"] for error in ended["errors"]] == ["SERVICE_UNAVAILABLE"]
        assert await parts.until(b"--\r\n") == b""
        async with asyncio.timeout(20):
            assert await server.process.wait() == 0


async def test_client_that_stops_reading_delays_no_other_and_resumes_with_the_newest(
    server: Server, sign_in: SignIn, redis: Redis
) -> None:
    symbol, token = "S" * 100, bearer(await sign_in(TRADER))
    fields = " ".join(f"f{number}: symbol" for number in range(1000))  # an event of 100 kB
    query = f'subscription {{ ticker(exchange: "kraken", symbol: "{symbol}") {{ price {fields} }} }}'
    await tickers.write(redis, [Ticker("kraken", symbol, 0.5, 0)])
    address = urlsplit(server.url)
    body = orjson.dumps({"query": query})
    head = (
        f"POST /graphql HTTP/1.1\r\nHost: x\r\nAccept: {EVENTS}\r\nContent-Type: application/json\r\n"
        f"Authorization: {token['authorization']}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    narrow = sockets.socket()
    narrow.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 8192)
    narrow.connect((address.hostname, address.port))
    reader, writer = await asyncio.open_connection(sock=narrow, limit=8192)
    writer.write(head.encode() + body)
    async with streaming(server, query, token) as quick:
        assert (await quick.data())["ticker"]["price"] == 0.5
        async with asyncio.timeout(30):
            await reader.readuntil(b"event: next")
        for step in range(1, 101):
            await tickers.write(redis, [Ticker("kraken", symbol, step, step)])
            assert (await quick.data())["ticker"]["price"] == step
        seen = b""
        async with asyncio.timeout(60):
            while b'"price":100.0' not in seen:
                seen += await reader.read(65536)
    writer.close()
    await writer.wait_closed()
    prices = [float(price) for price in re.findall(rb'"price":([0-9.]+)', seen)]
    assert prices == sorted(set(prices))
    assert len(prices) < 100
