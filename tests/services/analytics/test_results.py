"""Results by period: computed by hand, and against exact sums in plain Python."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from fullon_graphql import models
from fullon_graphql.auth.principal import Anonymous, Caller
from fullon_graphql.cache import tickers
from fullon_graphql.cache.tickers import Ticker
from fullon_graphql.database import Database
from fullon_graphql.errors import BadUserInput, Unauthenticated
from fullon_graphql.services.analytics import results
from fullon_graphql.services.analytics.ledger import Period, Scope, TradeKind
from fullon_graphql.services.analytics.results import ResultGrouping, ResultPeriod, Results
from tests.conftest import Count
from tests.fixtures.graph import principal
from tests.fixtures.rows import ADMIN, OTHER, TRADER, add, order
from tests.services.trade_rows import DAY_ONE, dry, fill, live

ME, SOMEBODY, BOSS = principal(TRADER), principal(OTHER), principal(ADMIN, admin=True)
DRY = Scope(TradeKind.DRY)


async def of(
    database: Database,
    redis: Redis,
    scope: Scope = Scope(),  # noqa: B008  # frozen
    period: ResultPeriod = ResultPeriod.DAY,
    grouping: ResultGrouping | None = None,
    as_of: datetime | None = None,
    caller: Caller = ME,
) -> Results:
    return await results.by_period(database, redis, caller, scope, "USD", period, grouping, as_of)


def at(month: int, day: int) -> float:
    """Midnight of a day of 2026 in Unix milliseconds."""
    return datetime(2026, month, day, tzinfo=UTC).timestamp() * 1000


def profits(found: Results) -> dict[str | None, list[float | None]]:
    return {group.key: group.net_profit for group in found.groups}


async def test_daily_results_equal_sums_computed_by_hand(database: Database, redis: Redis) -> None:
    """Doubles would add 0.1 + 0.2 + 0.3 - 0.6 to 1.1e-16, and three fees of 0.1 to 0.30000000000000004."""
    await fill(
        database,
        live(0, fee=0.1), live(0.1, 0.1, fee=0.1), live(0.2, 0.2, fee=0.1), live(0.3, 0.3, fee=0), live(0.4, -0.6, fee=0),
        live(2, 7.5, fee=0.25),
    )  # fmt: skip
    [group] = (await of(database, redis)).groups
    assert (group.key, group.name, group.length) == (None, None, 2)
    assert group.time == [at(3, 1), at(3, 3)]
    assert (group.total_trades, group.closed_trades, group.winning_trades) == ([5, 1], [4, 1], [3, 1])
    assert (group.net_profit, group.total_fees) == ([0.0, 7.5], [0.3, 0.25])


async def test_trade_at_the_border_counts_in_the_period_that_begins(database: Database, redis: Redis) -> None:
    """2026-03-01 is a Sunday."""
    monday = datetime(2026, 3, 2, tzinfo=UTC)
    before = monday - timedelta(microseconds=1)
    month = datetime(2026, 4, 1, tzinfo=UTC)
    rows = [live(0, 1.0, time=before), live(0, 2.0, time=monday), live(0, 4.0, time=month)]
    await fill(database, *rows)
    found = {}
    for period in ResultPeriod:
        [group] = (await of(database, redis, period=period)).groups
        found[period] = dict(zip(group.time, group.net_profit, strict=True))
    assert found == {
        ResultPeriod.DAY: {at(3, 1): 1, at(3, 2): 2, at(4, 1): 4},
        ResultPeriod.WEEK: {at(2, 23): 1, at(3, 2): 2, at(3, 30): 4},
        ResultPeriod.MONTH: {at(3, 1): 3, at(4, 1): 4},
    }
    scope = Scope(period=Period(monday, month))
    assert profits(await of(database, redis, scope)) == {None: [2]}


async def test_results_without_trades_have_no_group(database: Database, redis: Redis) -> None:
    await fill(database)
    found = await of(database, redis, grouping=ResultGrouping.BOT)
    assert (found.groups, found.unpriced, found.left_out) == ([], [], 0)


async def test_simulated_results_are_grouped_by_bot_reason_and_strategy(platform: Database, redis: Redis) -> None:
    """In the small platform, bot 1 has a strategy of the template 1; bot 99 does not exist."""
    await fill(
        platform, dry(0, 1.0, reason="rsi"), dry(0, 2.0, bot_id=2, reason="stop"), dry(0, 4.0, bot_id=99),
        dry(0, 8.0, symbol="ETH/USD", side="BUY", reason="rsi"),
    )  # fmt: skip
    by_bot = await of(platform, redis, DRY, grouping=ResultGrouping.BOT)
    assert [(group.key, group.name, group.net_profit) for group in by_bot.groups] == [
        ("1", "bot 1", [9]), ("2", "bot 2", [2]), ("99", None, [4]),
    ]  # fmt: skip
    assert profits(await of(platform, redis, DRY, grouping=ResultGrouping.REASON)) == {
        "rsi": [9], "stop": [2], None: [4],
    }  # fmt: skip
    assert profits(await of(platform, redis, DRY, grouping=ResultGrouping.SYMBOL)) == {"BTC/USD": [7], "ETH/USD": [8]}
    assert profits(await of(platform, redis, DRY, grouping=ResultGrouping.SIDE)) == {"BUY": [8], "SELL": [7]}


async def test_live_results_belong_to_the_bot_and_the_reason_of_the_order(platform: Database, redis: Redis) -> None:
    """Order X is of bot 1, two orders with the id Y are of different bots, and Z is of the other trader only."""
    await add(
        platform, models.Order,
        order(900, 1, TRADER, ex_order_id="X", reason="rsi"), order(901, 1, TRADER, ex_order_id="Y", reason="stop"),
        order(902, 2, TRADER, ex_order_id="Y", reason="stop"), order(903, 6, OTHER, ex_order_id="Z"),
        order(904, 1, TRADER, ex_order_id="X", ex_id=21, reason="other account"),
    )  # fmt: skip
    await fill(
        platform, live(0, 1.0, ex_order_id="X"), live(0, 2.0, ex_order_id="Y"), live(0, 4.0, ex_order_id="Z"),
        live(0, 500.0, ex_order_id="Z", uid=OTHER, ex_id=30),
    )  # fmt: skip
    assert profits(await of(platform, redis, grouping=ResultGrouping.BOT)) == {"1": [1], None: [6]}
    assert profits(await of(platform, redis, grouping=ResultGrouping.REASON)) == {"rsi": [1], "stop": [2], None: [4]}
    of_bot = Scope(bot_ids=[1])
    assert profits(await of(platform, redis, of_bot, grouping=ResultGrouping.BOT)) == {"1": [3]}
    assert profits(await of(platform, redis, of_bot, grouping=ResultGrouping.REASON)) == {"rsi": [1], "stop": [2]}


async def test_strategy_is_the_template_of_the_bot_unless_there_are_several(platform: Database, redis: Redis) -> None:
    await add(platform, models.CatStrategy, {"cat_str_id": 70, "name": "hayden"}, {"cat_str_id": 71, "name": "trend"})
    await add(platform, models.Bot, *({"bot_id": key, "uid": TRADER, "name": f"b{key}"} for key in (70, 71, 72, 73)))
    await add(
        platform, models.Strategy, *({"str_id": 700 + n, "bot_id": bot, "cat_str_id": template} for n, (bot, template)
        in enumerate([(70, 70), (71, 70), (71, 70), (72, 70), (72, 71)])),
    )  # fmt: skip
    await fill(platform, *(dry(0, 2.0**n, bot_id=70 + n) for n in range(4)))
    found = await of(platform, redis, DRY, grouping=ResultGrouping.STRATEGY)
    assert [(group.key, group.name, group.net_profit) for group in found.groups] == [
        ("70", "hayden", [3]), (None, None, [12]),
    ]  # fmt: skip


async def test_foreign_bot_and_account_count_nothing(platform: Database, redis: Redis) -> None:
    await fill(platform, dry(0, 1.0), dry(0, 500.0, bot_id=6, uid=OTHER, ex_id=30))
    for scope in (Scope(TradeKind.DRY, bot_ids=[6]), Scope(TradeKind.DRY, ex_id=30), Scope(TradeKind.DRY, uid=OTHER)):
        assert (await of(platform, redis, scope, grouping=ResultGrouping.BOT)).groups == []
    assert profits(await of(platform, redis, DRY, grouping=ResultGrouping.BOT, caller=BOSS)) == {"1": [1], "6": [500]}
    assert profits(await of(platform, redis, Scope(TradeKind.DRY, uid=OTHER), caller=BOSS)) == {None: [500]}
    with pytest.raises(Unauthenticated):
        await of(platform, redis, caller=Anonymous())


async def test_group_without_a_price_is_null_and_others_are_not(platform: Database, redis: Redis) -> None:
    """The fee of 0 needs no price, and EUR has one."""
    await tickers.write(redis, [Ticker("kraken", "EUR/USD", 1.25, 1)])
    await fill(
        platform, live(0, 1.0), live(0, 8.0, symbol="BTC/EUR"), live(0, 2.0, symbol="BTC/XYZ", fee=0.0), live(1, 1.0)
    )
    found = await of(platform, redis, grouping=ResultGrouping.SYMBOL)
    assert found.unpriced == ["XYZ"]
    assert profits(found) == {"BTC/EUR": [10], "BTC/USD": [1, 1], "BTC/XYZ": [None]}
    assert [group.total_fees for group in found.groups] == [[0.625], [0.5, 0.5], [0]]
    [total] = (await of(platform, redis)).groups
    assert (total.net_profit, total.total_fees) == ([None, None], [1.125, 0.5])


async def test_figures_that_are_not_finite_or_dated_are_left_out(database: Database, redis: Redis) -> None:
    await fill(database, live(0, 4.0), live(0, float("nan"), roi_pct=1.0), live(2, 8.0))
    async with database.transaction() as connection:
        await connection.exec_driver_sql("UPDATE trades SET time = 'infinity' WHERE roi = 8")
    found = await of(database, redis)
    assert (profits(found), found.left_out) == ({None: [4]}, 2)


async def test_as_of_leaves_out_later_trades_and_counts_days_back_from_it(database: Database, redis: Redis) -> None:
    await fill(database, *(live(day, 2.0**day) for day in range(5)))
    as_of = DAY_ONE + timedelta(days=3)  # the trade of this instant is not known yet
    assert profits(await of(database, redis, as_of=as_of)) == {None: [1, 2, 4]}
    assert profits(await of(database, redis, Scope(period=Period(days=2)), as_of=as_of)) == {None: [2, 4]}
    before = Scope(period=Period(end=DAY_ONE + timedelta(days=1)))
    assert profits(await of(database, redis, before, as_of=as_of)) == {None: [1]}


async def test_too_many_entries_are_bad_user_input(
    database: Database, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The two groups have two entries on the first day and one on the second."""
    await fill(database, live(0, 1.0), live(0, 2.0, symbol="ETH/USD"), live(1, 4.0))
    monkeypatch.setattr(results, "MAX_ENTRIES", 3)
    assert profits(await of(database, redis, grouping=ResultGrouping.SYMBOL)) == {"BTC/USD": [1, 4], "ETH/USD": [2]}
    monkeypatch.setattr(results, "MAX_ENTRIES", 2)
    with pytest.raises(BadUserInput, match="more than 2 entries"):
        await of(database, redis, grouping=ResultGrouping.SYMBOL)
    assert profits(await of(database, redis)) == {None: [3, 4]}


