"""Subscriptions on Strawberry as in its guide: an async generator per client, one Redis connection for all."""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from collections.abc import AsyncGenerator
from typing import Any

import orjson
import strawberry
from identity import uid_of
from redis.asyncio import Redis
from strawberry.asgi import GraphQL

redis = Redis.from_url(os.environ["REDIS_URL"], decode_responses=True)
listeners: dict[str, set[asyncio.Queue[Any]]] = defaultdict(set)
subscriber = redis.pubsub()
reading: list[asyncio.Task[None]] = []


async def read() -> None:
    async for message in subscriber.listen():
        if message["type"] == "message":
            event = orjson.loads(message["data"])
            for queue in listeners[message["channel"]]:
                queue.put_nowait(event)


@strawberry.type
class Ticker:
    symbol: str
    price: float
    volume: float | None
    bid: float | None
    ask: float | None

    @classmethod
    def of(cls, event: dict[str, Any]) -> Ticker:
        return cls(**{name: event[name] for name in ("symbol", "price", "volume", "bid", "ask")})


@strawberry.type
class Query:
    hello: str = "hello"


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def ticker(self, info: strawberry.Info, exchange: str, symbol: str) -> AsyncGenerator[Ticker, None]:
        uid_of(info.context["connection_params"]["authorization"])
        channel, queue = f"ticker_updates:{exchange}:{symbol}", asyncio.Queue[Any]()
        if not listeners[channel]:
            await subscriber.subscribe(channel)
        if not reading:
            reading.append(asyncio.create_task(read()))
        listeners[channel].add(queue)
        try:
            if known := await redis.hget(f"tickers:{exchange}", symbol):
                yield Ticker.of(orjson.loads(known))
            while True:
                yield Ticker.of(await queue.get())
        finally:
            listeners[channel].discard(queue)


app = GraphQL(strawberry.Schema(Query, subscription=Subscription))
