"""Service control across processes, with the timing of production."""

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
from fullon_graphql.daemons.control.state import ServiceState, Timing
from tests.daemons.conftest import TICKER, Manager
from tests.daemons.specimens import LOG, PATH
from tests.fixtures.eventually import eventually


@pytest.fixture
async def runners(environment: dict[str, str]) -> AsyncIterator[dict[int, asyncio.subprocess.Process]]:
    """Two processes that run services, by process id."""
    environment |= {"TICKER_DAEMON": f"{PATH}Calm", "FULLON_HOME": "/dev/null"}
    command = (sys.executable, "-m", "tests.daemons.runner")
    processes = [await asyncio.create_subprocess_exec(*command, env=environment) for _ in range(2)]
    yield {process.pid: process for process in processes}
    for process in processes:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)
            process.terminate()
        await process.wait()


@pytest.fixture
def control(manager: Manager) -> ServiceManager:
    """A manager with the timing of production."""
    manager._timing = Timing()
    return manager


async def holder_of(control: ServiceManager) -> int:
    """The id of the process that runs the ticker service; 0 if there is none."""
    status = await control.status(TICKER)
    return int(status.holder.split(":")[1]) if status.holder and status.is_running else 0


async def test_another_process_takes_over_within_15_seconds_of_a_kill(
    runners: dict[int, asyncio.subprocess.Process], control: ServiceManager, redis: Redis
) -> None:
    await control.start(TICKER)
    first = await holder_of(control)
    runners[first].kill()
    killed = time.monotonic()

    async def taken_over() -> bool:
        return await holder_of(control) not in {0, first}

    await eventually(taken_over, seconds=15)
    second = await holder_of(control)
    assert second in runners
    assert time.monotonic() - killed < 15
    assert (await control.stop(TICKER)).state is ServiceState.STOPPED
    assert await redis.lrange(LOG, 0, -1) == [f"start {first}", f"start {second}", f"stop {second}"]


async def test_suspended_process_stops_its_daemon_when_it_resumes(
    runners: dict[int, asyncio.subprocess.Process], control: ServiceManager, redis: Redis
) -> None:
    await control.start(TICKER)
    suspended = await holder_of(control)
    runners[suspended].send_signal(signal.SIGSTOP)

    async def taken_over() -> bool:
        return await holder_of(control) not in {0, suspended}

    await eventually(taken_over, seconds=15)
    successor = await holder_of(control)
    runners[suspended].send_signal(signal.SIGCONT)

    async def stopped() -> bool:
        return f"stop {suspended}" in await redis.lrange(LOG, 0, -1)

    await eventually(stopped)
    assert await holder_of(control) == successor
    assert await redis.lrange(LOG, 0, -1) == [f"start {suspended}", f"start {successor}", f"stop {suspended}"]


async def test_terminated_process_hands_over_before_its_lease_expires(
    runners: dict[int, asyncio.subprocess.Process], control: ServiceManager, redis: Redis
) -> None:
    await control.start(TICKER)
    first = await holder_of(control)
    runners[first].terminate()
    assert await runners[first].wait() == 0

    async def taken_over() -> bool:
        return await holder_of(control) not in {0, first}

    await eventually(taken_over)
    second = await holder_of(control)
    assert await redis.lrange(LOG, 0, -1) == [f"start {first}", f"stop {first}", f"start {second}"]
