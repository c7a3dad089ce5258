"""Performance and risk: computed by hand, and against the same formulas in plain Python."""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from itertools import accumulate
from statistics import mean, stdev
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from fullon_graphql.auth.principal import Anonymous
from fullon_graphql.cache import tickers
from fullon_graphql.cache.tickers import Ticker
from fullon_graphql.database import Database
from fullon_graphql.errors import BadUserInput, Unauthenticated
from fullon_graphql.services.analytics import performance, trade_statistics
from fullon_graphql.services.analytics.ledger import Scope, TradeKind
from fullon_graphql.services.analytics.performance import Performance
from tests.conftest import Count
from tests.fixtures.graph import principal
from tests.fixtures.rows import ADMIN, OTHER, TRADER
from tests.services.trade_rows import DAY_ONE, dry, fill, live

ME, SOMEBODY, BOSS = principal(TRADER), principal(OTHER), principal(ADMIN, admin=True)
ALL = Scope()


async def of_trades(database: Database, redis: Redis, scope: Scope = ALL, capital: float | None = None) -> Performance:
    return await performance.of_trades(database, redis, ME, scope, "USD", capital)


async def test_performance_equals_figures_computed_by_hand(database: Database, redis: Redis) -> None:
    """Results 100, -40 | none | -80, 60 | 0 on four days; opening trades do not count.

    Days: 60, 0, -20, 0. Mean 10; squares of the deviations 2500 + 100 + 900 + 100, over 3 days: 1200.
    Curve: 100, 60, -20, 40, 40. It falls from 100 to -20, by 120; with a capital of 1000 that is from 1100.
    """
    book = [live(0), live(0.1, 100.0), live(0.2, -40.0), live(2, -80.0), live(2.1), live(2.2, 60.0), live(3, 0.0)]
    await fill(database, *book)
    found = await of_trades(database, redis, capital=1000)
    assert (found.days, found.closed_trades, found.net_profit, found.win_rate) == (4, 5, 40, 0.4)
    assert (found.profit_factor, found.expectancy) == pytest.approx((160 / 120, 8))
    assert (found.average_day, found.best_day, found.worst_day) == (10, 60, -20)
    assert found.sharpe_ratio == pytest.approx(10 / math.sqrt(1200) * math.sqrt(365))
    assert (found.max_drawdown, found.max_drawdown_fraction) == pytest.approx((120, 120 / 1100))
    assert found.recovery_factor == pytest.approx(40 / 120)
    assert found.risk_score == pytest.approx(100 * 120 / (120 + 40))
    assert (found.value_at_risk, found.value_at_risk_fraction) == (
        None,
        None,
    )  # four days are too few for a 5 % quantile
    assert (await of_trades(database, redis)).max_drawdown_fraction is None


async def test_results_that_are_not_finite_or_dated_are_left_out(database: Database, redis: Redis) -> None:
    await fill(database, live(0, 4.0), live(0, float("nan")), live(2, 2.0), live(3, 8.0), live(4, 1.0))
    async with database.transaction() as connection:
        await connection.exec_driver_sql("UPDATE trades SET time = 'infinity' WHERE roi = 8")
        await connection.exec_driver_sql("UPDATE trades SET time = '0044-03-15 BC' WHERE roi = 1")
    found = await of_trades(database, redis)
    assert (found.closed_trades, found.net_profit, found.days, found.left_out) == (2, 6, 3, 4)


async def test_value_at_risk_is_interpolated_between_the_worst_days(database: Database, redis: Redis) -> None:
    """Of 20 days with 0, -10 … -190 the quantile is 0.05 * 19 = 0.95 of the way from the worst day to the next.

    Of 21 days it is the second worst.
    """
    await fill(database, *(live(day, -10.0 * day) for day in range(20)))
    found = await of_trades(database, redis, capital=1000)
    assert (found.days, found.value_at_risk) == pytest.approx((20, 180.5))
    assert found.value_at_risk_fraction == pytest.approx(0.1805)
    await fill(database, *(live(day, -10.0 * day) for day in range(21)))
    assert (await of_trades(database, redis)).value_at_risk == pytest.approx(190)
    await fill(database, *(live(day, -10.0 * day) for day in range(19)))
    assert (await of_trades(database, redis)).value_at_risk is None


