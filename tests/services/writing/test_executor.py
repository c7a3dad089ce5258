"""The execution of changes, without GraphQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from redis.asyncio import Redis
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import DBAPIError

from fullon_graphql.cache.hub import Hub
from fullon_graphql.config import Settings
from fullon_graphql.daemons.control.manager import ServiceManager
from fullon_graphql.database import Database
from fullon_graphql.errors import BadUserInput, Conflict, FullonError, as_fullon_error
from fullon_graphql.models import AuditEntry, Bot, IdempotencyRecord
from fullon_graphql.services import bots, symbols
from fullon_graphql.services.writing.executor import ChangeExecutor, ChangeRequest, Key, UnitOfWork
from tests.fixtures.graph import principal
from tests.fixtures.read_only import read_only
from tests.fixtures.rows import ADMIN, TRADER

REQUEST = ChangeRequest(principal(TRADER), "createBot", {"name": "grid"}, "request")


@pytest.fixture
def writes(platform: Database, redis: Redis, settings: Settings) -> ChangeExecutor:
    return writes_on(platform, redis, settings)


def writes_on(database: Database, redis: Redis, settings: Settings) -> ChangeExecutor:
    services = ServiceManager(redis, Hub(redis, settings.redis_timeout))
    return ChangeExecutor(database, redis, services, settings)


async def create(write: UnitOfWork) -> int:
    return await bots.create(write, {"name": "grid"})


async def key_of(_write: UnitOfWork, key: Key) -> Key:
    return key


async def count(database: Database, table: type[Bot | AuditEntry | IdempotencyRecord]) -> int:
    row = await database.row(select(func.count().label("n")).select_from(table))
    assert row is not None
    return int(row.n)


async def test_failed_change_leaves_nothing_behind(writes: ChangeExecutor, platform: Database) -> None:
    async def unreadable(_write: UnitOfWork, _key: Key) -> None:
        raise Conflict("no")

    before = await count(platform, Bot)
    with pytest.raises(Conflict):
        await writes.perform(replace(REQUEST, idempotency_key="k"), create, unreadable)
    assert await count(platform, Bot) == before
    assert await count(platform, AuditEntry) == await count(platform, IdempotencyRecord) == 0


async def test_failed_change_does_not_use_its_key(writes: ChangeExecutor) -> None:
    request = replace(REQUEST, idempotency_key="k")

    async def fail(write: UnitOfWork) -> int:
        return await bots.create(write, {"name": ""})

    with pytest.raises(BadUserInput):
        await writes.perform(request, fail, key_of)
    assert await writes.perform(request, create, key_of) == await writes.perform(request, create, key_of)


async def test_keys_of_different_users_are_independent(writes: ChangeExecutor, platform: Database) -> None:
    before = await count(platform, Bot)
    for uid in (TRADER, ADMIN):
        await writes.perform(replace(REQUEST, caller=principal(uid), idempotency_key="k"), create, key_of)
    assert await count(platform, Bot) == before + 2


async def test_expired_key_can_be_used_again(writes: ChangeExecutor, platform: Database) -> None:
    request = replace(REQUEST, idempotency_key="k")
    first = await writes.perform(request, create, key_of)
    async with platform.transaction() as connection:
        await connection.execute(update(IdempotencyRecord).values(expires_at=datetime.now(UTC) - timedelta(minutes=1)))
    assert await writes.perform(replace(request, idempotency_key="other"), create, key_of) != first
    assert await count(platform, IdempotencyRecord) == 1, "the expired one has been pruned"
    assert await writes.perform(request, create, key_of) != first


async def test_key_with_another_password_is_conflict(writes: ChangeExecutor, platform: Database) -> None:
    request = replace(REQUEST, arguments={"user": {"password": "swordfish"}}, idempotency_key="k")
    await writes.perform(request, create, key_of)
    with pytest.raises(Conflict):
        await writes.perform(replace(request, arguments={"user": {"password": "two"}}), create, key_of)
    record = await platform.row(select(IdempotencyRecord))
    assert "swordfish" not in str(record)


@pytest.mark.parametrize("key", ["", "x" * 201, "new\nline", "nul\0"])
async def test_invalid_key_is_refused_even_in_a_dry_run(writes: ChangeExecutor, key: str) -> None:
    for dry_run in (False, True):
        with pytest.raises(BadUserInput) as refused:
            await writes.perform(replace(REQUEST, idempotency_key=key, dry_run=dry_run), create, key_of)
        assert refused.value.field == "idempotencyKey"


ADD_SYMBOL = replace(REQUEST, caller=principal(ADMIN, admin=True), operation="createSymbol")
STALE = ["symbols:by_ex_id:1", "symbols:get:ETH/USD:1"]


async def add_symbol(write: UnitOfWork) -> int:
    return await symbols.create(write, {"symbol": "ETH/USD", "cat_ex_id": 1, "base": "ETH"})


async def test_change_deletes_the_platforms_cache_entries(writes: ChangeExecutor, redis: Redis) -> None:
    await redis.mset(dict.fromkeys([*STALE, "symbols:by_ex_id:2"], "pickled"))
    await writes.perform(replace(ADD_SYMBOL, dry_run=True), add_symbol, key_of)
    assert await redis.exists(*STALE) == 2
    await writes.perform(ADD_SYMBOL, add_symbol, key_of)
    assert await redis.keys("symbols:*") == ["symbols:by_ex_id:2"]


async def test_change_succeeds_while_the_platforms_cache_is_down(platform: Database, settings: Settings) -> None:
    async with Redis.from_url("redis://127.0.0.1:1", socket_connect_timeout=1) as nowhere:
        symbol_id = await writes_on(platform, nowhere, settings).perform(ADD_SYMBOL, add_symbol, key_of)
    assert symbol_id == 1001


async def test_value_too_large_for_its_column_is_bad_user_input(writes: ChangeExecutor) -> None:
    async def too_many_digits(write: UnitOfWork) -> int:
        return await symbols.create(write, {"symbol": "A", "cat_ex_id": 1, "base": "A", "decimals": 40_000})

    with pytest.raises(FullonError) as refused:
        await writes.perform(ADD_SYMBOL, too_many_digits, key_of)
    assert refused.value.extensions == {"code": "BAD_USER_INPUT", "field": "decimals"}


async def test_change_on_a_read_only_server_is_service_unavailable(
    platform: Database, redis: Redis, settings: Settings
) -> None:
    async with read_only(settings) as replica:
        with pytest.raises(DBAPIError) as failed:
            await writes_on(replica, redis, settings).perform(REQUEST, create, key_of)
    error = as_fullon_error(failed.value, "")
    assert error.extensions == {"code": "SERVICE_UNAVAILABLE", "service": "postgres", "retryAfter": 5}


async def test_change_is_repeated_after_a_deadlock(writes: ChangeExecutor, platform: Database) -> None:
    """Two changes lock two rows in opposite order: PostgreSQL ends one of them, and it is repeated."""
    both_hold_one = asyncio.Barrier(2)
    attempts = 0

    def rename(*bot_ids: int) -> Callable[[UnitOfWork], Awaitable[Key]]:
        first = True

        async def change(write: UnitOfWork) -> Key:
            nonlocal first, attempts
            attempts += 1
            is_first, first = first, False
            for bot_id in bot_ids:
                await bots.change(write, bot_id, {"name": f"renamed {bot_id}"})
                if is_first and bot_id == bot_ids[0]:
                    await both_hold_one.wait()
            return bot_ids[0]

        return change

    keys = await asyncio.gather(*(writes.perform(REQUEST, rename(*ids), key_of) for ids in ((1, 2), (2, 1))))
    assert keys == [1, 2]
    assert attempts == 3


async def test_sequence_behind_the_rows_is_named(writes: ChangeExecutor, platform: Database) -> None:
    async with platform.transaction() as connection:
        await connection.execute(text("SELECT setval(pg_get_serial_sequence('bots', 'bot_id'), 1)"))
    with pytest.raises(Conflict, match="The next bot_id of bots is taken: its sequence is behind"):
        await writes.perform(REQUEST, create, key_of)


async def test_read_is_repeated_after_another_program_altered_a_column(platform: Database) -> None:
    query = select(Bot.bot_id, Bot.name).order_by(Bot.bot_id)
    before = await platform.rows(query)
    assert before
    async with platform.transaction() as connection:
        await connection.execute(text("ALTER TABLE bots ALTER name TYPE varchar(60)"))
    try:
        assert await platform.rows(query) == before
    finally:
        async with platform.transaction() as connection:
            await connection.execute(text("ALTER TABLE bots ALTER name TYPE varchar(50)"))


@pytest.fixture
async def _strange_role(platform: Database, settings: Settings) -> AsyncIterator[None]:
    name = platform.engine.url.database
    strange = {
        "default_transaction_isolation": "'repeatable read'",
        "extra_float_digits": "-3",
        "bytea_output": "escape",
    }
    async with platform.transaction() as connection:
        for setting, value in strange.items():
            await connection.execute(text(f'ALTER DATABASE "{name}" SET {setting} = {value}'))
    yield
    async with platform.transaction() as connection:
        for setting in strange:
            await connection.execute(text(f'ALTER DATABASE "{name}" RESET {setting}'))


@pytest.mark.usefixtures("_strange_role")
async def test_settings_of_the_database_do_not_change_results(redis: Redis, settings: Settings) -> None:
    database = Database.connect(settings.database_url, "tests", settings)
    try:
        writes = writes_on(database, redis, settings)
        keys = await asyncio.gather(*(writes.perform(REQUEST, create, key_of) for _ in range(8)))
        assert len(set(keys)) == 8
        row = await database.row(text("SELECT CAST(0.1::float8 + 0.2 AS text) AS sum"))
        assert row is not None
        assert row.sum == "0.30000000000000004"
    finally:
        await database.close()
