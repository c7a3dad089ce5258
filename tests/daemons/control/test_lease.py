"""Leases: one at a time, numbered, and worthless once they are over."""

from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis

from fullon_graphql.cache import keys
from fullon_graphql.daemons.control.lease import Lease, LeaseLostError, acquire
from fullon_graphql.daemons.control.state import Report, ServiceName, ServiceState
from tests.daemons.conftest import eventually

TICKER = ServiceName.TICKER


async def lapse(redis: Redis) -> None:
    """Let the lease of the ticker run out, at once."""
    await redis.pexpire(keys.service_lease(TICKER), 0)


async def won(redis: Redis, worker: str, seconds: float = 60) -> Lease:
    lease = await acquire(redis, TICKER, worker, seconds)
    assert lease is not None
    return lease


def running(lease: Lease) -> Report:
    return Report(lease.fence, ServiceState.RUNNING, number=1)


async def test_of_many_who_want_it_at_once_one_gets_the_lease(redis: Redis) -> None:
    for _ in range(20):
        leases = await asyncio.gather(*[acquire(redis, TICKER, f"worker {n}", 60) for n in range(10)])
        assert sum(lease is not None for lease in leases) == 1
        await lapse(redis)


async def test_services_have_leases_of_their_own(redis: Redis) -> None:
    assert all([await acquire(redis, name, "worker", 60) for name in ServiceName])


async def test_fencing_numbers_only_ever_grow(redis: Redis) -> None:
    fences = []
    for _ in range(5):
        lease = await won(redis, "worker")
        fences.append(lease.fence)
        await lease.release()
    assert fences == sorted(set(fences))


async def test_a_lease_ends_by_itself_and_never_earlier_in_redis_than_for_its_holder(redis: Redis) -> None:
    lease = await won(redis, "worker", 0.2)
    assert lease.held()

    async def gone() -> bool:
        return not await redis.exists(keys.service_lease(TICKER))

    await eventually(gone)
    assert not lease.held()


async def test_a_renewed_lease_lasts_for_another_term(redis: Redis) -> None:
    lease = await won(redis, "worker")
    before = lease.expires
    await redis.pexpire(keys.service_lease(TICKER), 5000)
    await lease.renew()
    assert await redis.pttl(keys.service_lease(TICKER)) > 50_000
    assert before < lease.expires <= asyncio.get_running_loop().time() + 60


async def test_a_lease_that_ran_out_cannot_be_renewed_even_where_nobody_else_has_one(redis: Redis) -> None:
    lease = await won(redis, "worker")
    await lapse(redis)
    with pytest.raises(LeaseLostError):
        await lease.renew()


async def test_a_stale_holder_can_neither_renew_nor_report_nor_release(redis: Redis) -> None:
    stale = await won(redis, "worker")
    await lapse(redis)
    present = await won(redis, "worker")
    await present.report(running(present))
    with pytest.raises(LeaseLostError):
        await stale.renew()
    with pytest.raises(LeaseLostError):
        await stale.report(Report(stale.fence, ServiceState.FAILED, number=9, error="late news"))
    await stale.release()
    await present.renew()
    stored = await redis.hgetall(keys.service_report(TICKER))
    assert (stored["fence"], stored["state"], stored["error"]) == (str(present.fence), "running", "")


async def test_a_released_lease_is_free_at_once(redis: Redis) -> None:
    lease = await won(redis, "worker")
    await lease.release()
    assert not lease.held()
    assert await acquire(redis, TICKER, "other", 60)
