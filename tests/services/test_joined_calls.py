"""Joined calls: callers share a run, and no result is older than its call."""

from __future__ import annotations

import asyncio

import pytest

from fullon_graphql.services.joined_calls import JoinedCalls


class Runs:
    """A function whose runs end one by one."""

    def __init__(self) -> None:
        self.begun = 0
        self.ends: list[asyncio.Future[None]] = []

    async def __call__(self) -> int:
        self.begun += 1
        number = self.begun
        self.ends.append(asyncio.get_running_loop().create_future())
        await self.ends[-1]
        return number


async def turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_callers_during_a_run_share_the_next_one() -> None:
    runs = Runs()
    joined = JoinedCalls(runs)
    first = asyncio.create_task(joined())
    await turns()
    others = [asyncio.create_task(joined()) for _ in range(50)]
    await turns()
    assert runs.begun == 1
    runs.ends[0].set_result(None)
    await turns()
    runs.ends[1].set_result(None)
    assert await first == 1
    assert await asyncio.gather(*others) == [2] * 50
    assert runs.begun == 2


async def test_later_call_gets_a_newer_result() -> None:
    runs = Runs()
    joined = JoinedCalls(runs)
    for number in (1, 2):
        call = asyncio.create_task(joined())
        await turns()
        runs.ends[-1].set_result(None)
        assert await call == number


async def test_cancelled_or_failed_run_does_not_affect_the_next_caller() -> None:
    runs = Runs()
    joined = JoinedCalls(runs)
    cancelled, failing, waiting = (asyncio.create_task(joined()) for _ in range(3))
    await turns()
    cancelled.cancel()
    await turns()
    runs.ends[1].set_exception(OSError("no answer"))
    with pytest.raises(OSError, match="no answer"):
        await failing
    await turns()
    runs.ends[2].set_result(None)
    assert await waiting == 3
