"""The life of sockets: renewed and expired tokens, revoked credentials, limits, shutdown."""

from __future__ import annotations

import asyncio
import socket as sockets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
import jwt
import orjson
import pytest
from redis.asyncio import Redis
from sqlalchemy import text
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from fullon_graphql.cache import tickers
from fullon_graphql.cache.tickers import Ticker
from fullon_graphql.config import Settings
from fullon_graphql.database import Database
from tests.fixtures.eventually import eventually
from tests.fixtures.limits import refusals
from tests.fixtures.rows import OTHER, TRADER
from tests.fixtures.server import Server, StartInProcess, StartServer, bearer
from tests.fixtures.signing_in import SignIn
from tests.fixtures.socket import PROTOCOL, Socket, socket
from tests.fixtures.temporary_databases import execute

GOLD = 'subscription { ticker(exchange: "kraken", symbol: "GOLD") { price } }'


def ending(settings: Settings, token: str, seconds: float) -> str:
    """The same token with another expiry."""
    secret = settings.jwt_secret_key.get_secret_value()
    claims = jwt.decode(token, secret, ["HS256"], audience=settings.jwt_audience)
    expires_at = datetime.now(UTC) + timedelta(seconds=seconds)
    return jwt.encode(claims | {"exp": expires_at.timestamp()}, secret, "HS256")


async def test_socket_ends_with_its_token(server: Server, sign_in: SignIn, settings: Settings) -> None:
    token = await sign_in(TRADER)
    for seconds in (4, 8, 16):
        async with socket(server) as client:
            await client.send("connection_init", payload={"authorization": ending(settings, token, seconds)})
            with suppress(ConnectionClosed):  # on a slow machine the token may expire before it is checked
                assert await client.receive() == {"type": "connection_ack"}
                message = await client.receive()
                assert (message["type"], message["payload"]["type"]) == ("ping", "token-expiring")
                assert await client.closed() == 4403
                return
    pytest.fail("No token lasted long enough to sign in.")


async def test_token_is_renewed_only_by_the_same_account(server: Server, sign_in: SignIn, settings: Settings) -> None:
    token, others = await sign_in(TRADER), await sign_in(OTHER)
    async with socket(server) as client:
        await client.sign_in({"authorization": ending(settings, token, 55)})
        assert (await client.receive())["payload"]["type"] == "token-expiring"
        for stranger in ("garbage", others):
            await client.send("ping", payload={"authorization": f"Bearer {stranger}"})
            refused = await client.receive()
            assert (refused["type"], refused["payload"]["type"]) == ("pong", "token-refused")
            assert refused["payload"]["error"]["extensions"]["code"] == "UNAUTHENTICATED"
        await client.send("ping", payload={"authorization": f"Bearer {token}"})
        renewed = await client.receive()
        assert (renewed["type"], renewed["payload"]["type"]) == ("pong", "token-renewed")
        assert datetime.fromisoformat(renewed["payload"]["expiresAt"]) > datetime.now(UTC) + timedelta(minutes=5)


async def test_logout_ends_the_sessions_sockets_on_every_worker(
    start_server: StartServer, start_in_process: StartInProcess, sign_in: SignIn
) -> None:
    token, staying = await sign_in(TRADER), await sign_in(TRADER)
    async with start_in_process() as here, start_server() as there, socket(there) as client, socket(there) as other:
        await client.sign_in({"authorization": token})
        await other.sign_in({"authorization": staying})
        assert (await here.ask("mutation { logout }", token))["data"] == {"logout": True}
        assert await client.closed() == 4403
        await other.subscribe("1", "{ me { uid } }")
        assert await other.next("1") == {"me": {"uid": TRADER}}


async def test_session_ended_elsewhere_ends_its_sockets_on_every_worker(
    start_server: StartServer, start_in_process: StartInProcess, sign_in: SignIn
) -> None:
    token, mine = await sign_in(TRADER), await sign_in(TRADER)
    async with start_in_process() as here, start_server() as there, socket(there) as client, socket(there) as own:
        await client.sign_in({"authorization": token})
        await own.sign_in({"authorization": mine})
        found = await here.ask("{ sessions(filter: {active: {eq: true}}) { nodes { id current } } }", mine)
        [other] = [node["id"] for node in found["data"]["sessions"]["nodes"] if not node["current"]]
        end = "mutation ($id: ID!) { endSession(id: $id) { active } }"
        assert (await here.ask(end, mine, id=other))["data"] == {"endSession": {"active": False}}
        assert await client.closed() == 4403
        await own.subscribe("1", "{ me { uid } }")
        assert await own.next("1") == {"me": {"uid": TRADER}}


