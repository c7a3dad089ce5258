from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Protocol

import pytest
from redis.asyncio import Redis

from fullon_graphql.auth.principal import Anonymous
from fullon_graphql.background import BackgroundTasks
from fullon_graphql.cache import keys
from fullon_graphql.cache.counters import counters
from fullon_graphql.config import Settings
from fullon_graphql.errors import RateLimited
from fullon_graphql.observability.metrics import Metrics
from fullon_graphql.services.rate_limits import CostLimiter, Header, RateLimiter
from tests.fixtures.eventually import eventually
from tests.fixtures.graph import principal

ADDRESS = "192.0.2.1"


class MakeWorker(Protocol):
    async def __call__(self, requests: int, client: Redis | None = None, seconds: int = ...) -> RateLimiter: ...


@pytest.fixture
async def make_worker(redis: Redis) -> AsyncIterator[MakeWorker]:
    async with AsyncExitStack() as stack:

        async def make(requests: int, client: Redis | None = None, seconds: int = 3600) -> RateLimiter:
            background = BackgroundTasks()
            limiter = RateLimiter(counters(client or redis, keys.RATE_LIMITS), requests, seconds, Metrics())
            await stack.enter_async_context(background.running({"rate limits": limiter.synchronize}))
            return limiter

        yield make


def allowed(limiter: RateLimiter, uid: int, attempts: int) -> int:
    count = 0
    for _ in range(attempts):
        try:
            limiter.spend(principal(uid), ADDRESS)
            count += 1
        except RateLimited:
            pass
    return count


async def test_each_credential_has_its_own_limit(make_worker: MakeWorker) -> None:
    limiter = await make_worker(3)
    limiter.spend(principal(1), ADDRESS)
    assert allowed(limiter, 1, 5) == 2  # principals of the tests share one session
    for attempt in range(5):
        if attempt < 3:
            limiter.spend(Anonymous(), ADDRESS)
        else:
            with pytest.raises(RateLimited):
                limiter.spend(Anonymous(), ADDRESS)
    limiter.spend(Anonymous(), "192.0.2.2")


async def test_refusal_has_limit_and_seconds_to_wait(make_worker: MakeWorker) -> None:
    limiter = await make_worker(1)
    limiter.spend(Anonymous(), ADDRESS)
    with pytest.raises(RateLimited) as refused:
        limiter.spend(Anonymous(), ADDRESS)
    extensions = refused.value.extensions
    assert extensions["limit"] == 1
    assert 1 <= extensions["retryAfter"] <= 3600


async def test_headers_count_down(make_worker: MakeWorker) -> None:
    limiter, headers = await make_worker(2), list[list[Header]]()
    for _ in range(2):
        headers.append([])
        limiter.spend(Anonymous(), ADDRESS, headers[-1])
    headers.append([])
    with pytest.raises(RateLimited):
        limiter.spend(Anonymous(), ADDRESS, headers[-1])
    assert [dict(fields)[b"ratelimit-policy"] for fields in headers] == [b'"requests";q=2;w=3600'] * 3
    assert [dict(fields)[b"ratelimit"].split(b";")[1] for fields in headers] == [b"r=1", b"r=0", b"r=0"]


async def test_workers_share_the_count(make_worker: MakeWorker) -> None:
    one, other = await make_worker(10), await make_worker(10)
    assert allowed(one, 1, 10) == 10
    other.spend(principal(1), ADDRESS)
    await eventually(lambda: not allowed(other, 1, 1))


async def test_limit_is_renewed_with_the_window(make_worker: MakeWorker) -> None:
    limiter = await make_worker(1, seconds=1)
    limiter.spend(principal(1), ADDRESS)
    await eventually(lambda: allowed(limiter, 1, 1))


async def test_worker_enforces_the_limit_alone_without_redis(make_worker: MakeWorker) -> None:
    async with Redis.from_url("redis://127.0.0.1:1") as nowhere:
        limiter = await make_worker(5, nowhere)
        assert allowed(limiter, 1, 9) == 5
        await asyncio.sleep(0)
        assert allowed(limiter, 1, 9) == 0


async def test_zero_requests_switch_the_limit_off(make_worker: MakeWorker) -> None:
    limiter, headers = await make_worker(0), list[Header]()
    limiter.spend(Anonymous(), ADDRESS, headers)
    assert not headers


@pytest.fixture
async def make_cost_worker(redis: Redis) -> AsyncIterator[Callable[[int], Awaitable[CostLimiter]]]:
    async with AsyncExitStack() as stack:

        async def make(limit: int) -> CostLimiter:
            limiter = CostLimiter(counters(redis, keys.COST_LIMITS), limit, Metrics())
            await stack.enter_async_context(BackgroundTasks().running({"cost limits": limiter.synchronize}))
            return limiter

        yield make


async def test_cost_is_limited_per_account_over_all_credentials_and_workers(
    make_cost_worker: Callable[[int], Awaitable[CostLimiter]],
) -> None:
    one, other = await make_cost_worker(1_000_000), await make_cost_worker(1_000_000)
    key = replace(principal(1), credential="api_key:1")
    one.spend(principal(1), ADDRESS, 600_000)
    one.spend(key, ADDRESS, 300_000)
    with pytest.raises(RateLimited) as refused:
        one.spend(key, ADDRESS, 100_001)
    extensions = refused.value.extensions
    assert (extensions["limit"], extensions["cost"]) == (1_000_000, 100_001)
    assert 1 <= extensions["retryAfter"] <= 60
    one.spend(principal(2), ADDRESS, 1_000_000)
    one.spend(Anonymous(), ADDRESS, 1_000_000)
    await eventually(lambda: other.take("account:1", 1).remaining < 100_000)


async def test_zero_cost_switches_the_limit_of_cost_off(
    make_cost_worker: Callable[[int], Awaitable[CostLimiter]],
) -> None:
    limiter = await make_cost_worker(0)
    assert limiter.spend(Anonymous(), ADDRESS, 10**9) is None


def test_limit_per_minute_must_allow_one_operation() -> None:
    with pytest.raises(ValueError, match="at least COST_LIMIT"):
        Settings(cost_limit=10, cost_limit_per_minute=9)
