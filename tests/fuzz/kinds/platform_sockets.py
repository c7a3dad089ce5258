"""Messages of the platform's socket protocols."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final
from urllib.parse import quote

from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from fullon_graphql.transports.platform_ws.protocols import DOMAINS, UNSUBSCRIBE, GatewayProtocol
from tests.fixtures.rows import ADMIN, TRADER
from tests.fuzz.harness import Kind
from tests.fuzz.hostile import BYTES, mutated, scalars, texts, values
from tests.fuzz.kinds.graphql_sockets import CRASHED, Message
from tests.fuzz.world import FAULT, SHOWN, World

PATHS: Final = (
    "/ws",
    "/api/v1/cache/ws",
    "/api/v1/ohlcv/ws/ohlcv",
    *(f"/api/v1/cache/ws/{name}/me" for name in DOMAINS),
)
NAMES: Final = sorted(
    {*GatewayProtocol.reads, *GatewayProtocol.streams, UNSUBSCRIBE, "subscribe"}.union(
        *({*module.READS, *module.STREAMS} for module in DOMAINS.values())
    )
)
PARAMS: Final[dict[str, tuple[Any, ...]]] = {
    "exchange": ("kraken", "main", 20, "20"),
    "symbol": ("BTC/USD", "GOLD"),
    "symbols": (["BTC/USD"], []),
    "user_id": (2, "2", 3),
    "ex_id": (20, "20", 30),
    "bot_id": (1, "1", 6),
    "order_id": ("O1", 1, "1"),
    "timeframe": ("1m", "1h", "1d"),
    "count": (1, 10, 1000),
    "currency": ("USD",),
    "process_type": ("bot", "tick"),
    "component": ("ticker_daemon",),
    "since_minutes": (5, 0),
    "stream_key": ("me:1", "1"),
    "request_id": ("1", 1),
    "type": ("ohlcv",),
}
END: Final = "end of the case"

Case = tuple[int, str, list[Message]]
"""Caller, path and messages."""


def cases(_world: World) -> st.SearchStrategy[Case]:
    paths = st.sampled_from(PATHS) | st.sampled_from(PATHS[:2])
    return st.tuples(st.sampled_from((TRADER, ADMIN)), paths, st.lists(messages(), min_size=1, max_size=5))


def messages() -> st.SearchStrategy[Message]:
    params = st.fixed_dictionaries(
        {}, optional={name: st.sampled_from(some) | scalars for name, some in PARAMS.items()}
    )
    name = st.sampled_from(NAMES)
    message = st.builds(
        lambda name, id_, params, verb, flat: json.dumps({verb: name, "request_id": id_} | (params if flat else {"params": params})),
        name | texts, st.sampled_from(("1", 1, None)) | scalars, params | params | values.filter(lambda value: isinstance(value, dict)),
        st.sampled_from(("operation", "action")), st.booleans(),
    )  # fmt: skip
    return st.one_of(message, message, message, mutated(message), values.map(json.dumps), st.sampled_from(BYTES[:-1]))


async def play(world: World, case: Case) -> list[str]:
    uid, path, sent = case
    address = f"{world.server.url.replace('http', 'ws', 1)}{path}?token={quote(world.tokens[uid])}"
    async with connect(address, proxy=None, max_size=None) as connection:
        try:
            last = {"operation": END, "action": END, "request_id": END}
            for message in [*sent, json.dumps(last)]:
                await connection.send(message)
            return await _answers(connection)
        except ConnectionClosed:
            code = connection.close_code
            return [f"closed with {code} {connection.close_reason}"] if code in CRASHED else []


async def _answers(connection: Any) -> list[str]:
    """Violations in the answers up to the last one."""
    async with asyncio.timeout(20):
        while True:
            text = await connection.recv()
            if FAULT.search(text):
                return [text[:SHOWN]]
            if END in text:
                return []


KIND: Final = Kind("platform sockets", cases, play)
