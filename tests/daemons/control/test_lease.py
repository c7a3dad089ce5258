"""Leases: at most one holder, fencing numbers, expiry."""

from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis

from fullon_graphql.cache import keys
from fullon_graphql.daemons.control.lease import Lease, LeaseLostError, acquire
from fullon_graphql.daemons.control.state import Report, ServiceName, ServiceState
from tests.fixtures.eventually import eventually

TICKER = ServiceName.TICKER


async def expire(redis: Redis) -> None:
    """Let the lease of the ticker service expire now."""
    await redis.pexpire(keys.service_lease(TICKER), 0)


async def acquired(redis: Redis, runner: str, seconds: float = 60) -> Lease:
    lease = await acquire(redis, TICKER, runner, seconds)
    assert lease is not None
    return lease


def running(lease: Lease) -> Report:
    return Report(lease.fence, ServiceState.RUNNING, generation=1)


async def test_lease_is_acquired_once_by_concurrent_runners(redis: Redis) -> None:
    for _ in range(20):
        leases = await asyncio.gather(*[acquire(redis, TICKER, f"runner {n}", 60) for n in range(10)])
        assert sum(lease is not None for lease in leases) == 1
        await expire(redis)


async def test_every_service_has_its_own_lease(redis: Redis) -> None:
    assert all([await acquire(redis, name, "runner", 60) for name in ServiceName])


async def test_fencing_numbers_grow(redis: Redis) -> None:
    fences = []
    for _ in range(5):
        lease = await acquired(redis, "runner")
        fences.append(lease.fence)
        await lease.release()
    assert fences == sorted(set(fences))


async def test_lease_expires_for_its_holder_no_later_than_in_redis(redis: Redis) -> None:
    lease = await acquired(redis, "runner", 0.2)
    assert lease.is_held()

    async def gone() -> bool:
        return not await redis.exists(keys.service_lease(TICKER))

    await eventually(gone)
    assert not lease.is_held()


async def test_renewal_extends_a_lease_to_its_full_duration(redis: Redis) -> None:
    lease = await acquired(redis, "runner")
    before = lease.expires
    await redis.pexpire(keys.service_lease(TICKER), 5000)
    await lease.renew()
    assert await redis.pttl(keys.service_lease(TICKER)) > 50_000
    assert before < lease.expires <= asyncio.get_running_loop().time() + 60


async def test_expired_lease_cannot_be_renewed_even_if_it_is_free(redis: Redis) -> None:
    lease = await acquired(redis, "runner")
    await expire(redis)
    with pytest.raises(LeaseLostError):
        await lease.renew()


async def test_former_holder_can_neither_renew_nor_report_nor_release(redis: Redis) -> None:
    stale = await acquired(redis, "runner")
    await expire(redis)
    present = await acquired(redis, "runner")
    await present.report(running(present))
    with pytest.raises(LeaseLostError):
        await stale.renew()
    with pytest.raises(LeaseLostError):
        await stale.report(Report(stale.fence, ServiceState.FAILED, generation=9, error="late"))
    await stale.release()
    await present.renew()
    stored = await redis.hgetall(keys.service_report(TICKER))
    assert (stored["fence"], stored["state"], stored["error"]) == (str(present.fence), "running", "")


async def test_released_lease_can_be_acquired_at_once(redis: Redis) -> None:
    lease = await acquired(redis, "runner")
    await lease.release()
    assert not lease.is_held()
    assert await acquire(redis, TICKER, "other", 60)