async def test_tiny_and_huge_figures_are_summed_exactly_and_converted(platform: Database, redis: Redis) -> None:
    """The product of the smallest double and a small rate rounds to 0; one of the two huge figures does not cancel."""
    await tickers.write(redis, [Ticker("kraken", "EUR/USD", 1e-9, 1)])
    await fill(
        platform, live(0, 5e-324, symbol="BTC/EUR", fee=1e-300), live(1, 1e100), live(1, 1e-100), live(1, -1e100),
    )  # fmt: skip
    [group] = (await of(platform, redis)).groups
    assert (group.net_profit, group.total_fees) == ([0, 1e-100], [1e-309, 1.5])


async def test_invalid_scope_is_bad_user_input(database: Database, redis: Redis) -> None:
    with pytest.raises(BadUserInput, match="days"):
        await of(database, redis, Scope(period=Period(days=0)))
    with pytest.raises(BadUserInput, match="NUL"):
        await of(database, redis, Scope(symbol="\0"))


@pytest.mark.parametrize("grouping", [None, *ResultGrouping])
async def test_trades_take_one_statement_beside_that_of_the_prices(
    platform: Database, redis: Redis, statements: Count, grouping: ResultGrouping | None
) -> None:
    await fill(platform, *(live(day, 1.0) for day in range(20)))
    with statements() as asked:
        await of(platform, redis, grouping=grouping)
    assert len(asked) == 2


