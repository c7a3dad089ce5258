"""The account daemon."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis
from sqlalchemy import update

from fullon_graphql.cache import account_status, accounts
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


async def test_accounts_are_down_if_the_feed_has_no_methods_for_them(resources: Resources, redis: Redis) -> None:
    resources.settings.market_feed = "tests.daemons.specimens.WithoutAccounts"
    daemon = AccountDaemon(resources)
    await daemon.start()

    async def error() -> str | None:
        return next(
            (status.error for status in await account_status.read(redis, [11]) if status and status.error), None
        )

    reason = await eventually(error)
    await daemon.stop()
    assert reason is not None
    assert (
        "MARKET_FEED 'tests.daemons.specimens.WithoutAccounts' has neither account() nor balances() and positions()"
        in reason
    )


async def test_account_daemon_registers_itself_and_its_exchanges(resources: Resources, redis: Redis) -> None:
    daemon = AccountDaemon(resources)
    await daemon.start()

    async def registered() -> bool:
        components = set(await redis.hkeys("process:components"))
        return components == {"account_daemon", "account:kraken", "account:bitmex"}

    await eventually(registered)
    await daemon.stop()
    assert not await redis.hkeys("process:active:account")
