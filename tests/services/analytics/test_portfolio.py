"""Portfolios and summaries from live balances, positions and tickers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from redis.asyncio import Redis

from fullon_graphql import models
from fullon_graphql.auth.principal import Anonymous
from fullon_graphql.cache import accounts, tickers
from fullon_graphql.cache.accounts import Balance, Position
from fullon_graphql.cache.tickers import Ticker
from fullon_graphql.database import Database
from fullon_graphql.errors import NotFound, Unauthenticated
from fullon_graphql.services.analytics import performance, portfolio, trade_statistics, user_summary
from fullon_graphql.services.analytics.ledger import Scope
from fullon_graphql.services.analytics.portfolio import Asset
from tests.conftest import Count
from tests.fixtures.graph import principal
from tests.fixtures.rows import ADMIN, OTHER, TRADER, add
from tests.services.trade_rows import fill, live

ME, SOMEBODY, BOSS = principal(TRADER), principal(OTHER), principal(ADMIN, admin=True)


def holds(ex_id: int, **amounts: float) -> dict[int, list[Balance]]:
    return {ex_id: [Balance(ex_id, currency, amount, amount, 0) for currency, amount in amounts.items()]}


@pytest.fixture
async def market(platform: Database, redis: Redis) -> Database:
    """The small platform, with a price of 1000 dollars for BTC and 100 for ETH."""
    await tickers.write(
        redis,
        [Ticker("kraken", "BTC/USD", 1_000, 50), Ticker("kraken", "ETH/USD", 100, 40),
         Ticker("bitmex", "BTC/USD:BTC", 1_010, 45)],
    )  # fmt: skip
    return platform


async def test_portfolio_is_valued_by_tickers(market: Database, redis: Redis) -> None:
    """600 dollars, 0.3 BTC on two accounts worth 300, 1 ETH worth 100: weights 0.6, 0.3 and 0.1."""
    await accounts.write(redis, holds(20, USD=600, BTC=0.1, DUST=0) | holds(21, BTC=0.2, ETH=1), {})
    found = await portfolio.of_accounts(market, redis, ME, "USD")
    assert (found.accounts, found.accounts_without_balance, found.total_assets) == (2, [], 3)
    assert (found.total_value, found.priced_value) == pytest.approx((1000, 1000))
    assert found.diversification_score == pytest.approx(1 - (0.36 + 0.09 + 0.01))
    weights = {one.currency: one.weight for one in found.asset_allocation}
    assert list(weights) == ["USD", "BTC", "ETH"]
    assert weights == pytest.approx({"USD": 0.6, "BTC": 0.3, "ETH": 0.1})
    assert (found.unpriced, found.prices_as_of) == ([], datetime.fromtimestamp(40, UTC))
    in_bitcoin = await portfolio.of_accounts(market, redis, ME, "BTC", ex_id=21)
    assert (in_bitcoin.total_value, in_bitcoin.accounts) == pytest.approx((0.3, 1))


async def test_accounts_are_valued_by_their_own_exchange(market: Database, redis: Redis) -> None:
    """NEIRO is two coins: worth 2 dollars on kraken and 700 on bitmex."""
    await tickers.write(redis, [Ticker("kraken", "NEIRO/USD", 2, 60), Ticker("bitmex", "NEIRO/USD", 700, 61)])
    await accounts.write(redis, holds(20, NEIRO=30) | holds(21, NEIRO=1), {})
    found = await portfolio.of_accounts(market, redis, ME, "USD")
    assert found.total_value == pytest.approx(760)
    assert found.asset_allocation == [Asset("NEIRO", 31, 760 / 31, 760, 1)]
    alone = await portfolio.of_accounts(market, redis, ME, "USD", ex_id=20)
    assert (alone.total_value, alone.asset_allocation[0].price) == (60, 2)
    assert (await user_summary.of_person(market, redis, ME, TRADER, "USD")).account_balance == pytest.approx(760)


async def test_results_of_trades_are_converted_by_the_accounts_own_exchange(market: Database, redis: Redis) -> None:
    """NEIRO is worth 2 dollars on kraken, and 700 on bitmex, whose ticker is newer: 3 * 2 + 1 * 700, and 1 * 700."""
    await tickers.write(redis, [Ticker("kraken", "NEIRO/USD", 2, 60), Ticker("bitmex", "NEIRO/USD", 700, 61)])
    now = datetime.now(UTC)
    kraken, bitmex, deleted = (
        live(0, roi, symbol="DOG/NEIRO", ex_id=ex_id, time=now) for roi, ex_id in ((3.0, 20), (1.0, 21), (1.0, 999))
    )
    await fill(market, kraken, bitmex, deleted)
    assert (await trade_statistics.overall(market, redis, ME, Scope(), "USD")).net_profit == 1406
    assert (await performance.of_trades(market, redis, ME, Scope(), "USD")).net_profit == 1406
    assert (await user_summary.of_person(market, redis, ME, TRADER, "USD")).daily_pnl == 1406


async def test_asset_without_a_price_is_listed_and_the_total_is_null(market: Database, redis: Redis) -> None:
    await accounts.write(redis, holds(20, USD=600, XYZ=5), {})
    found = await portfolio.of_accounts(market, redis, ME, "USD")
    assert (found.total_value, found.priced_value, found.unpriced) == (None, 600, ["XYZ"])
    assert found.diversification_score is None
    assert found.asset_allocation == [Asset("USD", 600, 1, 600, None), Asset("XYZ", 5, None, None, None)]
    assert found.accounts_without_balance == [21]


async def test_portfolio_without_balances_has_null_figures(market: Database, redis: Redis) -> None:
    found = await portfolio.of_accounts(market, redis, ME, "USD")
    assert (found.accounts, found.total_value, found.total_assets, found.diversification_score) == (2, None, 0, None)
    await accounts.write(redis, holds(20, USD=0), {})
    assert (await portfolio.of_accounts(market, redis, ME, "USD")).total_value == 0


async def test_diversification_with_a_debt_is_null(market: Database, redis: Redis) -> None:
    await accounts.write(redis, holds(20, USD=-100, BTC=0.3), {})
    found = await portfolio.of_accounts(market, redis, ME, "USD")
    assert (found.total_value, found.diversification_score) == pytest.approx((200, None))


async def test_sandboxes_and_inactive_accounts_are_left_out(market: Database, redis: Redis) -> None:
    await add(
        market, models.Exchange,
        {"ex_id": 22, "uid": TRADER, "cat_ex_id": 1, "name": "sandbox", "test": True, "active": True},
        {"ex_id": 23, "uid": TRADER, "cat_ex_id": 1, "name": "closed", "test": False, "active": False},
    )  # fmt: skip
    await accounts.write(redis, holds(20, USD=1) | holds(22, USD=100) | holds(23, USD=100), {})
    assert (await portfolio.of_accounts(market, redis, ME, "USD")).total_value == 1


async def test_only_administrators_see_portfolios_of_other_users(market: Database, redis: Redis) -> None:
    await accounts.write(redis, holds(20, USD=1) | holds(30, USD=100), {})

    async def worth(caller: object, uid: int | None = None, ex_id: int | None = None) -> float | None:
        return (await portfolio.of_accounts(market, redis, caller, "USD", uid, ex_id)).total_value  # type: ignore[arg-type]  # callers of all kinds

    assert [await worth(caller) for caller in (ME, SOMEBODY, BOSS)] == [1, 100, 101]
    assert [await worth(caller, OTHER) for caller in (ME, SOMEBODY, BOSS)] == [None, 100, 100]
    assert [await worth(caller, None, 30) for caller in (ME, SOMEBODY, BOSS)] == [None, 100, 100]
    with pytest.raises(Unauthenticated):
        await worth(Anonymous())


async def test_summary_combines_balances_positions_and_results_of_the_day(market: Database, redis: Redis) -> None:
    """Balances 600 + 0.4 * 1000; a short of 2 from 1020, now at 1010, has a profit of 20; results of the day 5 - 1."""
    await accounts.write(
        redis,
        holds(20, USD=600) | holds(21, BTC=0.4),
        {21: [Position(21, "BTC/USD:BTC", -2, 2_040, 1_020)], 20: [Position(20, "BTC/USD", 1, 500, 500)]},
    )
    now = datetime.now(UTC)
    hour, old = now - timedelta(hours=1), now - timedelta(hours=25)
    await fill(market, live(0, 5.0, time=hour), live(0, -1.0, time=hour), live(0, 50.0, time=old), live(0, time=hour))
    found = await user_summary.of_person(market, redis, ME, TRADER, "USD")
    assert (found.account_balance, found.unrealized_pnl) == pytest.approx((1000, 20))
    assert (found.total_value, found.daily_pnl, found.accounts) == pytest.approx((1020, 4, 2))
    assert (found.unpriced, found.prices_as_of) == ([], datetime.fromtimestamp(50, UTC))


async def test_summary_lists_currencies_without_a_price(market: Database, redis: Redis) -> None:
    await accounts.write(redis, holds(20, USD=600, XYZ=1), {21: [Position(21, "NEW/USD:USD", 1, 5, 5)]})
    await fill(market, live(0, 5.0, symbol="GOLD", time=datetime.now(UTC)))
    found = await user_summary.of_person(market, redis, ME, TRADER, "USD")
    assert (found.account_balance, found.unrealized_pnl, found.total_value, found.daily_pnl) == (None,) * 4
    assert found.unpriced == ["GOLD", "NEW/USD:USD", "XYZ"]


async def test_summary_counts_figures_that_are_left_out(market: Database, redis: Redis) -> None:
    """`roi` and `roiPct` of one trade, the cost of another, and a result without a valid time; GOLD needs no price."""
    now, nan = datetime.now(UTC), float("nan")
    gold = live(0, nan, symbol="GOLD", time=now)
    await fill(market, live(0, 4.0, time=now), gold, live(0, cost=nan, time=now), live(0, 8.0, time=now))
    async with market.transaction() as connection:
        await connection.exec_driver_sql("UPDATE trades SET time = 'infinity' WHERE roi = 8")
    found = await user_summary.of_person(market, redis, ME, TRADER, "USD")
    assert (found.daily_pnl, found.left_out, found.unpriced) == (4, 4, [])


async def test_summary_of_another_user_is_not_found(market: Database, redis: Redis) -> None:
    await accounts.write(redis, holds(30, USD=100), {})
    for uid in (OTHER, 99):
        with pytest.raises(NotFound, match=f"^No User with key {uid}.$"):
            await user_summary.of_person(market, redis, ME, uid, "USD")
    assert (await user_summary.of_person(market, redis, BOSS, OTHER, "USD")).total_value == 100
    assert (await user_summary.of_person(market, redis, BOSS, ADMIN, "USD")).total_value is None


async def test_many_summaries_take_the_statements_of_one(
    market: Database, redis: Redis, statements: Count, redis_calls: Count
) -> None:
    await accounts.write(redis, holds(20, USD=1) | holds(30, USD=100), {})
    for uids in ([TRADER], [TRADER, OTHER, ADMIN]):
        with statements() as asked, redis_calls() as called:
            found = await user_summary.of_people(market, redis, BOSS, uids, "USD")
        assert [one.account_balance for one in found] == [1, 100, None][: len(uids)]
        assert (len(asked), len(called)) == (3, 3)
