"""Messages of graphql-transport-ws, in order and out of order, valid and damaged."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final

from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.engine.operations import operations
from tests.fixtures.rows import TRADER
from tests.fixtures.socket import PROTOCOL
from tests.fuzz.harness import Kind
from tests.fuzz.hostile import BYTES, mutated, texts, values
from tests.fuzz.kinds.operations import SCHEMA
from tests.fuzz.world import FAULT, SHOWN, World

SUBSCRIPTIONS: Final = (
    'subscription { ticker(exchange: "kraken", symbol: "BTC/USD") { price } }',
    "subscription ($e: String!, $r: Float) { tickers(exchange: $e, maxRate: $r) { price } }",
    "subscription ($e: String!, $s: String!, $n: Int) { candles(exchange: $e, symbol: $s, timeframe: H1, last: $n) { closed } }",
    "subscription ($c: String) { orders(after: $c) { cursor order { orderId } } }",
    "subscription ($x: Int!) { balances(exId: $x) { total } positions(exId: $x) { volume } }",
    "subscription ($x: Int!) { botStatus(botId: $x) { status } }",
)
END: Final = "end of the case"
CRASHED: Final = {1006, 1011}
"""Close codes of a connection that the server has dropped."""

Message = str | bytes
Case = tuple[bool, list[Message]]
"""Whether the client authenticates first, and its messages."""


def cases(_world: World) -> st.SearchStrategy[Case]:
    return st.tuples(st.sampled_from((True, True, True, False)), st.lists(messages(), min_size=1, max_size=5))


def messages() -> st.SearchStrategy[Message]:
    document = st.one_of(st.sampled_from(SUBSCRIPTIONS), operations(SCHEMA).map(lambda one: one.text))
    variables = st.dictionaries(st.sampled_from("esnrxc"), values, max_size=4)
    payload = st.fixed_dictionaries(
        {"query": mutated(document) | document},
        optional={"variables": variables, "operationName": texts, "extensions": values},
    )
    message = st.fixed_dictionaries(
        {
            "type": st.sampled_from(
                ("subscribe",) * 6 + ("complete", "ping", "pong", "connection_init", "next", "error")
            )
        },
        optional={"id": st.sampled_from(("1", "2", "")) | texts, "payload": payload | values},
    ).map(json.dumps)
    return st.one_of(message, message, mutated(message), values.map(json.dumps), st.sampled_from(BYTES[:-1]))


async def play(world: World, case: Case) -> list[str]:
    authenticates, sent = case
    address = world.server.socket_url
    async with connect(address, subprotocols=[PROTOCOL], proxy=None, max_size=None) as connection:
        if authenticates:
            payload = {"authorization": f"Bearer {world.tokens[TRADER]}"}
            sent = [json.dumps({"type": "connection_init", "payload": payload}), *sent]
        try:
            for message in [*sent, json.dumps({"type": "ping", "payload": {END: True}})]:
                await connection.send(message)
            return await _answers(connection)
        except ConnectionClosed:
            code = connection.close_code
            return [f"closed with {code} {connection.close_reason}"] if code in CRASHED else []


async def _answers(connection: Any) -> list[str]:
    """Violations in the answers up to that of the last ping."""
    async with asyncio.timeout(20):
        while True:
            text = await connection.recv()
            if FAULT.search(text):
                return [text[:SHOWN]]
            if END in text and json.loads(text)["type"] == "pong":
                return []


KIND: Final = Kind("graphql sockets", cases, play)