async def test_performance_without_trades_is_null(database: Database, redis: Redis) -> None:
    await fill(database, live(0))
    found = await of_trades(database, redis, capital=5)
    assert found == Performance(
        TradeKind.LIVE, "USD", (), 0, 5, days=0, closed_trades=0, net_profit=0, win_rate=None, profit_factor=None,
        expectancy=None, sharpe_ratio=None, average_day=None, best_day=None, worst_day=None, max_drawdown=None,
        max_drawdown_fraction=None, value_at_risk=None, value_at_risk_fraction=None, recovery_factor=None,
        risk_score=None,
    )  # fmt: skip


async def test_undefined_figures_are_null(database: Database, redis: Redis) -> None:
    await fill(database, live(0, 5.0))
    one_day = await of_trades(database, redis)
    assert (one_day.sharpe_ratio, one_day.max_drawdown, one_day.recovery_factor) == (None, 0, None)
    assert one_day.risk_score == 0
    await fill(database, *(live(day, 0.1) for day in range(3)))
    assert (await of_trades(database, redis)).sharpe_ratio is None  # all days equal
    await fill(database, live(0, 0.0))
    assert (await of_trades(database, redis)).risk_score is None
    await fill(database, live(0, -5.0))
    assert (await of_trades(database, redis)).risk_score == 100


async def test_all_money_is_null_if_a_price_is_missing(database: Database, redis: Redis) -> None:
    await fill(database, live(0, 8.0), live(1, -4.0, symbol="BTC/USDT"), live(2, symbol="ETH/EUR"))
    found = await of_trades(database, redis, capital=5)
    assert found.unpriced == ["USDT"]  # opening trades need no price
    assert (found.closed_trades, found.win_rate, found.days) == (2, 0.5, 2)
    assert (found.net_profit, found.sharpe_ratio, found.max_drawdown, found.max_drawdown_fraction) == (None,) * 4
    assert (found.value_at_risk, found.risk_score, found.profit_factor, found.best_day) == (None,) * 4


async def test_only_administrators_count_rows_of_other_users(database: Database, redis: Redis) -> None:
    await fill(database, live(0, -8.0), live(0, -500.0, uid=OTHER))
    falls = [
        (await performance.of_trades(database, redis, caller, scope, "USD")).max_drawdown
        for caller, scope in [(ME, Scope()), (SOMEBODY, Scope()), (BOSS, Scope()), (BOSS, Scope(uid=TRADER))]
    ]
    assert falls == [8, 500, 508, 8]
    with pytest.raises(Unauthenticated):
        await performance.of_trades(database, redis, Anonymous(), Scope(), "USD")


EXTREMES = st.sampled_from([0.0, 5e-324, 1e-300, 1e-160, 1e-155, 1e-100, 1e-9, 1.0, 1e100]).flatmap(
    lambda figure: st.sampled_from([figure, -figure])
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    results=st.lists(EXTREMES, min_size=1, max_size=5),
    capital=st.sampled_from([1e-100, 1.0, 1e100]),
    price=st.sampled_from([1e-20, 1e-9, 1e20]),
)
async def test_extreme_results_have_finite_figures_or_null(
    platform: Database, redis: Redis, results: list[float], capital: float, price: float
) -> None:
    """PostgreSQL refuses products and quotients of doubles that are too small or too large for a double."""
    await tickers.write(redis, [Ticker("kraken", "EUR/USD", price, 1)])
    await fill(platform, *(live(day, roi, symbol="BTC/EUR", fee=roi) for day, roi in enumerate([*results] * 5)))
    found = await of_trades(platform, redis, capital=capital)
    figures = [value for value in dataclasses.asdict(found).values() if isinstance(value, float)]
    assert all(map(math.isfinite, figures))
    rows = [result * price for result in results * 5]
    # PostgreSQL adds doubles in any order, so a sum may lose rows that are tiny beside its largest.
    assert found.net_profit == pytest.approx(math.fsum(rows), rel=0, abs=1e-12 * math.fsum(map(abs, rows)) + 1e-280)
    await trade_statistics.overall(platform, redis, ME, ALL, "USD")


