"""Background tasks: restarts, reports and end."""

from __future__ import annotations

import asyncio

import pytest

from fullon_graphql import background
from fullon_graphql.background import BackgroundTasks, Ready
from tests.fixtures.eventually import eventually


@pytest.fixture
def tasks(monkeypatch: pytest.MonkeyPatch) -> BackgroundTasks:
    monkeypatch.setattr(background, "FIRST_PAUSE", 0.001)
    return BackgroundTasks()


@pytest.mark.parametrize("error", [LookupError("a bug"), OSError("unreachable"), ExceptionGroup("", [ValueError()])])
async def test_task_is_restarted_after_an_error_and_down_until_it_works(
    tasks: BackgroundTasks, error: Exception
) -> None:
    attempts, repaired, works = 0, asyncio.Event(), asyncio.Event()

    async def work(ready: Ready) -> None:
        nonlocal attempts
        attempts += 1
        if not repaired.is_set():
            raise error
        ready()
        works.set()
        await asyncio.Event().wait()

    async with asyncio.timeout(15), tasks.running({"reader": work}):
        await eventually(lambda: attempts >= 3)
        assert tasks.down == ["reader"]
        assert tasks.failures["reader"] >= 2
        repaired.set()
        await works.wait()
        assert tasks.down == []


async def test_task_that_returns_is_restarted(tasks: BackgroundTasks) -> None:
    attempts = 0

    async def work(ready: Ready) -> None:
        nonlocal attempts
        attempts += 1

    async with asyncio.timeout(15), tasks.running({"reader": work}):
        await eventually(lambda: attempts >= 3)
        assert tasks.down == ["reader"]


async def test_tasks_end_with_the_block(tasks: BackgroundTasks) -> None:
    ended = []

    async def work(ready: Ready) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append(asyncio.current_task())

    async with tasks.running({"one": work, "two": work}):
        await asyncio.sleep(0)
    assert len(ended) == 2
    assert tasks.down == []