async def test_account_changes_by_other_programs_end_sockets_on_every_worker(
    start_server: StartServer, start_in_process: StartInProcess, sign_in: SignIn, settings: Settings
) -> None:
    rarely = {"SOCKET_RECHECK_INTERVAL": "3600"}
    trader, stranger = await sign_in(TRADER), await sign_in(OTHER)
    async with start_in_process(**rarely) as here, start_server(**rarely) as there, AsyncExitStack() as stack:
        theirs = [await opened(stack, server, bearer(trader)) for server in (here, there)]
        others = [await opened(stack, server, bearer(stranger)) for server in (here, there)]
        await asyncio.to_thread(execute, settings.database_url, f"UPDATE users SET active = false WHERE uid = {TRADER}")
        assert [await client.closed() for client in theirs] == [4403, 4403]
        for client in others:
            await client.subscribe("1", "{ me { uid } }")
            assert await client.next("1") == {"me": {"uid": OTHER}}


async def test_each_limit_has_its_own_answer(start_in_process: StartInProcess, sign_in: SignIn) -> None:
    trader, other = bearer(await sign_in(TRADER)), bearer(await sign_in(OTHER))
    limits = {
        "SOCKET_LIMIT": "3", "SOCKETS_PER_USER": "2", "SUBSCRIPTIONS_PER_SOCKET": "2", "SOCKET_MESSAGE_BYTES": "2048",
        "SOCKET_MESSAGES_PER_SECOND": "20", "SOCKET_INIT_TIMEOUT": "1",
    }  # fmt: skip
    before = {limit: refusals(limit) for limit in limits}
    async with start_in_process(**limits) as server, AsyncExitStack() as stack:
        async with socket(server) as silent:
            assert await silent.closed() == 4408
        first = await opened(stack, server, trader)
        await opened(stack, server, trader)
        async with socket(server, trader) as third:
            await third.send("connection_init")
            assert await third.closed() == 1013
        await until_refused(stack, server, other)
        await many_subscriptions(first)
        await first.connection.send("x" * 3000)
        assert await first.closed() == 1009
        async with httpx.AsyncClient(base_url=server.url, timeout=30) as browser:
            metrics = (await browser.get("/metrics")).text
    counted = [limit for limit in limits if refusals(limit, metrics) > before[limit]]
    assert counted == [limit for limit in limits if limit != "SOCKET_INIT_TIMEOUT"]


async def opened(stack: AsyncExitStack, server: Server, headers: dict[str, str]) -> Socket:
    client = await stack.enter_async_context(socket(server, headers))
    await client.sign_in()
    return client


async def opened_in_time(stack: AsyncExitStack, server: Server, headers: dict[str, str]) -> Socket:
    """The same, once the server has noticed that the last one is closed."""

    async def attempt() -> Socket | None:
        with suppress(InvalidStatus):
            return await opened(stack, server, headers)
        return None

    socket = await eventually(attempt)
    assert socket is not None
    return socket


async def until_refused(stack: AsyncExitStack, server: Server, headers: dict[str, str]) -> None:
    """Open sockets up to the limit; returns them and the answer to one more."""
    chatty = await opened_in_time(stack, server, headers)
    with pytest.raises(InvalidStatus) as refusal:
        async with socket(server, headers):
            pass
    assert refusal.value.response.status_code == 429
    [error] = orjson.loads(refusal.value.response.body)["errors"]
    assert error["extensions"]["code"] == "RATE_LIMITED"
    for _ in range(200):
        await chatty.send("ping")
    assert await chatty.closed() == 1008


async def many_subscriptions(client: Socket) -> None:
    for id_ in ("1", "2", "3"):
        await client.subscribe(id_, GOLD)
    message = await client.receive()
    assert (message["type"], message["id"]) == ("error", "3")
    assert [error["extensions"]["code"] for error in message["payload"]] == ["RATE_LIMITED"]


