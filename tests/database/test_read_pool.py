"""The places of the read pool, without a database."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from fullon_graphql.circuit_breaker import CircuitBreaker
from fullon_graphql.database import read_pool
from fullon_graphql.database.read_pool import ReadPool
from fullon_graphql.observability.pools import PoolUse


class Connection:
    is_terminated = False

    def is_closed(self) -> bool:
        return self.is_terminated

    def terminate(self) -> None:
        self.is_terminated = True


@pytest.fixture
def breaker() -> CircuitBreaker:
    return CircuitBreaker("tests", threshold=1, seconds=0)


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch, breaker: CircuitBreaker) -> ReadPool:
    async def connect(*_: Any, **__: Any) -> Connection:
        return Connection()

    monkeypatch.setattr(read_pool, "connect", connect)
    return ReadPool("", 1, {"timeout": 30.0}, breaker)


async def echo(_: Connection, sql: str) -> str:
    return sql


@pytest.mark.parametrize("is_passed_on_before", [True, False])
async def test_place_of_a_canceled_caller_goes_to_the_next_one(pool: ReadPool, is_passed_on_before: bool) -> None:
    waiting: list[asyncio.Task[str]] = []
    everybody_waits = asyncio.Event()

    async def hold(_: Connection, sql: str) -> str:
        await everybody_waits.wait()
        if is_passed_on_before:  # the callback runs after the place was passed on, and before its caller does
            asyncio.get_running_loop().call_soon(waiting[0].cancel)
        else:
            waiting[0].cancel()
        return sql

    holding = asyncio.create_task(pool.run(hold, "first", ()))
    await asyncio.sleep(0)
    waiting += [asyncio.create_task(pool.run(echo, sql, ())) for sql in ("second", "third")]
    await asyncio.sleep(0)
    assert pool.use == PoolUse(1, 1, 2)
    everybody_waits.set()
    assert await asyncio.wait_for(waiting[1], 10) == "third"
    assert await holding == "first"
    assert waiting[0].cancelled()
    assert pool.use == PoolUse(1, 0, 0)


async def test_caller_without_a_place_gives_up_in_time() -> None:
    small = ReadPool("", 0, {"timeout": 0.01}, CircuitBreaker.never_opening("tests"))
    with pytest.raises(TimeoutError):
        await small.run(echo, "", ())
    assert small.use == PoolUse(0, 0, 0)


@pytest.mark.parametrize(("is_probe", "attempts"), [(False, 2), (True, 1)])
async def test_statement_without_an_answer_is_repeated_once_on_a_new_connection(
    pool: ReadPool, breaker: CircuitBreaker, is_probe: bool, attempts: int
) -> None:
    seen: list[Connection] = []
    if is_probe:
        breaker.failed(TimeoutError())

    async def lose(connection: Connection, _: str) -> None:
        seen.append(connection)
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await pool.run(lose, "", ())
    assert len(set(seen)) == len(seen) == attempts
    assert breaker.openings == 1 + is_probe
    assert all(connection.is_terminated for connection in seen)
    assert pool.use == PoolUse(1, 0, 0)
