"""The shared timer, and the queue of timers."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from fullon_graphql.timers import SharedTimer, TimeLimit, TimerQueue, Wait


async def test_functions_are_called_in_the_order_they_were_added() -> None:
    timer, called, last = SharedTimer(0.02), list[int](), asyncio.Event()
    functions = [partial(called.append, number) for number in range(5)]
    for function in functions:
        timer.add(function, asyncio.get_running_loop())
    timer.add(last.set, asyncio.get_running_loop())
    timer.remove(functions[2])
    await last.wait()
    assert called == [0, 1, 3, 4]


async def test_timer_serves_entries_after_it_was_idle() -> None:
    timer = SharedTimer(0.01)
    for _ in range(2):
        called = asyncio.Event()
        timer.add(called.set, asyncio.get_running_loop())
        await called.wait()


async def test_function_that_raises_keeps_no_other_from_being_called() -> None:
    timer, queue, loop = SharedTimer(0.01), TimerQueue(), asyncio.get_running_loop()
    first, second, errors = asyncio.Event(), asyncio.Event(), list[Any]()
    loop.set_exception_handler(lambda _, context: errors.append(context["exception"]))
    timer.add(lambda: 1 / 0, loop)
    timer.add(first.set, loop)
    queue.add(0.01, lambda _: 1 / 0)
    queue.add(0.01, lambda _: second.set())
    async with asyncio.timeout(20):
        await first.wait()
        await second.wait()
    assert [type(error) for error in errors] == [ZeroDivisionError] * 2


def test_timer_serves_the_next_event_loop() -> None:
    timer = SharedTimer(0.01)

    async def wait() -> None:
        with pytest.raises(TimeoutError), TimeLimit(timer):
            await asyncio.Event().wait()

    async def leave() -> None:
        timer.add(lambda: None, asyncio.get_running_loop())

    for step in (wait, leave, wait):
        asyncio.run(step())


async def test_block_in_time_is_not_canceled() -> None:
    timer = SharedTimer(0.01)
    with TimeLimit(timer):
        await asyncio.sleep(0)
    late = asyncio.Event()
    timer.add(late.set, asyncio.get_running_loop())
    await late.wait()
    task = asyncio.current_task()
    assert task is not None
    assert not task.cancelling()


async def test_cancellation_from_outside_stays_a_cancellation() -> None:
    async def work() -> None:
        with TimeLimit(SharedTimer(30)):
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_inner_limit_ends_only_the_inner_block() -> None:
    with TimeLimit(SharedTimer(30)):
        with pytest.raises(TimeoutError), TimeLimit(SharedTimer(0.01)):
            await asyncio.Event().wait()
        await asyncio.sleep(0)


@given(st.lists(st.tuples(st.sampled_from([-0.01, 0.0, 0.004, 0.008]), st.booleans()), max_size=20))
def test_queue_calls_functions_in_the_order_of_their_moments(given_: list[tuple[float, bool]]) -> None:
    async def run() -> None:
        queue, called, last = TimerQueue(), list[tuple[int, float]](), asyncio.Event()
        clock = asyncio.get_running_loop().time

        def add(number: int, seconds: float) -> Wait:
            return queue.add(seconds, lambda _: called.append((number, clock())))

        waits = [add(number, seconds) for number, (seconds, _) in enumerate(given_)]
        kept = [wait for wait, (_, is_kept) in zip(waits, given_, strict=True) if is_kept]
        for wait in waits:
            if wait not in kept:
                queue.cancel(wait)
        assert len(queue) <= 2 * len(kept), "canceled waits are forgotten"
        queue.add(0.02, lambda _: last.set())
        await last.wait()
        assert [number for number, _ in called] == [wait.number for wait in sorted(kept)]
        assert all(waits[number].moment <= moment for number, moment in called), "none is called too early"
        for wait in waits:
            queue.cancel(wait)  # without effect
        assert len(queue) == 0

    asyncio.run(run())


def test_function_that_adds_to_its_queue_ends_a_turn_before_the_added_one_begins() -> None:
    async def run() -> list[str]:
        queue, called, last = TimerQueue(), list[str](), asyncio.Event()

        def add(same: TimerQueue) -> None:
            same.add(-1, end)
            asyncio.get_running_loop().call_soon(called.append, "a turn later")

        def end(_: TimerQueue) -> None:
            called.append("added")
            last.set()

        queue.add(0.0, add)
        await last.wait()
        return called

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # its clock stands still during a turn
        assert runner.run(run()) == ["a turn later", "added"]


async def test_earlier_wait_is_not_delayed_by_a_later_one() -> None:
    queue, called = TimerQueue(), asyncio.Event()
    later = queue.add(3_600, lambda _: None)
    queue.add(0.01, lambda _: called.set())
    await asyncio.wait_for(called.wait(), 10)
    queue.cancel(later)
    assert len(queue) == 0
