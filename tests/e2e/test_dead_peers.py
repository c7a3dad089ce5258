"""Clients that do not answer a WebSocket ping are dropped, because their connections may be lost."""

from __future__ import annotations

import asyncio
from itertools import count, islice

from redis.asyncio import Redis
from websockets.frames import Opcode

from tests.e2e.test_slow_readers import ALLOWED, FULL
from tests.e2e.test_streams_over_http import GOLD, gauges, gold
from tests.fixtures.peer import Peer, peer
from tests.fixtures.rows import TRADER
from tests.fixtures.server import Server, StartInProcess, StartServer
from tests.fixtures.signing_in import SignIn
from tests.fixtures.slow_clients import BIG, narrow_socket, publish, publish_and_receive
from tests.fixtures.socket import socket


async def one_is_left(server: Server) -> bool:
    """True if one of two subscribers to the same stream is left."""
    return await gauges(server) == (1, 1, 1)


async def answer(client: Peer, pings: int) -> None:
    """Answer `pings` pings; other frames fail the test."""
    for _ in range(pings):
        assert await client.next() is Opcode.PING
        client.flush()


async def rest(client: Peer) -> list[Opcode]:
    """All frames until the end of the connection."""
    opcodes = []
    while (opcode := await client.next()) is not None:
        opcodes.append(opcode)
    return opcodes


async def test_client_is_dropped_without_a_pong_and_kept_with_one(
    start_in_process: StartInProcess, sign_in: SignIn, redis: Redis
) -> None:
    token = await sign_in(TRADER)
    await gold(redis, 1)
    async with (
        start_in_process(SOCKET_PING_INTERVAL="1") as server,
        peer(server, token) as dead,
        peer(server, token) as quiet,
    ):
        for client in (dead, quiet):
            await client.say("subscribe", id="1", payload={"query": GOLD})
            assert await client.next() is Opcode.TEXT
        assert await gauges(server) == (1, 2, 2)
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            group.create_task(answer(quiet, pings=4))
            assert (await rest(dead)).count(Opcode.PING) == 1  # dropped before a second ping is due
        assert await one_is_left(server)
        await gold(redis, 2)
        assert await quiet.next() is Opcode.TEXT


async def test_client_that_does_not_read_is_dropped_and_costs_bounded_memory(
    start_server: StartServer, sign_in: SignIn, redis: Redis
) -> None:
    token, steps = await sign_in(TRADER), count(1)
    await publish(redis, 0.5)
    async with (
        start_server(SOCKET_PING_INTERVAL="1") as server,
        narrow_socket(server) as dead,
        socket(server) as quick,
    ):
        for client in (dead, quick):
            await client.sign_in({"authorization": token})
            await client.subscribe("1", BIG)
        assert (await quick.next("1"))["ticker"]["price"] == 0.5
        memory = []
        async with asyncio.timeout(20):
            while not await one_is_left(server):
                await publish_and_receive(redis, quick, islice(steps, FULL))
                memory.append(server.memory)
        assert max(memory) - memory[0] < ALLOWED
        assert await dead.closed() == 1006  # the closing frame did not fit into the buffer
