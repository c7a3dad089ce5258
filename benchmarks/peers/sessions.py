"""SQLAlchemy's sessions and the Redis client of the Strawberry peers."""

from __future__ import annotations

import os
from typing import Any

import orjson
from redis.asyncio import Redis
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine


def _maker(url: str) -> async_sessionmaker[AsyncSession]:
    driver = make_url(url).set(drivername="postgresql+asyncpg")
    engine = create_async_engine(driver, pool_size=int(os.environ["POOL_SIZE"]), max_overflow=0)
    return async_sessionmaker(engine, expire_on_commit=False)


session = _maker(os.environ["DATABASE_URL"])
candle_session = _maker(os.environ["OHLCV_DATABASE_URL"])
redis = Redis.from_url(os.environ["REDIS_URL"])


async def tickers(markets: list[tuple[str, str]]) -> list[dict[str, Any]]:
    """The ticker of each (exchange, symbol), in one round trip."""
    async with redis.pipeline(transaction=False) as pipeline:
        for exchange, symbol in markets:
            pipeline.hget(f"tickers:{exchange}", symbol)
        return [orjson.loads(text) for text in await pipeline.execute()]
