"""Service control, with several runners in one process."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import pytest
from redis.asyncio import Redis

from fullon_graphql.cache import keys
from fullon_graphql.config import Settings
from fullon_graphql.daemons.control.lease import acquire
from fullon_graphql.daemons.control.state import ServiceName, ServiceState, Timing
from fullon_graphql.errors import Conflict, Timeout
from tests.daemons.conftest import FAST, TICKER, Manager, RunServices
from tests.daemons.specimens import LOG, Fragile, FromThePlatform, Unstoppable, Witness
from tests.fixtures.eventually import eventually


async def log_of(redis: Redis) -> list[str]:
    return [str(entry).split()[0] for entry in await redis.lrange(LOG, 0, -1)]


async def test_service_starts_and_stops_on_request(run_services: RunServices, redis: Redis) -> None:
    async with run_services("one", ticker="Calm") as manager:
        assert (await manager.status(TICKER)).state is ServiceState.STOPPED
        before = datetime.now(UTC)
        started = await manager.start(TICKER)
        assert started.state is ServiceState.RUNNING
        assert started.is_running
        assert started.holder == "one"
        assert started.started_at is not None
        assert started.heartbeat_at is not None
        assert before <= started.started_at <= datetime.now(UTC)
        stopped = await manager.stop(TICKER)
        assert (stopped.state, stopped.is_running, stopped.error) == (ServiceState.STOPPED, False, None)
    assert await log_of(redis) == ["start", "stop"]


async def test_start_of_a_running_and_stop_of_a_stopped_service_change_nothing(
    run_services: RunServices, redis: Redis
) -> None:
    async with run_services("one", ticker="Calm") as manager:
        assert (await manager.stop(TICKER)).state is ServiceState.STOPPED
        first = await manager.start(TICKER)
        again = await manager.start(TICKER)
        assert again.started_at == first.started_at
        await manager.stop(TICKER)
        assert (await manager.stop(TICKER)).state is ServiceState.STOPPED
    assert await log_of(redis) == ["start", "stop"]


async def test_restart_stops_and_starts(run_services: RunServices, redis: Redis) -> None:
    async with run_services("one", ticker="Calm") as manager:
        first = await manager.start(TICKER)
        second = await manager.restart(TICKER)
        assert second.is_running
        assert first.started_at
        assert second.started_at
        assert second.started_at > first.started_at
    assert await log_of(redis) == ["start", "stop", "start", "stop"]


async def test_restart_starts_a_stopped_service(run_services: RunServices, redis: Redis) -> None:
    async with run_services("one", ticker="Calm") as manager:
        assert (await manager.restart(TICKER)).is_running
        assert await log_of(redis) == ["start"]


async def test_concurrent_restarts_are_combined_and_all_answered(run_services: RunServices, redis: Redis) -> None:
    async with run_services("one", ticker="Calm") as manager:
        await manager.start(TICKER)
        answers = await asyncio.gather(*[manager.restart(TICKER) for _ in range(5)])
        assert all(answer.is_running for answer in answers)
        log = await log_of(redis)
    assert log == ["start", "stop"] * (len(log) // 2) + ["start"]
    assert 3 <= len(log) <= 11


async def test_service_never_runs_twice_with_many_runners_and_requests(run_services: RunServices, redis: Redis) -> None:
    async with AsyncExitStack() as stack:
        managers = [await stack.enter_async_context(run_services(f"runner {n}", ticker="Calm")) for n in range(4)]
        for _ in range(5):
            started = await asyncio.gather(*[manager.start(TICKER) for manager in managers])
            assert len({status.holder for status in started}) == 1
            await asyncio.gather(*[manager.stop(TICKER) for manager in managers])
    assert await log_of(redis) == ["start", "stop"] * 5


async def test_service_is_controlled_from_a_process_without_runner(run_services: RunServices, manager: Manager) -> None:
    async with run_services("one", ticker="Calm") as one:
        await one.start(TICKER)
        assert (await manager.status(TICKER)).holder == "one"
        assert (await manager.restart(TICKER)).is_running
        assert (await manager.stop(TICKER)).state is ServiceState.STOPPED
        assert (await one.status(TICKER)).state is ServiceState.STOPPED


async def test_statuses_include_every_service(run_services: RunServices) -> None:
    async with run_services("one", account="Calm") as manager:
        await manager.start(ServiceName.ACCOUNT)
        states = {status.name: status.state for status in await manager.statuses()}
    assert states == {
        ServiceName.TICKER: ServiceState.STOPPED,
        ServiceName.OHLCV: ServiceState.STOPPED,
        ServiceName.ACCOUNT: ServiceState.RUNNING,
    }


async def test_ending_runner_hands_over_at_once(run_services: RunServices, redis: Redis) -> None:
    long_lease = Timing(interval=0.1, lease=600, margin=1)
    async with AsyncExitStack() as ending:
        one = await ending.enter_async_context(run_services("one", long_lease, ticker="Calm"))
        await one.start(TICKER)
        async with run_services("two", long_lease, ticker="Calm") as two:
            await ending.aclose()
            [status] = await two.becomes(ServiceState.RUNNING)
            assert status.holder == "two"
    assert await log_of(redis) == ["start", "stop", "start", "stop"]


async def test_service_of_a_dead_holder_runs_elsewhere(run_services: RunServices, redis: Redis) -> None:
    async with run_services("alive", ticker="Calm") as manager:
        assert await acquire(redis, TICKER, "dead", seconds=0.5)
        answer = await manager.start(TICKER)
        assert (answer.state, answer.holder) == (ServiceState.RUNNING, "alive")


async def test_stop_waits_for_the_lease_of_a_dead_holder(manager: Manager, redis: Redis) -> None:
    assert await acquire(redis, TICKER, "dead", seconds=0.5)
    assert (await manager.stop(TICKER)).state is ServiceState.STOPPED


async def test_crashed_daemon_is_failed_with_its_reason_and_restarted(run_services: RunServices, redis: Redis) -> None:
    Fragile.failures_left = 1000
    async with run_services("one", ticker="Fragile") as manager:
        await manager.start(TICKER)
        met = await manager.becomes(ServiceState.FAILED, ServiceState.STARTING, ServiceState.FAILED)
        assert [status.error for status in met] == [
            "ConnectionError: the exchange hung up",
            None,
            "ConnectionError: the exchange hung up",
        ]
        Fragile.failures_left = 0
        [recovered] = await manager.becomes(ServiceState.RUNNING)
        assert recovered.error is None
    assert (await log_of(redis)).count("start") >= 3


async def test_start_retries_a_failed_service_without_waiting_for_its_backoff(run_services: RunServices) -> None:
    Fragile.failures_left = 1
    long_backoff = Timing(interval=0.1, lease=1.5, margin=0.5, first_backoff=600, longest_backoff=600, command=10)
    async with run_services("one", long_backoff, ticker="Fragile") as manager:
        states = asyncio.create_task(manager.becomes(ServiceState.FAILED))
        await manager.start(TICKER)
        await states
        assert (await manager.start(TICKER)).is_running


async def test_failed_service_can_be_stopped(run_services: RunServices) -> None:
    Fragile.failures_left = 1000
    async with run_services("one", ticker="Fragile") as manager:
        states = asyncio.create_task(manager.becomes(ServiceState.FAILED))
        await manager.start(TICKER)
        await states
        assert (await manager.stop(TICKER)).state is ServiceState.STOPPED


@pytest.mark.parametrize(
    ("daemon", "error"),
    [
        ("Ending", "It ended by itself."),
        ("NeverStarting", "start() did not return within 0.5 s and was cancelled."),
        ("NoSuch", "AttributeError: module 'tests.daemons.specimens' has no attribute 'NoSuch'"),
    ],
)
async def test_daemon_that_cannot_run_is_failed_with_the_reason(
    run_services: RunServices, daemon: str, error: str
) -> None:
    async with run_services("one", ticker=daemon) as manager:
        states = asyncio.create_task(manager.becomes(ServiceState.FAILED))
        await manager.start(TICKER)
        [failed] = await states
        assert failed.error == error


async def test_daemon_of_the_platform_runs_until_stopped(run_services: RunServices) -> None:
    async with run_services("one", ticker="FromThePlatform") as manager:
        assert (await manager.start(TICKER)).is_running
        stopped = await manager.stop(TICKER)
        assert (stopped.state, stopped.error) == (ServiceState.STOPPED, None)
    assert FromThePlatform.calls[:2] == ["start", "stop"]


async def test_daemon_of_the_platform_is_cancelled_if_its_stop_does_not_end_it(run_services: RunServices) -> None:
    async with run_services("one", ticker="NeverEnding") as manager:
        await manager.start(TICKER)
        assert (await manager.stop(TICKER)).state is ServiceState.STOPPED
    assert FromThePlatform.calls == ["stop", "cancelled"]


async def test_failure_of_a_daemon_of_the_platform_is_reported_and_it_is_restarted(run_services: RunServices) -> None:
    FromThePlatform.failures_left = 1
    async with run_services("one", ticker="FromThePlatform") as manager:
        states = asyncio.create_task(manager.becomes(ServiceState.FAILED, ServiceState.RUNNING))
        await manager.start(TICKER)
        failed, running = await states
        assert (failed.error, running.error) == ("ConnectionError: the exchange hung up", None)


async def test_start_returns_failed_if_the_daemon_cannot_start(run_services: RunServices) -> None:
    async with run_services("one", ticker="NeverStarting") as manager:
        answer = await manager.start(TICKER)
        assert answer.state is ServiceState.FAILED
        assert answer.error


async def test_reason_contains_no_secret(run_services: RunServices, settings: Settings) -> None:
    Fragile.failures_left = 1000
    Fragile.message = f"refused {settings.jwt_secret_key.get_secret_value()} at redis://me:hunter22@host"
    async with run_services("one", ticker="Fragile") as manager:
        states = asyncio.create_task(manager.becomes(ServiceState.FAILED))
        await manager.start(TICKER)
        assert (await states)[0].error == "ConnectionError: refused [redacted] at redis://[redacted]@host"


async def test_daemon_that_ignores_its_stop_does_not_block_the_service(run_services: RunServices) -> None:
    async with run_services("one", ticker="Unstoppable") as manager:
        await manager.start(TICKER)
        stopped = await manager.stop(TICKER)
        assert stopped.state is ServiceState.STOPPED
        assert stopped.error == "stop() did not return within 0.5 s and was cancelled."
        Unstoppable.let_go = True
        _cancel_unstoppable()


def _cancel_unstoppable() -> None:
    for task in asyncio.all_tasks():
        if "Unstoppable.stop" in repr(task.get_coro()):
            task.cancel()


async def test_daemon_stops_before_a_lease_that_cannot_be_renewed_expires(
    run_services: RunServices, redis: Redis
) -> None:
    async with run_services("one", ticker="Witness") as manager:
        await manager.start(TICKER)
        await redis.client_pause(3000)  # Redis answers nothing

        async def stopped() -> bool:
            return bool(Witness.stops)

        await eventually(stopped)
        assert Witness.stops == [True]
        await redis.client_unpause()
        await manager.becomes(ServiceState.RUNNING)


async def test_daemon_stops_when_another_process_has_the_lease(run_services: RunServices, redis: Redis) -> None:
    long_lease = Timing(interval=0.1, lease=600, margin=1)
    async with run_services("one", long_lease, ticker="Witness") as manager:
        await manager.start(TICKER)
        await redis.set(keys.service_lease(TICKER), "99:another", px=700)

        async def stopped() -> bool:
            return bool(Witness.stops)

        await eventually(stopped)
        assert (await manager.start(TICKER)).holder == "one", "it acquires the lease again after the other process"


async def test_process_suspended_beyond_its_lease_does_not_hold_it(run_services: RunServices) -> None:
    async with run_services("one", ticker="Witness") as manager:
        first = await manager.start(TICKER)
        time.sleep(FAST.lease + 0.1)  # noqa: ASYNC251  # blocks the whole process, as a suspension does

        async def stopped() -> bool:
            return bool(Witness.stops)

        await eventually(stopped)
        assert Witness.stops == [False]
        [second] = await manager.becomes(ServiceState.RUNNING)
        assert first.started_at
        assert second.started_at
        assert second.started_at > first.started_at


async def test_auto_started_service_runs_again_after_redis_lost_its_data(
    run_services: RunServices, redis: Redis
) -> None:
    async with run_services("one", ticker="Calm", services_to_auto_start=["ticker"]) as manager:
        await manager.becomes(ServiceState.RUNNING)
        await redis.flushall()
        await manager.becomes(ServiceState.RUNNING)


async def test_auto_start_respects_an_earlier_request(run_services: RunServices) -> None:
    names = ["ticker", "health_monitor"]
    async with run_services("first", ticker="Calm", services_to_auto_start=names) as manager:
        await manager.becomes(ServiceState.RUNNING)
        assert (await manager.status(ServiceName.OHLCV)).state is ServiceState.STOPPED
        await manager.stop(TICKER)
    async with run_services("second", ticker="Calm", services_to_auto_start=names) as manager:
        await manager.start(ServiceName.OHLCV)  # by now the runner has seen every service
        assert (await manager.status(TICKER)).state is ServiceState.STOPPED


async def test_request_without_a_runner_times_out_and_remains_in_effect(
    run_services: RunServices, manager: Manager
) -> None:
    manager._timing = Timing(interval=0.05, command=0.2)
    with pytest.raises(Timeout, match="The request remains in effect"):
        await manager.start(TICKER)
    assert (await manager.status(TICKER)).state is ServiceState.STARTING
    async with run_services("one", ticker="Calm") as started:
        await started.becomes(ServiceState.RUNNING)


async def test_opposite_request_ends_the_wait_with_conflict(manager: Manager) -> None:
    starting = asyncio.create_task(manager.start(TICKER))
    await manager.becomes(ServiceState.STARTING)
    await manager.stop(TICKER)
    with pytest.raises(Conflict, match="changed the desired state of the service ticker"):
        await starting


async def test_heartbeats_are_written_while_a_service_runs(run_services: RunServices) -> None:
    async with run_services("one", ticker="Calm") as manager:
        started = await manager.start(TICKER)

        async def newer() -> bool:
            heartbeat = (await manager.status(TICKER)).heartbeat_at
            return started.heartbeat_at is not None and heartbeat is not None and heartbeat > started.heartbeat_at

        await eventually(newer)


async def test_request_takes_effect_at_the_notification_and_not_at_the_next_interval(
    run_services: RunServices,
) -> None:
    rarely = Timing(interval=60, lease=600, margin=1, command=10)
    async with run_services("one", rarely, ticker="Calm") as manager:
        await manager.start(TICKER)
        await manager.restart(TICKER)
        assert (await manager.stop(TICKER)).state is ServiceState.STOPPED


async def test_process_has_one_subscriber_connection(run_services: RunServices, redis: Redis) -> None:
    async with run_services("one", ticker="Calm") as manager:
        await asyncio.gather(*[manager.restart(TICKER) for _ in range(5)])
        subscribers = [client for client in await redis.client_list() if int(client["sub"]) + int(client["psub"])]
        assert len(subscribers) == 1
