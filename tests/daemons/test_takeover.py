"""Service control across real processes, with the real timing."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from redis.asyncio import Redis

from fullon_graphql.daemons.control.manager import ServiceManager
from fullon_graphql.daemons.control.state import ServiceName, ServiceState
from fullon_graphql.daemons.daemon import Resources
from tests.daemons.conftest import eventually
from tests.daemons.specimens import LOG, PATH

TICKER = ServiceName.TICKER


@pytest.fixture
async def workers(environment: dict[str, str]) -> AsyncIterator[dict[int, asyncio.subprocess.Process]]:
    """Two worker processes, by process id."""
    environment |= {"TICKER_DAEMON": f"{PATH}Calm", "FULLON_HOME": "/dev/null"}
    command = (sys.executable, "-m", "tests.daemons.worker")
    processes = [await asyncio.create_subprocess_exec(*command, env=environment) for _ in range(2)]
    yield {process.pid: process for process in processes}
    for process in processes:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)
            process.terminate()
        await process.wait()


@pytest.fixture
def onlooker(resources: Resources) -> ServiceManager:
    """Asks and orders, and takes no part."""
    return ServiceManager(resources.settings, resources, "onlooker")


async def holder_of(onlooker: ServiceManager) -> int:
    """The process id of the worker that runs the ticker; 0 while none does."""
    status = await onlooker.status(TICKER)
    return int(status.holder.split(":")[1]) if status.holder and status.is_running else 0


async def test_when_the_holder_is_killed_another_process_takes_over_within_15_seconds(
    workers: dict[int, asyncio.subprocess.Process], onlooker: ServiceManager, redis: Redis
) -> None:
    await onlooker.start(TICKER)
    first = await holder_of(onlooker)
    workers[first].kill()
    killed = time.monotonic()

    async def taken_over() -> bool:
        return await holder_of(onlooker) not in {0, first}

    await eventually(taken_over, seconds=15)
    second = await holder_of(onlooker)
    assert second in workers
    assert time.monotonic() - killed < 15
    assert (await onlooker.stop(TICKER)).state is ServiceState.STOPPED
    assert await redis.lrange(LOG, 0, -1) == [f"start {first}", f"start {second}", f"stop {second}"]


async def test_a_process_that_was_frozen_stops_its_daemon_when_it_wakes_up_and_the_successor_stays(
    workers: dict[int, asyncio.subprocess.Process], onlooker: ServiceManager, redis: Redis
) -> None:
    await onlooker.start(TICKER)
    frozen = await holder_of(onlooker)
    workers[frozen].send_signal(signal.SIGSTOP)

    async def taken_over() -> bool:
        return await holder_of(onlooker) not in {0, frozen}

    await eventually(taken_over, seconds=15)
    successor = await holder_of(onlooker)
    workers[frozen].send_signal(signal.SIGCONT)

    async def laid_down() -> bool:
        return f"stop {frozen}" in await redis.lrange(LOG, 0, -1)

    await eventually(laid_down)
    assert await holder_of(onlooker) == successor
    assert await redis.lrange(LOG, 0, -1) == [f"start {frozen}", f"start {successor}", f"stop {frozen}"]


async def test_a_worker_that_is_asked_to_end_hands_over_without_waiting_for_its_lease(
    workers: dict[int, asyncio.subprocess.Process], onlooker: ServiceManager, redis: Redis
) -> None:
    await onlooker.start(TICKER)
    first = await holder_of(onlooker)
    workers[first].terminate()
    assert await workers[first].wait() == 0

    async def taken_over() -> bool:
        return await holder_of(onlooker) not in {0, first}

    await eventually(taken_over)
    second = await holder_of(onlooker)
    assert await redis.lrange(LOG, 0, -1) == [f"start {first}", f"stop {first}", f"start {second}"]
