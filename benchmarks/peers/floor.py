"""The ASGI application of both floors, without GraphQL; requests name the question."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import asyncpg
import orjson
from identity import uid_of
from redis.asyncio import Redis

Answer = Callable[["Stores", int], Awaitable[bytes]]
"""The JSON of an answer, given the uid of the caller."""

CANDLES = """
    SELECT timestamp AS time, open, high, low, close, vol AS volume
    FROM kraken.btc_usd_candles1m ORDER BY timestamp DESC LIMIT 500"""


class Stores:
    """Connections, opened with the first request."""

    database: asyncpg.Pool[Any]
    candles: asyncpg.Pool[Any]
    redis: Redis

    async def open(self) -> None:
        size = int(os.environ["POOL_SIZE"])
        self.database = await asyncpg.create_pool(os.environ["DATABASE_URL"], max_size=size, reset=_nothing)
        self.candles = await asyncpg.create_pool(os.environ["OHLCV_DATABASE_URL"], max_size=size, reset=_nothing)
        self.redis = Redis.from_url(os.environ["REDIS_URL"])

    async def tickers(self, markets: list[tuple[str, str]]) -> dict[tuple[str, str], Any]:
        """Price, bid and ask of each (exchange, symbol), in one round trip."""
        async with self.redis.pipeline(transaction=False) as pipeline:
            for exchange, symbol in markets:
                pipeline.hget(f"tickers:{exchange}", symbol)
            found = [orjson.loads(text) for text in await pipeline.execute()]
        shown = [{name: ticker[name] for name in ("price", "bid", "ask")} for ticker in found]
        return dict(zip(markets, shown, strict=True))

    async def close(self) -> None:
        await self.database.close()
        await self.candles.close()
        await self.redis.aclose()


class Floor:
    """The ASGI application."""

    def __init__(self, answers: Mapping[str, Answer]) -> None:
        self.answers = answers
        self.stores = Stores()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        body = (await receive())["body"]
        name = orjson.loads(body)["query"]
        uid = uid_of(dict(scope["headers"])[b"authorization"].decode())
        data = b"null" if name == "reply" else await self.answers[name](self.stores, uid)
        text = b'{"data":%b}' % data
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(text))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": text})

    async def _live(self, receive: Any, send: Any) -> None:
        await receive()
        await self.stores.open()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.stores.close()
        await send({"type": "lifespan.shutdown.complete"})


async def _nothing(connection: object) -> None:
    """Only reads run, so nothing is reset between them, which saves a round trip."""
