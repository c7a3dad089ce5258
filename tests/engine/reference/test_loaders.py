"""Loaders: results shared by several fields."""

from __future__ import annotations

import asyncio

from fullon_graphql.engine.reference.loaders import Loader
from tests.fixtures.eventually import eventually


async def test_result_survives_the_cancellation_of_one_waiter() -> None:
    asked: list[list[int]] = []
    ready = asyncio.Event()

    async def fetch(keys: list[int]) -> list[int]:
        asked.append(keys)
        await ready.wait()
        return [key * 10 for key in keys]

    async def wait(loader: Loader[int, int]) -> int:
        return await loader.load(1)

    loader = Loader[int, int](load_fn=fetch)
    impatient, patient = asyncio.create_task(wait(loader)), asyncio.create_task(wait(loader))
    await eventually(lambda: asked)
    impatient.cancel()
    await asyncio.wait([impatient])
    ready.set()
    assert await patient == 10
    assert asked == [[1]]
