"""The Redis client."""

from __future__ import annotations

import asyncio

import pytest

from fullon_graphql.cache.client import connect
from fullon_graphql.config import Settings


@pytest.mark.parametrize("steps", range(1, 30))
async def test_whoever_is_cancelled_while_dialling_ends(settings: Settings, steps: int) -> None:
    async with connect(settings.redis_url, settings, "tests") as client:
        dialling = asyncio.create_task(client.ping())
        for _ in range(steps):
            await asyncio.sleep(0)
        if dialling.cancel():
            await asyncio.wait([dialling])
            assert dialling.cancelled()
