"""Service control, in one process with as many managers as it takes."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, aclosing
from datetime import UTC, datetime

import pytest
from redis.asyncio import Redis

from fullon_graphql.cache import keys
from fullon_graphql.config import Settings
from fullon_graphql.daemons.control.lease import acquire
from fullon_graphql.daemons.control.manager import ServiceManager
from fullon_graphql.daemons.control.state import ServiceName, ServiceState, ServiceStatus, Timing
from fullon_graphql.daemons.daemon import Resources
from fullon_graphql.errors import Conflict, Timeout
from tests.daemons.conftest import FAST, MakeManager, eventually
from tests.daemons.specimens import LOG, PATH, Clinger, Fragile, Witness

TICKER = ServiceName.TICKER


async def becomes(manager: ServiceManager, *states: ServiceState) -> list[ServiceStatus]:
    """Wait until the ticker has been in each of `states`, in that order; the statuses met."""
    met: list[ServiceStatus] = []
    async with asyncio.timeout(15), aclosing(manager.listen(TICKER)) as statuses:
        async for status in statuses:
            if status.state is states[len(met)]:
                met.append(status)
                if len(met) == len(states):
                    break
    return met


async def log_of(redis: Redis) -> list[str]:
    return [str(entry).split()[0] for entry in await redis.lrange(LOG, 0, -1)]


async def test_a_service_starts_and_stops_on_order(make_manager: MakeManager, redis: Redis) -> None:
    async with make_manager("worker", ticker="Calm") as manager:
        assert (await manager.status(TICKER)).state is ServiceState.STOPPED
        before = datetime.now(UTC)
        started = await manager.start(TICKER)
        assert started.state is ServiceState.RUNNING
        assert started.is_running
        assert started.holder == "worker"
        assert started.started_at is not None
        assert started.heartbeat_at is not None
        assert before <= started.started_at <= datetime.now(UTC)
        stopped = await manager.stop(TICKER)
        assert (stopped.state, stopped.is_running, stopped.error) == (ServiceState.STOPPED, False, None)
    assert await log_of(redis) == ["start", "stop"]


async def test_starting_what_runs_and_stopping_what_rests_changes_nothing(
    make_manager: MakeManager, redis: Redis
) -> None:
    async with make_manager("worker", ticker="Calm") as manager:
        assert (await manager.stop(TICKER)).state is ServiceState.STOPPED
        first = await manager.start(TICKER)
        again = await manager.start(TICKER)
        assert again.started_at == first.started_at
        await manager.stop(TICKER)
        assert (await manager.stop(TICKER)).state is ServiceState.STOPPED
    assert await log_of(redis) == ["start", "stop"]


async def test_restart_stops_and_starts(make_manager: MakeManager, redis: Redis) -> None:
    async with make_manager("worker", ticker="Calm") as manager:
        first = await manager.start(TICKER)
        second = await manager.restart(TICKER)
        assert second.is_running
        assert first.started_at
        assert second.started_at
        assert second.started_at > first.started_at
    assert await log_of(redis) == ["start", "stop", "start", "stop"]


async def test_restart_starts_what_is_stopped(make_manager: MakeManager, redis: Redis) -> None:
    async with make_manager("worker", ticker="Calm") as manager:
        assert (await manager.restart(TICKER)).is_running
        assert await log_of(redis) == ["start"]


async def test_restarts_asked_for_at_once_are_one_restart_or_two_and_all_are_answered(
    make_manager: MakeManager, redis: Redis
) -> None:
    async with make_manager("worker", ticker="Calm") as manager:
        await manager.start(TICKER)
        answers = await asyncio.gather(*[manager.restart(TICKER) for _ in range(5)])
        assert all(answer.is_running for answer in answers)
        log = await log_of(redis)
    assert log == ["start", "stop"] * (len(log) // 2) + ["start"]
    assert 3 <= len(log) <= 11


async def test_with_many_workers_and_many_orders_it_never_runs_twice(make_manager: MakeManager, redis: Redis) -> None:
    async with AsyncExitStack() as stack:
        managers = [await stack.enter_async_context(make_manager(f"worker {n}", ticker="Calm")) for n in range(4)]
        for _ in range(5):
            started = await asyncio.gather(*[manager.start(TICKER) for manager in managers])
            assert len({status.holder for status in started}) == 1
            await asyncio.gather(*[manager.stop(TICKER) for manager in managers])
    assert await log_of(redis) == ["start", "stop"] * 5


async def test_any_worker_starts_stops_and_knows(make_manager: MakeManager) -> None:
    async with make_manager("one", ticker="Calm") as one:
        await one.start(TICKER)
        async with make_manager("two", ticker="Calm") as two:
            assert (await two.status(TICKER)).holder == "one"
            assert (await two.restart(TICKER)).is_running
            assert (await two.stop(TICKER)).state is ServiceState.STOPPED
            assert (await one.status(TICKER)).state is ServiceState.STOPPED


async def test_all_statuses_come_at_once(make_manager: MakeManager) -> None:
    async with make_manager("worker", account="Calm") as manager:
        await manager.start(ServiceName.ACCOUNT)
        states = {status.name: status.state for status in await manager.statuses()}
    assert states == {
        ServiceName.TICKER: ServiceState.STOPPED,
        ServiceName.OHLCV: ServiceState.STOPPED,
        ServiceName.ACCOUNT: ServiceState.RUNNING,
    }


async def test_a_worker_that_leaves_hands_over_at_once(make_manager: MakeManager, redis: Redis) -> None:
    patient = Timing(interval=0.1, lease=600, margin=1)
    async with AsyncExitStack() as leaving:
        one = await leaving.enter_async_context(make_manager("one", patient, ticker="Calm"))
        await one.start(TICKER)
        async with make_manager("two", patient, ticker="Calm") as two:
            await leaving.aclose()
            [status] = await becomes(two, ServiceState.RUNNING)
            assert status.holder == "two"
    assert await log_of(redis) == ["start", "stop", "start", "stop"]


async def test_a_dead_holder_is_not_running_and_is_replaced(make_manager: MakeManager, redis: Redis) -> None:
    async with make_manager("alive", ticker="Calm") as manager:
        assert await acquire(redis, TICKER, "dead", seconds=0.5)
        answer = await manager.start(TICKER)
        assert (answer.state, answer.holder) == (ServiceState.RUNNING, "alive")


async def test_stopping_what_a_dead_worker_held_takes_until_its_lease_is_over(
    make_manager: MakeManager, redis: Redis
) -> None:
    manager = make_manager("alive", ticker="Calm")
    assert await acquire(redis, TICKER, "dead", seconds=0.5)
    assert (await manager.stop(TICKER)).state is ServiceState.STOPPED


async def test_a_crash_is_failed_with_its_reason_and_then_tried_again(make_manager: MakeManager, redis: Redis) -> None:
    Fragile.breaks_left = 3
    async with make_manager("worker", ticker="Fragile") as manager:
        watch = asyncio.create_task(becomes(manager, *[ServiceState.FAILED] * 3, ServiceState.RUNNING))
        await manager.start(TICKER)
        *failures, recovered = await watch
        assert {failed.error for failed in failures} == {"ConnectionError: the exchange hung up"}
        assert recovered.error is None
    assert (await log_of(redis)).count("start") == 4


async def test_a_service_that_failed_is_tried_at_once_when_it_is_ordered_again(make_manager: MakeManager) -> None:
    Fragile.breaks_left = 1
    sluggish = Timing(interval=0.1, lease=1.5, margin=0.5, first_backoff=600, longest_backoff=600, command=10)
    async with make_manager("worker", sluggish, ticker="Fragile") as manager:
        watch = asyncio.create_task(becomes(manager, ServiceState.FAILED))
        await manager.start(TICKER)
        await watch
        assert (await manager.start(TICKER)).is_running


async def test_a_service_that_failed_can_be_stopped(make_manager: MakeManager) -> None:
    Fragile.breaks_left = 1000
    async with make_manager("worker", ticker="Fragile") as manager:
        watch = asyncio.create_task(becomes(manager, ServiceState.FAILED))
        await manager.start(TICKER)
        await watch
        assert (await manager.stop(TICKER)).state is ServiceState.STOPPED


@pytest.mark.parametrize(
    ("daemon", "error"),
    [
        ("Quitter", "It ended by itself."),
        ("Sleepyhead", "start() did not return within 0.5 s and was cancelled."),
        ("NoSuch", "LoadingError: The module 'tests.daemons.specimens' has no class 'NoSuch'."),
    ],
)
async def test_a_daemon_that_cannot_run_is_failed_and_says_why(
    make_manager: MakeManager, daemon: str, error: str
) -> None:
    async with make_manager("worker", ticker=daemon) as manager:
        watch = asyncio.create_task(becomes(manager, ServiceState.FAILED))
        await manager.start(TICKER)
        [failed] = await watch
        assert failed.error == error


async def test_start_answers_failed_where_the_daemon_cannot_start(make_manager: MakeManager) -> None:
    async with make_manager("worker", ticker="Sleepyhead") as manager:
        answer = await manager.start(TICKER)
        assert answer.state is ServiceState.FAILED
        assert answer.error


async def test_a_reason_gives_no_secret_away(make_manager: MakeManager, settings: Settings) -> None:
    Fragile.breaks_left = 1000
    Fragile.message = f"refused {settings.jwt_secret_key.get_secret_value()} at redis://me:hunter22@host"
    async with make_manager("worker", ticker="Fragile") as manager:
        watch = asyncio.create_task(becomes(manager, ServiceState.FAILED))
        await manager.start(TICKER)
        assert (await watch)[0].error == "ConnectionError: refused *** at redis://***@host"


async def test_a_daemon_that_will_not_stop_does_not_hold_up_the_service(make_manager: MakeManager) -> None:
    async with make_manager("worker", ticker="Clinger") as manager:
        await manager.start(TICKER)
        stopped = await manager.stop(TICKER)
        assert stopped.state is ServiceState.STOPPED
        assert stopped.error == "stop() did not return within 0.5 s and was cancelled."
        Clinger.let_go = True
        _cancel_what_clings()


def _cancel_what_clings() -> None:
    for task in asyncio.all_tasks():
        if "Clinger.stop" in repr(task.get_coro()):
            task.cancel()


async def test_a_worker_that_cannot_renew_stops_the_daemon_while_it_is_still_in_charge(
    make_manager: MakeManager, redis: Redis
) -> None:
    async with make_manager("worker", ticker="Witness") as manager:
        await manager.start(TICKER)
        await redis.client_pause(2000)  # Redis is there and says nothing

        async def stopped() -> bool:
            return bool(Witness.stops)

        await eventually(stopped)
        assert Witness.stops == [True]
        await redis.client_unpause()
        await becomes(manager, ServiceState.RUNNING)


async def test_a_worker_whose_lease_was_taken_stops_the_daemon(make_manager: MakeManager, redis: Redis) -> None:
    patient = Timing(interval=0.1, lease=600, margin=1)
    async with make_manager("worker", patient, ticker="Witness") as manager:
        await manager.start(TICKER)
        await redis.set(keys.service_lease(TICKER), "99:somebody else", px=700)

        async def stopped() -> bool:
            return bool(Witness.stops)

        await eventually(stopped)
        assert (await manager.start(TICKER)).holder == "worker", "and comes back when the other one is gone"


async def test_a_worker_that_was_frozen_is_no_longer_in_charge_when_it_wakes(make_manager: MakeManager) -> None:
    async with make_manager("worker", ticker="Witness") as manager:
        first = await manager.start(TICKER)
        time.sleep(FAST.lease + 0.1)  # noqa: ASYNC251  # the point: nothing in this process runs

        async def stopped() -> bool:
            return bool(Witness.stops)

        await eventually(stopped)
        assert Witness.stops == [False]
        [second] = await becomes(manager, ServiceState.RUNNING)
        assert first.started_at
        assert second.started_at
        assert second.started_at > first.started_at


async def test_services_run_again_after_redis_has_forgotten_everything(
    settings: Settings, resources: Resources, redis: Redis
) -> None:
    settings = settings.model_copy(update={"services_to_auto_start": ["ticker"], "ticker_daemon": f"{PATH}Calm"})
    async with ServiceManager(settings, resources, "worker", FAST) as manager:
        await becomes(manager, ServiceState.RUNNING)
        await redis.flushall()
        await becomes(manager, ServiceState.RUNNING)


async def test_services_start_by_themselves_only_where_nobody_has_decided_yet(
    settings: Settings, resources: Resources
) -> None:
    names = ["ticker", "health_monitor"]
    settings = settings.model_copy(update={"services_to_auto_start": names, "ticker_daemon": f"{PATH}Calm"})
    async with ServiceManager(settings, resources, "first", FAST) as manager:
        await becomes(manager, ServiceState.RUNNING)
        assert (await manager.status(ServiceName.OHLCV)).state is ServiceState.STOPPED
        await manager.stop(TICKER)
    async with ServiceManager(settings, resources, "second", FAST) as manager:
        await manager.start(ServiceName.OHLCV)  # by now every service has been looked after
        assert (await manager.status(TICKER)).state is ServiceState.STOPPED


async def test_where_nobody_obeys_the_order_times_out_and_stands(make_manager: MakeManager) -> None:
    hasty = Timing(interval=0.05, command=0.2)
    onlooker = make_manager("onlooker", hasty, ticker="Calm")
    with pytest.raises(Timeout, match="The order stands"):
        await onlooker.start(TICKER)
    assert (await onlooker.status(TICKER)).state is ServiceState.STARTING
    async with make_manager("worker", ticker="Calm") as worker:
        await becomes(worker, ServiceState.RUNNING)


async def test_who_is_overruled_is_told(make_manager: MakeManager) -> None:
    onlooker = make_manager("onlooker", ticker="Calm")
    starting = asyncio.create_task(onlooker.start(TICKER))
    await becomes(onlooker, ServiceState.STARTING)
    await onlooker.stop(TICKER)
    with pytest.raises(Conflict, match="ordered the service ticker otherwise"):
        await starting


async def test_heartbeats_go_on_while_it_runs_and_are_no_news(make_manager: MakeManager) -> None:
    async with make_manager("worker", ticker="Calm") as manager:
        started = await manager.start(TICKER)

        async def beaten() -> bool:
            heartbeat = (await manager.status(TICKER)).heartbeat_at
            return started.heartbeat_at is not None and heartbeat is not None and heartbeat > started.heartbeat_at

        async with aclosing(manager.listen(TICKER)) as statuses:
            assert (await anext(statuses)).is_running
            await eventually(beaten)
            news = asyncio.ensure_future(anext(statuses))
            await manager.stop(TICKER)
            assert (await news).state in {ServiceState.STOPPING, ServiceState.STOPPED}


async def test_an_order_is_obeyed_at_the_nudge_and_not_at_the_next_look(make_manager: MakeManager) -> None:
    rarely = Timing(interval=60, lease=600, margin=1, command=10)
    async with make_manager("worker", rarely, ticker="Calm") as manager:
        await manager.start(TICKER)
        await manager.restart(TICKER)
        assert (await manager.stop(TICKER)).state is ServiceState.STOPPED