async def test_tiny_results_have_their_sum_and_mean_and_no_ratios(database: Database, redis: Redis) -> None:
    await fill(database, live(0, 1e-300), live(1, -3e-300), live(2, 5e-300))
    found = await of_trades(database, redis, capital=1)
    assert (found.net_profit, found.expectancy, found.max_drawdown) == pytest.approx((3e-300, 1e-300, 3e-300))
    assert (found.sharpe_ratio, found.profit_factor, found.recovery_factor, found.risk_score) == (None,) * 4
    assert found.max_drawdown_fraction == 0


@pytest.mark.parametrize("capital", [0.0, -1.0, math.inf, math.nan, 1e-101, 1e101])
async def test_invalid_capital_is_bad_user_input(database: Database, redis: Redis, capital: float) -> None:
    with pytest.raises(BadUserInput, match="capital"):
        await of_trades(database, redis, capital=capital)


async def test_number_of_statements_does_not_depend_on_the_number_of_trades(
    database: Database, redis: Redis, statements: Count
) -> None:
    for size in (1, 40):
        await fill(database, *(live(day, 1.0) for day in range(size)))
        with statements() as asked:
            await of_trades(database, redis)
        assert len(asked) == 2


# Quarters add up without an error in the last digit, so that "all days equal" means the same in SQL and here.
RESULTS = st.integers(-400, 400).map(lambda quarters: quarters / 4)
TRADES = st.lists(st.tuples(st.integers(0, 60 * 24), st.none() | RESULTS), max_size=40)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(trades=TRADES, kind=st.sampled_from(TradeKind), capital=st.sampled_from([None, 100.0]))
async def test_sql_and_plain_python_compute_the_same_figures(
    database: Database, redis: Redis, trades: list[tuple[int, float | None]], kind: TradeKind, capital: float | None
) -> None:
    row = live if kind is TradeKind.LIVE else dry
    await fill(database, *(row(hour / 24, roi) for hour, roi in sorted(trades, key=lambda trade: trade[0])))
    found = await of_trades(database, redis, Scope(kind), capital)
    results = [(hour, roi) for hour, roi in sorted(trades, key=lambda trade: trade[0]) if roi is not None]
    expected = reference(results, capital)
    assert {name: getattr(found, name) for name in expected} == pytest.approx(expected, nan_ok=False)


def reference(results: Sequence[tuple[int, float]], capital: float | None) -> dict[str, Any]:
    profits = [profit for _, profit in results]
    days = daily(results)
    curve = [0.0, *accumulate(profits)]
    tops = list(accumulate(curve, max))
    falls = [top - value for top, value in zip(tops, curve, strict=True)]
    loss = -sum(profit for profit in profits if profit < 0)
    fractions = [fall / (capital + top) for fall, top in zip(falls, tops, strict=True)] if capital else []
    deviation = stdev(days) if len(days) > 1 else 0
    net = sum(profits)
    return {
        "days": len(days),
        "closed_trades": len(profits),
        "net_profit": net,
        "win_rate": mean(profit > 0 for profit in profits) if profits else None,
        "profit_factor": sum(profit for profit in profits if profit > 0) / loss if loss else None,
        "expectancy": net / len(profits) if profits else None,
        "sharpe_ratio": mean(days) / deviation * math.sqrt(365) if deviation else None,
        "worst_day": min(days, default=None),
        "max_drawdown": max(falls) if profits else None,
        "max_drawdown_fraction": max(fractions) if profits and fractions else None,
        "value_at_risk": -quantile(days, 0.05) if len(days) >= 20 else None,
        "risk_score": 100 * max(falls) / (max(falls) + max(0, net)) if max(falls) + max(0, net) else None,
    }


def daily(results: Sequence[tuple[int, float]]) -> list[float]:
    """Results by UTC day; `DAY_ONE` is at eight o'clock."""
    sums: dict[int, float] = defaultdict(float)
    for hour, profit in results:
        sums[(DAY_ONE + timedelta(hours=hour)).toordinal()] += profit
    return [sums[day] for day in range(min(sums), max(sums) + 1)] if sums else []


def quantile(values: Sequence[float], part: float) -> float:
    ordered = sorted(values)
    place = (len(ordered) - 1) * part
    below = ordered[math.floor(place)]
    return below + (ordered[math.ceil(place)] - below) * (place % 1)