TRADES = st.lists(
    st.tuples(
        st.integers(0, 40 * 24),
        st.none() | st.floats(-1e6, 1e6),
        st.floats(0, 1e3),
        st.sampled_from([1, 2, 99]),
        st.sampled_from(["BTC/USD", "ETH/USD"]),
        st.sampled_from(["rsi", "stop", None]),
    ),
    max_size=25,
)


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(trades=TRADES, period=st.sampled_from(ResultPeriod))
async def test_groups_add_up_to_the_exact_total(
    platform: Database, redis: Redis, trades: list[Any], period: ResultPeriod
) -> None:
    rows = [
        dry(hour / 24, roi, fee=fee, bot_id=bot, symbol=symbol, reason=reason)
        for hour, roi, fee, bot, symbol, reason in trades
    ]
    await fill(platform, *rows)
    expected = sums(rows, period)
    [total] = (await of(platform, redis, DRY, period)).groups or [results.ResultGroup()]
    assert total.time == sorted(expected)
    assert total.total_trades == [expected[time][0] for time in total.time]
    assert total.net_profit == [float(expected[time][1]) for time in total.time]
    assert total.total_fees == [float(expected[time][2]) for time in total.time]
    for grouping in ResultGrouping:
        found = await of(platform, redis, DRY, period, grouping)
        counted: dict[float, int] = defaultdict(int)
        profit: dict[float, float] = defaultdict(float)
        for group in found.groups:
            for time, trades_, net in zip(group.time, group.total_trades, group.net_profit, strict=True):
                counted[time] += trades_
                profit[time] += net or 0
        assert [counted[time] for time in total.time] == total.total_trades
        assert [profit[time] for time in total.time] == pytest.approx(total.net_profit, rel=1e-12, abs=1e-8)


def sums(rows: list[dict[str, Any]], period: ResultPeriod) -> dict[float, tuple[int, Fraction, Fraction]]:
    """Number of trades, and exact sums of the shortest decimals of results and fees, by period."""
    found: dict[float, tuple[int, Fraction, Fraction]] = {}
    for row in rows:
        start = period.timeframe.bucket_start(row["timestamp"]).timestamp() * 1000
        count, profit, fees = found.get(start, (0, Fraction(0), Fraction(0)))
        found[start] = count + 1, profit + Fraction(repr(row["roi"] or 0)), fees + Fraction(repr(row["fee"]))
    return found
