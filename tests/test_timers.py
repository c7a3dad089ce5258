"""The shared timer."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from fullon_graphql.timers import SharedTimer, TimeLimit


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
