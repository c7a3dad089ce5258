"""Loaders: results shared by several fields."""

from __future__ import annotations

import asyncio
import gc

import pytest

from fullon_graphql.engine.reference.loaders import Loader
from fullon_graphql.errors import BadUserInput
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


async def test_error_that_no_field_awaits_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    fetched = asyncio.Event()

    async def fetch(keys: list[int]) -> list[int]:
        fetched.set()
        raise BadUserInput(f"{keys} are invalid")

    loader = Loader[int, int](load_fn=fetch)
    abandoned = [loader.load(1), asyncio.ensure_future(loader.load(1))]
    abandoned[1].cancel()  # type: ignore[attr-defined]  # a future
    await fetched.wait()
    await eventually(abandoned[0].done)  # type: ignore[attr-defined]  # a future
    del loader, abandoned
    gc.collect()
    assert caplog.records == []
