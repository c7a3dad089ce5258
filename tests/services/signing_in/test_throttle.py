from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis

from fullon_graphql.errors import RateLimited
from fullon_graphql.services.signing_in.throttle import Throttle, address_key


@pytest.fixture
def throttle(redis: Redis) -> Throttle:
    return Throttle(redis, "2 per hour")


async def test_account_is_refused_at_the_limit_of_failures(throttle: Throttle) -> None:
    for _ in range(2):
        await throttle.check("a@b", None)
        await throttle.count_failure("a@b", None)
    with pytest.raises(RateLimited) as refused:
        await throttle.check("a@b", None)
    assert 3590 <= refused.value.retry_after <= 3601
    assert str(refused.value.retry_after) in refused.value.message


async def test_address_is_refused_after_ten_times_as_many_failures(throttle: Throttle) -> None:
    for number in range(20):
        await throttle.check(f"{number}@b", "10.0.0.1")
        await throttle.count_failure(f"{number}@b", "10.0.0.1")
    with pytest.raises(RateLimited):
        await throttle.check("new@b", "10.0.0.1")
    await throttle.check("new@b", "10.0.0.2")
    await throttle.check("new@b", None)


async def test_success_clears_the_count_of_the_account_and_not_of_the_address(throttle: Throttle) -> None:
    for number in range(20):
        await throttle.count_failure(f"{number // 2}@b", "10.0.0.1")
    await throttle.forget_failures("1@b")
    await throttle.check("1@b", None)
    with pytest.raises(RateLimited):
        await throttle.check("1@b", "10.0.0.1")


async def test_counts_are_shared_by_workers(throttle: Throttle, redis: Redis) -> None:
    other_worker = Throttle(redis, "2 per hour")
    await throttle.count_failure("a@b", None)
    await other_worker.count_failure("a@b", None)
    with pytest.raises(RateLimited):
        await throttle.check("a@b", None)


async def test_keys_have_our_prefix_expire_and_contain_no_input(throttle: Throttle, redis: Redis) -> None:
    await throttle.count_failure("my-password-by-mistake", "10.0.0.1")
    keys = [str(key) for key in await redis.keys("*")]
    assert len(keys) == 2
    assert all(key.startswith("fullon_graphql:") for key in keys)
    assert not any("my-password-by-mistake" in key for key in keys)
    assert all([0 < await redis.ttl(key) <= 3600 for key in await redis.keys("*")])


@pytest.mark.parametrize("odd", ["\ud800", "\0", "m" * 100_000, "a:b/c{d}*"], ids=lambda odd: ascii(odd[:9]))
async def test_any_text_can_be_counted(throttle: Throttle, odd: str) -> None:
    for _ in range(2):
        await throttle.count_failure(odd, odd)
    with pytest.raises(RateLimited):
        await throttle.check(odd, odd)


@given(st.ip_addresses(v=6, network="2001:db8:1:2::/64"))
def test_addresses_of_one_ipv6_network_count_as_one(address: object) -> None:
    assert address_key(str(address)) == address_key("2001:db8:1:2::1") != address_key("2001:db8:1:3::1")


def test_ipv4_address_mapped_to_ipv6_is_the_same_address() -> None:
    assert address_key("::ffff:10.0.0.1") == address_key("10.0.0.1") != address_key("10.0.0.2")
