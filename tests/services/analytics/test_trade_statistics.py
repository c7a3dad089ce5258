"""Statistics of trades compared with figures computed by hand."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from redis.asyncio import Redis

from fullon_graphql import models
from fullon_graphql.auth.principal import Anonymous, Caller
from fullon_graphql.cache import tickers
from fullon_graphql.cache.tickers import Ticker
from fullon_graphql.database import Database
from fullon_graphql.errors import BadUserInput, Unauthenticated
from fullon_graphql.services.analytics import trade_statistics
from fullon_graphql.services.analytics.ledger import Period, Scope, TradeKind
from fullon_graphql.services.analytics.prices import Prices
from fullon_graphql.services.analytics.trade_statistics import TradeStatistics
from tests.conftest import Count
from tests.fixtures.graph import principal
from tests.fixtures.rows import ADMIN, OTHER, TRADER, add, order
from tests.services.trade_rows import DAY_ONE, dry, fill, live

ME, SOMEBODY, BOSS = principal(TRADER), principal(OTHER), principal(ADMIN, admin=True)
ALL = Scope()

# Two opening and five closing trades of 100, with a fee of 0.5 each: profits 100 + 60, losses 40 + 80, and one of 0.
BOOK = [
    live(0), live(0.1, 100.0), live(0.2, -40.0), live(2, -80.0, symbol="ETH/USD"), live(2.1), live(2.2, 60.0),
    live(3, 0.0, symbol="ETH/USD"),
]  # fmt: skip


@pytest.fixture
async def catalogue(database: Database) -> Database:
    await add(database, models.CatExchange, {"cat_ex_id": 1, "name": "kraken"}, {"cat_ex_id": 2, "name": "binance"})
    return database


async def overall(
    database: Database, redis: Redis, scope: Scope = ALL, caller: Caller = ME, currency: str = "USD"
) -> TradeStatistics:
    return await trade_statistics.overall(database, redis, caller, scope, currency)


async def test_statistics_equal_figures_computed_by_hand(database: Database, redis: Redis) -> None:
    await fill(database, *BOOK)
    found = await overall(database, redis)
    assert found == TradeStatistics(
        kind=TradeKind.LIVE,
        currency="USD",
        total_trades=7,
        closed_trades=5,
        winning_trades=2,
        losing_trades=2,
        buys=2,
        sells=5,
        active_pairs=2,
        total_volume=700.0,
        total_fees=3.5,
        gross_profit=160.0,
        gross_loss=120.0,
        net_profit=40.0,
        win_rate=0.4,  # 2 of 5
        profit_factor=pytest.approx(160 / 120),  # type: ignore[arg-type]  # it compares as a float
        expectancy=8.0,  # 40 / 5
        average_win=80.0,  # 160 / 2
        average_loss=60.0,  # 120 / 2
        best_trade=100.0,
        worst_trade=-80.0,
        average_roi_pct=8.0,  # here the same numbers as roi
        first_trade_at=DAY_ONE,
        last_trade_at=DAY_ONE + timedelta(days=3),
    )


async def test_statistics_without_trades_are_zero_or_null(database: Database, redis: Redis) -> None:
    await fill(database)
    assert await overall(database, redis) == TradeStatistics(TradeKind.LIVE, "USD")


async def test_profit_factor_without_a_loss_is_null(database: Database, redis: Redis) -> None:
    await fill(database, live(0, 5.0), live(1, 0.0))
    found = await overall(database, redis)
    assert (found.profit_factor, found.gross_loss, found.average_loss, found.win_rate) == (None, 0.0, None, 0.5)


async def test_simulated_trades_close_if_marked_as_closing(database: Database, redis: Redis) -> None:
    await fill(
        database, live(0, 1000.0), dry(0), dry(1, 30.0), dry(1, -7.0, closingtrade=False), dry(2, None, closingtrade=True)
    )  # fmt: skip
    found = await overall(database, redis, Scope(TradeKind.DRY))
    assert (found.total_trades, found.closed_trades, found.net_profit, found.average_roi_pct) == (4, 1, 30.0, 30.0)


@pytest.mark.parametrize(
    ("scope", "profit"),
    [
        (Scope(symbol="ETH/USD"), 40.0),
        (Scope(ex_id=21), 8.0),
        (Scope(uid=OTHER), 0.0),
        (Scope(period=Period(start=DAY_ONE + timedelta(days=1))), 60.0),
        (Scope(period=Period(end=DAY_ONE + timedelta(days=1))), 8.0),
        (Scope(period=Period(end=DAY_ONE + timedelta(days=2.5), days=2)), 20.0),
        (Scope(period=Period(start=DAY_ONE + timedelta(days=9), end=DAY_ONE)), 0.0),
        (Scope(symbol="none"), 0.0),
    ],
    ids=str,
)
async def test_scope_limits_the_trades(database: Database, redis: Redis, scope: Scope, profit: float) -> None:
    """A period includes its start and excludes its end."""
    await fill(
        database, live(0, 8.0, ex_id=21), live(1, 20.0), live(2.5, 40.0, symbol="ETH/USD"), live(0, 500.0, uid=OTHER)
    )
    assert (await overall(database, redis, scope)).net_profit == profit


async def test_days_are_counted_back_from_now(database: Database, redis: Redis) -> None:
    await fill(database, live(0, 8.0))
    assert (await overall(database, redis, Scope(period=Period(days=36_500)))).closed_trades == 1
    assert (await overall(database, redis, Scope(period=Period(end=DAY_ONE, days=36_500)))).closed_trades == 0


@pytest.mark.parametrize("period", [Period(days=0), Period(days=36_501), Period(start=DAY_ONE, days=1)], ids=str)
async def test_invalid_period_is_bad_user_input(database: Database, redis: Redis, period: Period) -> None:
    with pytest.raises(BadUserInput, match="days"):
        await overall(database, redis, Scope(period=period))


async def test_invalid_symbol_is_bad_user_input(database: Database, redis: Redis) -> None:
    with pytest.raises(BadUserInput, match="NUL"):
        await overall(database, redis, Scope(symbol="BTC\0"))


async def test_only_administrators_count_rows_of_other_users(database: Database, redis: Redis) -> None:
    await fill(database, live(0, 8.0), live(0, 500.0, uid=OTHER), dry(0, 1.0), dry(0, 70.0, uid=OTHER))

    async def profit(caller: Caller, scope: Scope) -> float | None:
        return (await overall(database, redis, scope, caller)).net_profit

    assert [await profit(caller, Scope()) for caller in (ME, SOMEBODY, BOSS)] == [8, 500, 508]
    assert [await profit(caller, Scope(TradeKind.DRY)) for caller in (ME, SOMEBODY, BOSS)] == [1, 70, 71]
    assert [await profit(caller, Scope(uid=OTHER)) for caller in (ME, SOMEBODY, BOSS)] == [0, 500, 500]
    with pytest.raises(Unauthenticated):
        await profit(Anonymous(), Scope())


async def test_money_is_converted_directly_or_through_one_other_currency(catalogue: Database, redis: Redis) -> None:
    """A USDT is worth 50 000 / 40 000 dollars, through BTC; an ETH 2 000, directly."""
    await tickers.write(
        redis,
        [Ticker("kraken", "BTC/USD", 50_000, 1), Ticker("binance", "BTC/USDT", 40_000, 1),
         Ticker("kraken", "ETH/USD", 2_000, 1)],
    )  # fmt: skip
    await fill(
        catalogue, live(0, 8.0), live(1, 4.0, symbol="BTC/USDT"), live(2, -0.25, symbol="XRP/ETH"),
        live(3, 1.0, symbol="BTC/USD:BTC"),
    )  # fmt: skip
    found = await overall(catalogue, redis)
    assert (found.net_profit, found.gross_loss) == pytest.approx((8 + 4 * 1.25 - 0.25 * 2_000 + 1, 500))
    assert found.total_volume == pytest.approx(100 + 125 + 200_000 + 100)
    early = Scope(period=Period(end=DAY_ONE + timedelta(days=2)))
    assert (await overall(catalogue, redis, early, currency="USDT")).net_profit == pytest.approx(8 / 1.25 + 4)
    assert (await overall(catalogue, redis, currency="USDT")).unpriced == ["ETH"]  # two other currencies away


async def test_all_money_is_null_if_a_price_is_missing(catalogue: Database, redis: Redis) -> None:
    await tickers.write(redis, [Ticker("kraken", "BTC/USDT:USDT", 1.0, 1)])  # the ticker of a derivative gives no rate
    await fill(catalogue, live(0, 8.0), live(1, -4.0, symbol="BTC/USDT"), live(2, 3.0, symbol="GOLD"))
    found = await overall(catalogue, redis)
    assert found.unpriced == ["GOLD", "USDT"]
    money = "total_volume total_fees gross_profit gross_loss net_profit profit_factor expectancy average_win"
    assert {getattr(found, name) for name in [*money.split(), "average_loss", "best_trade", "worst_trade"]} == {None}
    assert (found.total_trades, found.win_rate, found.average_roi_pct) == pytest.approx((3, 2 / 3, 7 / 3))
    assert (await overall(catalogue, redis, Scope(symbol="BTC/USD"))).net_profit == 8


async def test_statistics_are_grouped_by_symbol(catalogue: Database, redis: Redis) -> None:
    await fill(catalogue, *BOOK, live(0, 1.0, symbol="BTC/USDT"))
    found = await trade_statistics.by_symbol(catalogue, redis, ME, Scope(), "USD")
    figures = [(one.symbol, one.statistics.total_trades, one.statistics.net_profit) for one in found]
    assert figures == [("BTC/USD", 5, 120.0), ("BTC/USDT", 1, None), ("ETH/USD", 2, -80.0)]


def placed(bot_id: int, ex_order_id: str | None, **values: Any) -> dict[str, Any]:
    order_id = values.pop("order_id")
    return order(order_id, bot_id, TRADER, ex_order_id=ex_order_id, **values)


async def test_live_trade_belongs_to_the_bot_of_its_order(database: Database, redis: Redis) -> None:
    await add(
        database, models.Order, placed(1, "A", order_id=1), placed(2, "B", order_id=2), placed(2, None, order_id=3),
        placed(1, "A", order_id=4),  # the same again: its trades count once
        placed(3, "A", order_id=5, ex_id=21),  # another exchange's id
        order(6, 4, OTHER, ex_order_id="A", ex_id=20),  # another user's
    )  # fmt: skip
    await fill(
        database,
        live(0, 1.0, ex_order_id="A"),
        live(1, 2.0, ex_order_id="A"),
        live(1, 4.0, ex_order_id="B"),
        live(1, 8.0),
    )
    rates = Prices([]).rates("USD")
    for caller in (ME, BOSS):
        found = await trade_statistics.by_bot(database, caller, Scope(bot_ids=(1, 2, 3, 4)), rates)
        assert [found[bot_id].net_profit for bot_id in (1, 2, 3, 4)] == [3, 4, 0, 0]
    foreign = await trade_statistics.by_bot(database, SOMEBODY, Scope(bot_ids=(1, 2)), rates)
    assert [foreign[bot_id].total_trades for bot_id in (1, 2)] == [0, 0]
    assert (await overall(database, redis, Scope(bot_ids=(2,)))).net_profit == 4
    await fill(database, dry(0, 5.0), dry(0, 6.0, bot_id=2))
    assert (await overall(database, redis, Scope(TradeKind.DRY, bot_ids=(2,)))).net_profit == 6


async def test_figures_that_are_not_finite_are_in_no_sum_and_counted(database: Database, redis: Redis) -> None:
    await fill(
        database, live(0, 4.0), live(0, float("nan"), fee=float("inf")), live(1, 2.0, cost=1e308), live(1, cost=1e308)
    )
    found = await overall(database, redis)
    assert (found.total_trades, found.closed_trades, found.net_profit, found.left_out) == (4, 2, 6, 5)
    assert (found.total_volume, found.total_fees, found.average_roi_pct) == (200, 1.5, 3)
    assert (await overall(database, redis, Scope(TradeKind.DRY))).left_out == 0


async def test_number_of_statements_does_not_depend_on_the_number_of_trades(
    catalogue: Database, redis: Redis, statements: Count, redis_calls: Count
) -> None:
    for rows in (BOOK[:2], BOOK):
        await fill(catalogue, *rows)
        with statements() as asked, redis_calls() as called:
            await overall(catalogue, redis)
            await trade_statistics.by_symbol(catalogue, redis, ME, Scope(), "USD")
        assert (len(asked), len(called)) == (4, 2)
