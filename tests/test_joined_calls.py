"""Joined calls: callers share a run, and no result is older than its call."""

from __future__ import annotations

import asyncio
import gc
import traceback
import weakref
from collections.abc import Awaitable, Callable

import pytest

from fullon_graphql.joined_calls import JoinedCalls, KeyedCalls, Outcome, SharedRuns
from tests.fixtures.eventually import eventually


class Runs:
    """A function whose runs end one by one."""

    def __init__(self) -> None:
        self.begun = 0
        self.canceled = 0
        self.ends: list[asyncio.Future[None]] = []

    async def __call__(self, _key: object = None) -> int:
        self.begun += 1
        number = self.begun
        self.ends.append(asyncio.get_running_loop().create_future())
        try:
            await self.ends[-1]
        except asyncio.CancelledError:
            self.canceled += 1
            raise
        return number


async def turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def waiting(call: Callable[[], Awaitable[int]], number: int) -> list[asyncio.Task[int]]:
    """Calls that wait for a run, or for their turn."""

    async def result() -> int:
        return await call()

    tasks = [asyncio.create_task(result()) for _ in range(number)]
    await turns()
    return tasks


async def test_callers_during_a_run_share_the_next_one() -> None:
    runs = Runs()
    joined = JoinedCalls(runs)
    [first] = await waiting(joined, 1)
    others = await waiting(joined, 50)
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
        [call] = await waiting(joined, 1)
        runs.ends[-1].set_result(None)
        assert await call == number


async def test_call_between_two_runs_joins_the_second() -> None:
    """The first run has ended, and the calls that waited for it have not begun theirs."""
    runs = Runs()
    joined = JoinedCalls(runs)
    [first] = await waiting(joined, 1)
    [second] = await waiting(joined, 1)
    runs.ends[0].set_result(None)
    [third] = await waiting(joined, 1)
    runs.ends[1].set_result(None)
    assert [await call for call in (first, second, third)] == [1, 2, 2]


async def test_canceled_call_leaves_its_run_to_the_others() -> None:
    runs = Runs()
    joined = JoinedCalls(runs)
    [first] = await waiting(joined, 1)
    others = await waiting(joined, 3)
    others[0].cancel()
    runs.ends[0].set_result(None)
    await turns()
    others[1].cancel()
    await turns()
    assert not runs.canceled
    runs.ends[1].set_result(None)
    assert [await first, await others[2]] == [1, 2]
    assert others[0].cancelled()
    assert others[1].cancelled()


async def test_canceled_run_is_not_shared() -> None:
    runs = Runs()
    joined = JoinedCalls(runs)
    [first] = await waiting(joined, 1)
    [second] = await waiting(joined, 1)
    first.cancel()
    await turns()
    runs.ends[1].set_result(None)
    assert await second == 2
    assert runs.canceled == 1


async def test_run_without_calls_is_canceled() -> None:
    runs = Runs()
    joined = JoinedCalls(runs)
    [first] = await waiting(joined, 1)
    others = await waiting(joined, 3)
    runs.ends[0].set_result(None)
    assert await first == 1
    await turns()
    for other in others:
        other.cancel()
    [later] = await waiting(joined, 1)
    assert runs.canceled == 1
    runs.ends[2].set_result(None)
    assert await later == 3


async def test_calls_that_are_all_canceled_begin_no_run() -> None:
    runs = Runs()
    joined = JoinedCalls(runs)
    [first] = await waiting(joined, 1)
    for other in await waiting(joined, 3):
        other.cancel()
    runs.ends[0].set_result(None)
    assert await first == 1
    await turns()
    assert runs.begun == 1


async def test_call_after_canceled_ones_is_not_canceled_with_them() -> None:
    runs = Runs()
    joined = JoinedCalls(runs)
    [first] = await waiting(joined, 1)
    canceled = await waiting(joined, 3)
    for other in canceled:
        other.cancel()
    await asyncio.wait(canceled)
    [later] = await waiting(joined, 1)
    runs.ends[0].set_result(None)
    await first
    await turns()
    runs.ends[1].set_result(None)
    assert await later == 2


async def test_error_is_shared_by_those_who_waited_for_it_only() -> None:
    runs = Runs()
    joined = JoinedCalls(runs)
    [first] = await waiting(joined, 1)
    others = await waiting(joined, 2)
    runs.ends[0].set_exception(OSError("no answer"))
    await turns()
    [later] = await waiting(joined, 1)
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


