"""Joined calls: callers share a run, and no result is older than its call."""

from __future__ import annotations

import asyncio

import pytest

from fullon_graphql.joined_calls import JoinedCalls, KeyedCalls


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


async def test_canceled_run_is_not_shared() -> None:
    runs = Runs()
    joined = JoinedCalls(runs)
    first, second = (asyncio.create_task(joined()) for _ in range(2))
    await turns()
    first.cancel()
    await turns()
    runs.ends[1].set_result(None)
    assert await second == 2


async def test_error_is_shared_by_those_who_waited_for_it_only() -> None:
    runs = Runs()
    joined = JoinedCalls(runs)
    first, *others = (asyncio.create_task(joined()) for _ in range(3))
    await turns()
    runs.ends[0].set_exception(OSError("no answer"))
    await turns()
    later = asyncio.create_task(joined())
    await turns()
    runs.ends[1].set_exception(OSError("no answer either"))
    await turns()
    runs.ends[2].set_result(None)
    assert await later == 3
    with pytest.raises(OSError, match="no answer"):
        await first
    for other in others:
        with pytest.raises(OSError, match="no answer either"):
            await other
    assert runs.begun == 3


async def test_calls_are_joined_by_key_and_nothing_is_kept() -> None:
    asked: list[str] = []

    async def run(key: str) -> str:
        asked.append(key)
        await asyncio.sleep(0)
        return key.upper()

    keyed = KeyedCalls(run)
    answers = await asyncio.gather(*(keyed(key) for key in ["a", "b"] * 10))
    assert answers == ["A", "B"] * 10
    assert sorted(asked) == ["a", "a", "b", "b"]
    assert not keyed._calls
