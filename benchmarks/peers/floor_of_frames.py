"""A floor for streams, without GraphQL, rules or bounds: one frame per price, written to all subscribers."""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from typing import Any

import orjson
import uvloop
from redis.asyncio import Redis
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

FIELDS = ("symbol", "price", "volume", "bid", "ask")

listeners: dict[str, list[asyncio.Transport]] = defaultdict(list)
newest: dict[str, bytes] = {}


class Socket(asyncio.Protocol):
    """The part of graphql-transport-ws that the listeners of this benchmark need."""

    def __init__(self) -> None:
        self.protocol = ServerProtocol(subprotocols=[Subprotocol("graphql-transport-ws")])

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        for transports in listeners.values():
            if self.transport in transports:
                transports.remove(self.transport)

    def data_received(self, data: bytes) -> None:
        self.protocol.receive_data(data)
        for event in self.protocol.events_received():
            if isinstance(event, Request):
                self.protocol.send_response(self.protocol.accept(event))
            elif isinstance(event, Frame) and event.opcode is Opcode.TEXT:
                self.hear(orjson.loads(event.data))
        self.transport.write(b"".join(self.protocol.data_to_send()))

    def hear(self, message: Any) -> None:
        if message["type"] == "connection_init":
            self.protocol.send_text(b'{"type":"connection_ack"}')
        elif message["type"] == "subscribe":
            symbol = message["payload"]["variables"]["symbol"]
            listeners[symbol].append(self.transport)
            self.transport.write(newest[symbol])


async def main() -> None:
    async with Redis.from_url(os.environ["REDIS_URL"], decode_responses=True).pubsub() as subscriber:
        await subscriber.psubscribe("ticker_updates:kraken:*")
        async for message in subscriber.listen():
            if message["type"] == "psubscribe":  # from now on no price is missed
                await asyncio.get_running_loop().create_server(Socket, "127.0.0.1", int(os.environ["PORT"]))
            elif message["type"] == "pmessage":
                event = orjson.loads(message["data"])
                ticker = {name: event[name] for name in FIELDS}
                text = orjson.dumps({"id": "1", "type": "next", "payload": {"data": {"ticker": ticker}}})
                frame = newest[event["symbol"]] = Frame(Opcode.TEXT, text).serialize(mask=False)
                for transport in listeners[event["symbol"]]:
                    transport.write(frame)


uvloop.run(main())