async def test_traceback_of_a_shared_error_shows_its_cause_and_no_other_call() -> None:
    runs = Runs()
    joined = JoinedCalls(runs)
    depths = []

    async def call() -> None:
        try:
            await joined()
        except OSError as error:
            depths.append([frame.name for frame in traceback.extract_tb(error.__traceback__)])

    first = asyncio.create_task(call())
    await turns()
    others = [asyncio.create_task(call()) for _ in range(5)]
    await turns()
    runs.ends[0].set_result(None)
    await turns()
    runs.ends[1].set_exception(OSError("no answer"))
    await asyncio.gather(first, *others)
    assert depths == [depths[0]] * 5
    assert "__call__" in depths[0]


async def test_call_waits_for_a_slow_run_for_a_limited_time() -> None:
    runs = Runs()
    keyed = KeyedCalls(runs, most_seconds=0.01)
    [slow] = await waiting(lambda: keyed("a"), 1)
    others = await waiting(lambda: keyed("a"), 3)
    await eventually(lambda: runs.begun == 2)
    runs.ends[1].set_result(None)
    assert await asyncio.gather(*others) == [2] * 3
    assert not slow.done()
    [later] = await waiting(lambda: keyed("a"), 1)  # the older run is not waited for
    runs.ends[2].set_result(None)
    runs.ends[0].set_result(None)
    assert [await slow, await later] == [1, 3]
    assert not keyed._newest


async def test_calls_are_joined_by_key_and_counted() -> None:
    asked: list[str] = []

    async def run(key: str) -> str:
        asked.append(key)
        await asyncio.sleep(0)
        return key.upper()

    keyed = KeyedCalls(run)
    answers = await asyncio.gather(*(keyed.counted(key) for key in ["a", "b"] * 10))
    assert answers == [Outcome("A", 1), Outcome("B", 1), *[Outcome("A", 9), Outcome("B", 9)] * 9]
    assert sorted(asked) == ["a", "a", "b", "b"]


class Text:
    """A result that can be watched."""


class Failure(Exception):
    """An error that can be watched."""


@pytest.mark.parametrize("fails", [False, True])
async def test_nothing_is_kept_after_the_last_call(*, fails: bool) -> None:
    kept: list[weakref.ref[object]] = []

    async def run(_key: str) -> Text:
        await asyncio.sleep(0)
        if fails:
            failure = Failure()
            kept.append(weakref.ref(failure))
            try:
                raise failure
            finally:
                del failure  # its traceback has this frame
        text = Text()
        kept.append(weakref.ref(text))
        return text

    keyed = KeyedCalls(run, most_seconds=1)

    async def call() -> None:
        try:
            await keyed("a")
        except Failure:
            return

    gc.collect()
    gc.disable()
    try:
        await asyncio.gather(*(call() for _ in range(5)))
        await turns()
        assert len(kept) == 2
        assert [each() for each in kept] == [None, None]
    finally:
        gc.enable()
    assert not keyed._waiting
    assert not keyed._newest
    assert not keyed._tasks


async def test_close_waits_for_canceled_runs() -> None:
    runs = Runs()
    keyed = KeyedCalls(runs)
    [first] = await waiting(lambda: keyed("a"), 1)
    [second] = await waiting(lambda: keyed("a"), 1)
    runs.ends[0].set_result(None)
    await first
    await turns()
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    await keyed.close()
    assert runs.canceled == 1
    await keyed.close()


async def test_equal_calls_share_a_run_that_has_begun() -> None:
    runs, shared = Runs(), SharedRuns()
    first = await waiting(lambda: shared("key", runs), 2)
    later = await waiting(lambda: shared("key", runs), 2)
    [other] = await waiting(lambda: shared("other", runs), 1)
    for end in runs.ends:
        end.set_result(None)
    assert await asyncio.gather(*first, *later) == [1] * 4
    assert await other == 2
    [next_one] = await waiting(lambda: shared("key", runs), 1)
    runs.ends[-1].set_result(None)
    assert await next_one == 3


async def test_shared_run_goes_on_after_its_calls_are_canceled() -> None:
    runs, shared = Runs(), SharedRuns()
    first, second = await waiting(lambda: shared("key", runs), 2)
    first.cancel()
    second.cancel()
    [third] = await waiting(lambda: shared("key", runs), 1)
    assert not runs.canceled
    runs.ends[0].set_result(None)
    assert await third == 1


async def test_error_of_a_shared_run_is_that_of_each_call(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> int:
        await turns()
        raise ValueError("invalid")

    shared = SharedRuns()
    calls = [asyncio.create_task(shared("key", fail)) for _ in range(3)]
    errors = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(error) for error in errors] == [ValueError] * 3
    alone = asyncio.create_task(shared("key", fail))
    await asyncio.sleep(0)
    alone.cancel()
    await asyncio.wait([alone])
    await turns()
    await turns()
    gc.collect()
    assert not caplog.records