async def test_client_that_stops_reading_delays_no_other_and_resumes_with_the_newest(
    server: Server, sign_in: SignIn, redis: Redis
) -> None:
    symbol, token = "S" * 100, await sign_in(TRADER)
    fields = " ".join(f"f{number}: symbol" for number in range(1000))  # a frame of 100 kB
    query = f'subscription {{ ticker(exchange: "kraken", symbol: "{symbol}") {{ price {fields} }} }}'
    narrow = sockets.socket()
    narrow.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 8192)
    address = urlsplit(server.url)
    narrow.connect((address.hostname, address.port))
    await tickers.write(redis, [Ticker("kraken", symbol, 0.5, 0)])
    async with (
        connect(server.socket_url, sock=narrow, subprotocols=[PROTOCOL], max_queue=1, proxy=None) as connection,
        socket(server, bearer(token)) as quick,
    ):
        slow = Socket(connection)
        for client in (slow, quick):
            await client.sign_in({"authorization": token})
            await client.subscribe("1", query)
        assert (await quick.next("1"))["ticker"]["price"] == 0.5
        for step in range(1, 101):
            await tickers.write(redis, [Ticker("kraken", symbol, step, step)])
            assert (await quick.next("1"))["ticker"]["price"] == step
        prices = [(await slow.next("1"))["ticker"]["price"]]
        while prices[-1] < 100:
            prices.append((await slow.next("1"))["ticker"]["price"])
        assert prices == sorted(set(prices))
        assert len(prices) < 100


async def test_shutdown_makes_clients_reconnect(start_server: StartServer, sign_in: SignIn) -> None:
    async with start_server() as server, socket(server, bearer(await sign_in(TRADER))) as client:
        await client.sign_in()
        await client.subscribe("1", GOLD)
        await client.subscribe("2", "{ __typename }")
        assert await client.next("2") == {"__typename": "Query"}
        server.process.terminate()
        assert await client.closed() == 1012
        async with asyncio.timeout(20):
            assert await server.process.wait() == 0


RENAME = 'mutation { updateBot(input: {botId: 1, name: "renamed"}) { name } }'


@asynccontextmanager
async def mutation_under_way(database: Database, client: Socket, id_: str) -> AsyncIterator[None]:
    """A change on the socket that waits for another transaction, which ends with the block."""
    waiting = text(
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        " AND query LIKE '%FOR UPDATE%'"
    )
    async with database.transaction() as connection:
        await connection.execute(text("SELECT FROM bots WHERE bot_id = 1 FOR UPDATE"))
        await client.subscribe(id_, RENAME)
        await eventually(lambda: database.rows(waiting))
        yield


async def test_shutdown_finishes_running_operations(
    start_server: StartServer, sign_in: SignIn, database: Database
) -> None:
    async with start_server(SHUTDOWN_TIMEOUT="60") as server, socket(server, bearer(await sign_in(TRADER))) as client:
        await client.sign_in()
        await client.subscribe("1", GOLD)
        async with mutation_under_way(database, client, "2"):
            server.process.terminate()
            await until_closed_to_others(server)
            await client.subscribe("3", "{ __typename }")  # too late: another server answers it
        assert await client.next("2") == {"updateBot": {"name": "renamed"}}
        assert await client.receive() == {"type": "complete", "id": "2"}
        assert await client.closed() == 1012
        async with asyncio.timeout(20):
            assert await server.process.wait() == 0


async def test_shutdown_respects_its_timeout(start_server: StartServer, sign_in: SignIn, database: Database) -> None:
    async with start_server(SHUTDOWN_TIMEOUT="1") as server, socket(server, bearer(await sign_in(TRADER))) as client:
        await client.sign_in()
        async with mutation_under_way(database, client, "1"):
            server.process.terminate()
            assert await client.closed() == 1012
            async with asyncio.timeout(20):
                assert await server.process.wait() == 0
    assert await database.row(text("SELECT name FROM bots WHERE bot_id = 1")) == ("bot 1",)


async def until_closed_to_others(server: Server) -> None:
    address = urlsplit(server.url)

    async def is_closed() -> bool:
        try:
            _, writer = await asyncio.open_connection(address.hostname, address.port)
        except ConnectionError:  # refused, or reset while it was being accepted
            return True
        writer.close()
        return False

    await eventually(is_closed)


async def test_socket_runs_queries_mutations_and_named_operations(server: Server, sign_in: SignIn) -> None:
    async with socket(server, bearer(await sign_in(TRADER))) as client:
        await client.send("ping")
        assert await client.receive() == {"type": "pong"}
        await client.send("pong")
        await client.sign_in()
        document = "query A { __typename } query B { me { uid } } mutation C { logout }"
        answers: list[tuple[str | None, Any]] = [("A", {"__typename": "Query"}), ("B", {"me": {"uid": TRADER}})]
        for name, data in answers:
            await client.send("subscribe", id="same", payload={"query": document, "operationName": name})
            assert await client.next("same") == data
            assert await client.receive() == {"type": "complete", "id": "same"}
        await client.send("complete", id="unknown")
        await client.send("subscribe", id="1", payload={"query": document, "operationName": None})
        assert (await client.receive())["type"] == "error"
        await client.send("subscribe", id="1", payload={"query": document, "operationName": "C"})
        assert await client.next("1") == {"logout": True}
        assert await client.closed() == 4403
