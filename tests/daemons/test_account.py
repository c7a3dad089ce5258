"""The account daemon."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis
from sqlalchemy import update

from fullon_graphql.cache import accounts
from fullon_graphql.daemons import account
from fullon_graphql.daemons.account import AccountDaemon
from fullon_graphql.daemons.daemon import Resources
from fullon_graphql.database import Database
from fullon_graphql.models import Exchange
from tests.fixtures.eventually import eventually

pytestmark = pytest.mark.usefixtures("market")


async def test_account_daemon_writes_active_accounts_and_includes_new_ones(
    resources: Resources, redis: Redis, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account, "PAUSE", 0.02)
    daemon = AccountDaemon(resources)
    await daemon.start()

    async def written(*ex_ids: int) -> bool:
        return set(await redis.hkeys("accounts")) == {str(ex_id) for ex_id in ex_ids}

    await eventually(lambda: written(11, 12))
    async with database.transaction() as connection:
        await connection.execute(update(Exchange).values(active=True).where(Exchange.ex_id == 13))
    await eventually(lambda: written(11, 12, 13))
    await daemon.stop()

    balances = await accounts.read_balances(redis, [11])
    assert [(held.currency, held.total) for held in balances[11]] == [("USD", 11.0)]
    positions = await accounts.read_positions(redis, [11, 12])
    assert [taken.symbol for taken in positions[11]] == ["BTC/USD", "GOLD"]
    assert [(taken.symbol, taken.side) for taken in positions[12]] == [("BTC/USD:BTC", "short")]


async def test_account_daemon_registers_itself_and_its_exchanges(resources: Resources, redis: Redis) -> None:
    daemon = AccountDaemon(resources)
    await daemon.start()

    async def registered() -> bool:
        components = set(await redis.hkeys("process:components"))
        return components == {"account_daemon", "account:kraken", "account:bitmex"}

    await eventually(registered)
    await daemon.stop()
    assert not await redis.hkeys("process:active:account")
