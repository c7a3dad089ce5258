"""Equity curves: computed by hand, and against the performance of the same trades."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as budget
from hypothesis import strategies as st
from redis.asyncio import Redis

from fullon_graphql import models
from fullon_graphql.auth.principal import Anonymous, Caller
from fullon_graphql.cache import tickers
from fullon_graphql.cache.tickers import Ticker
from fullon_graphql.config import Settings
from fullon_graphql.database import Database
from fullon_graphql.errors import BadUserInput, Forbidden, Unauthenticated
from fullon_graphql.ohlcv.candles import Candle
from fullon_graphql.ohlcv.store import CandleStore
from fullon_graphql.ohlcv.timeframes import Timeframe
from fullon_graphql.services.analytics import equity, performance
from fullon_graphql.services.analytics.equity import MAX_POINTS, EquityCurve
from fullon_graphql.services.analytics.ledger import Period, Scope, TradeKind
from fullon_graphql.services.tickers import SharedTickers
from tests.conftest import Count
from tests.fixtures.graph import principal
from tests.fixtures.rows import ADMIN, OTHER, TRADER, add, order
from tests.ohlcv.filling import put_candles
from tests.services.trade_rows import DAY_ONE, dry, fill, live

ME, BOSS = principal(TRADER), principal(ADMIN, admin=True)
FIRST = datetime(2026, 3, 1, tzinfo=UTC)
SEVENTH = datetime(2026, 3, 7, tzinfo=UTC)
WEEK = Period(FIRST, SEVENTH)
DRY = Scope(TradeKind.DRY, Period(end=SEVENTH))


@dataclass(frozen=True)
class Stores:
    """The stores that a curve is read from."""

    database: Database
    redis: Redis
    candles: CandleStore
    settings: Settings
    caller: Caller = ME

    @property
    def tickers(self) -> SharedTickers:
        return SharedTickers(self.redis)

    async def curve(
        self,
        scope: Scope = Scope(period=WEEK),  # noqa: B008  # frozen
        resolution: Timeframe = Timeframe.D1,
        capital: float | None = None,
        as_of: datetime | None = None,
    ) -> EquityCurve:
        return await equity.curve(self, scope, "USD", resolution, capital, as_of)

    def as_(self, caller: Caller) -> Stores:
        return replace(self, caller=caller)


@pytest.fixture
async def stores(platform: Database, ohlcv_database: Database, redis: Redis, settings: Settings) -> Stores:
    """Account 20 is on kraken, where BTC/USD closes at 110, 90, 130, none, 85 from the first of March on."""
    closes = [(0, 110.0), (1, 90.0), (2, 130.0), (4, 85.0)]
    bars = [Candle(FIRST + timedelta(days=day), 95.0, 200.0, 1.0, close, 1.0) for day, close in closes]
    await put_candles(ohlcv_database, "BTC/USD", bars, Timeframe.D1)
    return Stores(platform, redis, CandleStore(ohlcv_database), settings)


def held(volume: float | None, price: float | None = 0.0) -> dict[str, Any]:
    """The recorded position after a trade."""
    return {"cur_volume": volume, "cur_avg_price": price}


BOOK = [
    live(0, volume=2.0, fee=0.2, **held(2.0, 100.0)),
    live(2, 19.7, fee=0.1, **held(1.0, 100.0)),
    live(4, -20.3, fee=0.1, **held(0.0)),
]
"""Two coins bought at 100; one is sold for a profit on the third, one for a loss on the fifth of March."""


async def test_curve_equals_figures_computed_by_hand(stores: Stores) -> None:
    """Days 1 to 6; the fourth has no candle. Doubles would add 19.7 and -20.3 to -0.6000000000000014."""
    await fill(stores.database, *BOOK)
    found = await stores.curve(capital=1000)
    assert (found.kind, found.currency, found.unpriced, found.left_out, found.length) == (
        TradeKind.LIVE,
        "USD",
        [],
        0,
        6,
    )
    assert found.time == [(FIRST + timedelta(days=day)).timestamp() * 1000 for day in range(6)]
    assert found.closed_trades == [0, 0, 1, 1, 2, 2]
    assert found.realized_profit == [0, 0, 19.7, 19.7, -0.6, -0.6]
    assert found.unrealized_profit == [20, -20, 30, None, 0, 0]
    assert found.equity == [20, -20, 49.7, None, -0.6, -0.6]
    assert found.fees == [0.2, 0.2, 0.3, 0.3, 0.4, 0.4]
    assert found.drawdown == [0, 0, 0, 0, 20.3, 20.3]
    assert found.drawdown_fraction == pytest.approx([0, 0, 0, 0, 20.3 / 1019.7, 20.3 / 1019.7])
    assert found.equity_drawdown == [0, 40, 0, None, 50.3, 50.3]
    assert found.benchmark_return == [110 / 95 - 1, 90 / 95 - 1, 130 / 95 - 1, None, 85 / 95 - 1, None]
    assert found.benchmark_profit[1] == pytest.approx(1000 * (90 / 95 - 1))
    without = await stores.curve()
    assert set(without.drawdown_fraction + without.benchmark_profit) == {None}


async def test_position_opened_before_the_period_is_valued(stores: Stores) -> None:
    await fill(stores.database, *BOOK)
    found = await stores.curve(Scope(period=Period(FIRST + timedelta(days=1), SEVENTH)))
    assert found.realized_profit == [0, 19.7, 19.7, -0.6, -0.6]
    assert found.unrealized_profit == [-20, 30, None, 0, 0]
    assert found.fees == [0, 0.1, 0.1, 0.2, 0.2]


async def test_bar_begins_at_its_border(stores: Stores) -> None:
    """A trade at midnight counts on the new day, and one at the end of the period does not count."""
    midnight = FIRST + timedelta(days=1)
    before = midnight - timedelta(microseconds=1)
    await fill(
        stores.database, live(0, 1.0, time=before), live(0, 2.0, time=midnight), live(0, 4.0, time=FIRST),
        live(0, 8.0, time=SEVENTH),
    )  # fmt: skip
    assert (await stores.curve()).realized_profit == [5, 7, 7, 7, 7, 7]
    weekly = await stores.curve(resolution=Timeframe.W1)  # the first of March 2026 is a Sunday
    assert weekly.time == [datetime(2026, *day, tzinfo=UTC).timestamp() * 1000 for day in ((2, 23), (3, 2))]
    assert weekly.realized_profit == [5, 7]
    monthly = await stores.curve(resolution=Timeframe.MN1)
    assert (monthly.time, monthly.realized_profit) == ([FIRST.timestamp() * 1000], [7])


async def test_curve_without_trades_is_empty_or_zero(stores: Stores) -> None:
    await fill(stores.database)
    assert (await stores.curve(Scope(period=Period(end=SEVENTH)))).length == 0
    found = await stores.curve()
    assert (found.realized_profit, found.unrealized_profit, found.drawdown) == ([0] * 6, [0] * 6, [0] * 6)
    assert found.benchmark_return == [None] * 6


async def test_curve_begins_with_the_first_trade_and_ends_now(stores: Stores) -> None:
    yesterday = datetime.now(UTC) - timedelta(days=1)
    await fill(stores.database, live(0, 3.0, time=yesterday))
    found = await stores.curve(Scope())
    assert found.time == [(day.replace(hour=0, minute=0, second=0, microsecond=0)).timestamp() * 1000
                          for day in (yesterday, yesterday + timedelta(days=1))]  # fmt: skip
    assert found.realized_profit == [3, 3]


async def test_as_of_knows_no_later_trade_and_no_later_price(stores: Stores) -> None:
    """At noon of the third day, the close of that day is not known."""
    await fill(stores.database, *BOOK)
    noon = FIRST + timedelta(days=2, hours=12)
    found = await stores.curve(as_of=noon)
    assert found.realized_profit == [0, 0, 19.7]
    assert found.unrealized_profit == [20, -20, None]
    assert found.benchmark_return[1:] == [90 / 95 - 1, None]
    assert (await stores.curve(as_of=noon - timedelta(hours=4))).realized_profit == [0, 0, 0]
    assert (await stores.curve(as_of=FIRST + timedelta(days=3))).unrealized_profit == [20, -20, 30]


@pytest.mark.parametrize(
    ("position", "symbol", "account"),
    [(held(None), "BTC/USD", 20), (held(2.0, None), "BTC/USD", 20), (held(float("nan"), 1.0), "BTC/USD", 20),
     (held(2.0, 1.0), "NEW/USD", 20), (held(2.0, 1.0), "BTC/USD", 99)],
    ids=["volume not recorded", "price not recorded", "not a number", "no candles", "account deleted"],
)  # fmt: skip
async def test_open_position_without_a_known_value_is_null(
    stores: Stores, position: dict[str, Any], symbol: str, account: int
) -> None:
    await fill(stores.database, live(0, 5.0, symbol=symbol, ex_id=account, **position))
    found = await stores.curve()
    assert (found.unrealized_profit, found.equity, found.unpriced) == ([None] * 6, [None] * 6, [])
    assert found.realized_profit == [5] * 6


async def test_currency_without_a_price_is_null_and_others_are_converted(stores: Stores) -> None:
    await fill(stores.database, live(0, 8.0, symbol="BTC/EUR", **held(0.0)), live(0, symbol="BTC/XYZ", fee=0.0))
    found = await stores.curve()
    assert found.unpriced == ["EUR"]
    assert (found.realized_profit, found.fees, found.drawdown) == ([None] * 6, [None] * 6, [None] * 6)
    await tickers.write(stores.redis, [Ticker("kraken", "EUR/USD", 1.25, 1)])
    assert (await stores.curve()).realized_profit == [10] * 6


async def test_benchmark_is_null_for_several_instruments(stores: Stores) -> None:
    await fill(stores.database, *BOOK, live(0, symbol="ETH/USD", **held(0.0)))
    assert (await stores.curve()).benchmark_return == [None] * 6
    one = await stores.curve(Scope(period=WEEK, symbol="BTC/USD"))
    assert one.benchmark_return[0] == 110 / 95 - 1


async def test_positions_of_several_accounts_are_added(stores: Stores) -> None:
    """Accounts 20 and 22 hold a coin long and short, at 100 and 120; 22 has no recorded price on the third day."""
    await add(stores.database, models.Exchange, {"ex_id": 22, "uid": TRADER, "cat_ex_id": 1, "name": "second"})
    other: dict[str, Any] = {"ex_id": 22, "side": "Sell"}
    await fill(
        stores.database, live(0, **held(2.0, 100.0)), live(0, **other, **held(-1.0, 120.0)),
        live(2, **other, **held(-1.0, None)), live(4, **other, **held(0.0)),
    )  # fmt: skip
    found = await stores.curve()
    assert found.unrealized_profit == [20 + 10, -20 + 30, None, None, -30, None]
    assert found.benchmark_return[0] == 110 / 95 - 1


def traded(
    day: float, side: str, volume: float, price: float, roi: float | None = None, **values: Any
) -> dict[str, Any]:
    """A simulated trade of bot 1."""
    return dry(day, roi, side=side, volume=volume, price=price, cost=volume * price, **values)


POSITIONS = {
    "opened by several trades": ([traded(0, "Buy", 1, 100), traded(0.1, "buy", 3, 80)], [100, 20, 180, None, 0, None]),
    "grown later": ([traded(0, "Buy", 1, 100), traded(1, "buy", 1, 80)], [10, 0, 80, None, -10, None]),
    "short": ([traded(0, "Sell", 2, 100)], [-20, 20, -60, None, 30, None]),
    "closed": ([traded(0, "buy", 2, 100), traded(1, "sell", 2, 90, -20)], [20, 0, 0, 0, 0, 0]),
    "closed and opened again on one day": (
        [traded(0, "buy", 2, 100), traded(0.1, "sell", 2, 90, -20), traded(0.2, "sell", 1, 100)],
        [-10, 10, -30, None, 15, None],
    ),
    "closed in part": (
        [traded(0, "buy", 2, 100), traded(1, "sell", 1, 90, -10), traded(2, "sell", 1, 90, -10)],
        [20, None, 0, 0, 0, 0],
    ),
    "grown after a partial close": (
        [traded(0, "buy", 2, 100), traded(1, "sell", 1, 90, -10), traded(2, "buy", 1, 90)],
        [20, None, None, None, None, None],
    ),
    "both sides without a result": (
        [traded(0, "buy", 2, 100), traded(0.1, "sell", 1, 90), traded(1, "sell", 1, 90)],
        [None, 0, 0, 0, 0, 0],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", POSITIONS)
async def test_position_of_a_bot_is_computed_from_its_trades(stores: Stores, name: str) -> None:
    """Closes are 110, 90, 130, none, 85, none."""
    book, expected = POSITIONS[name]
    await fill(stores.database, *book)
    scope = replace(DRY, period=WEEK)
    assert (await stores.curve(scope)).unrealized_profit == expected
    [*_, last] = (
        await stores.curve(replace(scope, period=Period(FIRST + timedelta(days=4), SEVENTH)))
    ).unrealized_profit[:1]
    assert last == expected[4]


async def test_bots_have_positions_of_their_own(stores: Stores) -> None:
    """Together bots 1 and 2 hold nothing; each alone does."""
    await fill(stores.database, traded(0, "buy", 1, 100), traded(0, "sell", 1, 100, bot_id=2))
    scope = replace(DRY, period=Period(FIRST, FIRST + timedelta(days=2)))
    assert (await stores.curve(scope)).unrealized_profit == [0, 0]
    assert (await stores.curve(replace(scope, bot_ids=[1]))).unrealized_profit == [10, -10]
    assert (await stores.curve(replace(scope, bot_ids=[2]))).unrealized_profit == [-10, 10]


async def test_live_bot_is_not_given_the_position_of_the_account(stores: Stores) -> None:
    await add(stores.database, models.Order, order(900, 1, TRADER, ex_order_id="A"))
    await fill(
        stores.database,
        live(0, ex_order_id="A", volume=1.0, **held(1.0, 100.0)),
        live(0.1, volume=4.0, **held(5.0, 100.0)),
    )
    found = await stores.curve(Scope(period=WEEK, bot_ids=[1]))
    assert found.unrealized_profit == [10, -10, 30, None, -15, None]
    assert (await stores.curve()).unrealized_profit[0] == 50


async def test_foreign_bot_and_account_count_nothing(stores: Stores) -> None:
    foreign = {"uid": OTHER, "ex_id": 30}
    await add(stores.database, models.Order, order(901, 6, OTHER, ex_order_id="F"))
    await fill(stores.database, *BOOK, live(0, 500.0, ex_order_id="F", **foreign), dry(0, 9.0, bot_id=6, **foreign))
    for scope in (Scope(bot_ids=[6]), Scope(ex_id=30), Scope(uid=OTHER), Scope(TradeKind.DRY, bot_ids=[6])):
        assert (await stores.curve(scope)).length == 0
    assert (await stores.curve()).realized_profit[-1] == -0.6
    assert (await stores.as_(BOSS).curve()).realized_profit[-1] == 499.4
    assert (await stores.as_(BOSS).curve(Scope(period=WEEK, uid=OTHER))).realized_profit[-1] == 500
    with pytest.raises(Unauthenticated):
        await stores.as_(Anonymous()).curve()


async def test_credential_needs_the_scope_of_candles_for_prices_only(stores: Stores) -> None:
    narrow = replace(
        ME,
        scopes=ME.scopes - {"read", "candles:read"}
        | {"trades:read", "catalogue:read", "exchanges:read", "tickers:read"},
    )
    await fill(stores.database, *BOOK)
    with pytest.raises(Forbidden, match="candles:read"):
        await stores.as_(narrow).curve()
    await fill(stores.database, live(0, 1.0, **held(0.0)), live(0, 1.0, symbol="ETH/USD", **held(0.0)))
    assert (await stores.as_(narrow).curve()).unrealized_profit == [0] * 6


async def test_figures_that_are_not_finite_or_dated_are_left_out(stores: Stores) -> None:
    await fill(stores.database, *BOOK, live(1, float("nan"), **held(1.0, 100.0)), live(3, 8.0), live(-9, float("inf")))
    async with stores.database.transaction() as connection:
        await connection.exec_driver_sql("UPDATE trades SET time = '-infinity' WHERE roi = 8")
    found = await stores.curve()
    assert (found.left_out, found.realized_profit[-1]) == (2, -0.6)
    everything = await stores.curve(Scope(period=Period(end=SEVENTH)))
    assert (everything.left_out, everything.realized_profit[-1]) == (5, -0.6)


async def test_invalid_request_is_bad_user_input(stores: Stores) -> None:
    await fill(stores.database, *BOOK)
    with pytest.raises(BadUserInput, match="capital"):
        await stores.curve(capital=0)
    with pytest.raises(BadUserInput, match=f"more than {MAX_POINTS} points"):
        await stores.curve(resolution=Timeframe.M1)
    with pytest.raises(BadUserInput, match="NUL"):
        await stores.curve(Scope(symbol="\0"))


async def test_too_many_prices_are_bad_user_input(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    await fill(stores.database, *BOOK)
    monkeypatch.setattr(equity, "MAX_PRICES", 5)
    with pytest.raises(BadUserInput, match="1 instruments at 6 times, more than 5"):
        await stores.curve()


async def test_trades_take_one_statement_beside_those_of_prices(stores: Stores, statements: Count) -> None:
    """The last is that of the candles; their tables are known from the first time."""
    counts = []
    for size in (1, 1, 30):
        await fill(stores.database, *(live(day / 10, 1.0, **held(1.0, 1.0)) for day in range(size)))
        with statements() as asked:
            await stores.curve()
        counts.append(len(asked))
    assert counts[1:] == [3, 3]


CENTS = st.integers(-(10**8), 10**8).map(lambda cents: cents / 100)
TRADES = st.lists(st.tuples(st.integers(0, 20 * 24), st.none() | CENTS, st.integers(0, 9).map(float)), max_size=20)


@budget(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    trades=TRADES,
    kind=st.sampled_from(TradeKind),
    resolution=st.sampled_from([Timeframe.H4, Timeframe.D1, Timeframe.W1]),
)
async def test_last_point_equals_the_performance_of_the_same_trades(
    stores: Stores, trades: Sequence[tuple[int, float | None, float]], kind: TradeKind, resolution: Timeframe
) -> None:
    row = live if kind is TradeKind.LIVE else dry
    await fill(
        stores.database, *(row(hour / 24, roi, fee=fee) for hour, roi, fee in sorted(trades, key=lambda one: one[0]))
    )
    scope = Scope(kind, Period(DAY_ONE, DAY_ONE + timedelta(days=15)), ex_id=20)
    found = await stores.curve(scope, resolution)
    whole = await performance.of_trades(stores.database, stores.redis, ME, scope, "USD")
    assert found.realized_profit[-1] == pytest.approx(whole.net_profit, rel=1e-9, abs=1e-6)
    assert found.closed_trades[-1] == whole.closed_trades
    falls = [fall for fall in found.drawdown if fall is not None]
    assert max(falls) <= (whole.max_drawdown or 0) + 1e-6
