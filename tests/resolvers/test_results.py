"""Results over time in the graph; their figures are tested with the services."""

from __future__ import annotations

import asyncio
import gc
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fullon_graphql.database import Database
from fullon_graphql.ohlcv.candles import Candle
from fullon_graphql.ohlcv.timeframes import Timeframe
from fullon_graphql.services.analytics import results
from tests.fixtures.graph import ANONYMOUS, GraphClient, principal
from tests.fixtures.rows import OTHER, TRADER
from tests.ohlcv.filling import put_candles
from tests.services.trade_rows import dry, fill, live

FIRST = datetime(2026, 3, 1, tzinfo=UTC)
CURVE = """query ($botId: Int, $kind: TradeKind! = LIVE, $asOf: DateTime) {
  equityCurve(botId: $botId, kind: $kind, from: "2026-03-01T00:00:00Z", to: "2026-03-03T00:00:00Z", capital: 100,
      asOf: $asOf) {
    kind currency unpriced leftOut resolution capital length time closedTrades realizedProfit unrealizedProfit equity
    fees drawdown drawdownFraction equityDrawdown benchmarkReturn benchmarkProfit
  }
}"""
RESULTS = """query ($botId: Int) {
  dailyResults(kind: DRY, groupBy: SYMBOL, period: MONTH, botId: $botId) {
    kind currency unpriced leftOut period
    groups { key name length time totalTrades closedTrades winningTrades netProfit totalFees }
  }
}"""


@pytest.fixture
async def world(graph: GraphClient, platform: Database, ohlcv_database: Database) -> GraphClient:
    """A coin at 100, of which a half is sold on the next day; bot 6 is of the other trader."""
    bars = [Candle(FIRST + timedelta(days=day), 80.0, 200.0, 1.0, 120.0, 1.0) for day in range(2)]
    await put_candles(ohlcv_database, "BTC/USD", bars, Timeframe.D1)
    await fill(
        platform, live(0, cur_volume=1.0, cur_avg_price=100.0), live(1, -4.0, cur_volume=0.5, cur_avg_price=100.0),
        dry(0, 7.0), dry(0, 9.0, bot_id=6, uid=OTHER, ex_id=30),
    )  # fmt: skip
    return graph


async def test_columns_of_a_curve_and_of_results(world: GraphClient) -> None:
    trader = world.as_(principal(TRADER))
    march = FIRST.timestamp() * 1000
    assert (await trader.data(CURVE))["equityCurve"] == {
        "kind": "LIVE", "currency": "USD", "unpriced": [], "leftOut": 0, "resolution": "D1", "capital": 100.0,
        "length": 2, "time": [march, march + 86_400_000], "closedTrades": [0, 1], "realizedProfit": [0, -4],
        "unrealizedProfit": [20, 10], "equity": [20, 6], "fees": [0.5, 1], "drawdown": [0, 4],
        "drawdownFraction": [0, 0.04], "equityDrawdown": [0, 14], "benchmarkReturn": [0.5, 0.5],
        "benchmarkProfit": [50, 50],
    }  # fmt: skip
    group = {
        "key": "BTC/USD", "name": None, "length": 1, "time": [march], "totalTrades": [1], "closedTrades": [1],
        "winningTrades": [1], "netProfit": [7], "totalFees": [0.5],
    }  # fmt: skip
    assert (await trader.data(RESULTS))["dailyResults"] == {
        "kind": "DRY", "currency": "USD", "unpriced": [], "leftOut": 0, "period": "MONTH", "groups": [group],
    }  # fmt: skip


async def test_as_of_ends_the_curve(world: GraphClient) -> None:
    found = await world.as_(principal(TRADER)).data(CURVE, asOf="2026-03-02T01:00:00+01:00")
    assert found["equityCurve"]["realizedProfit"] == [0]


async def test_foreign_bot_gives_nothing(world: GraphClient) -> None:
    trader = world.as_(principal(TRADER))
    curve = (await trader.data(CURVE, botId=6, kind="DRY"))["equityCurve"]
    assert (curve["realizedProfit"], curve["fees"], curve["benchmarkReturn"]) == ([0, 0], [0, 0], [None, None])
    assert (await trader.data(RESULTS, botId=6))["dailyResults"]["groups"] == []
    assert (await world.as_(principal(OTHER)).data(RESULTS, botId=6))["dailyResults"]["groups"][0]["netProfit"] == [9]
    assert (await world.as_(ANONYMOUS).ask(CURVE)).codes == ["UNAUTHENTICATED"]


async def test_number_beyond_int_is_an_error(world: GraphClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Columns of integers are checked as a whole, and other values by the GraphQL library."""
    by_period = results.by_period

    async def overflowing(*arguments: Any) -> results.Results:
        found = await by_period(*arguments)
        found.groups[0].total_trades[:] = [2**31]
        return found

    monkeypatch.setattr(results, "by_period", overflowing)
    [error] = (await world.as_(principal(TRADER)).ask(RESULTS)).errors
    assert error["path"] == ["dailyResults", "groups"]


async def test_large_answer_does_not_hold_the_event_loop(
    graph: GraphClient, platform: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """40 000 periods in 200 groups. Processor time of each turn, so that other programs do not count.

    Without garbage collection: that of the tests' objects takes longer.
    """
    rows = """INSERT INTO dry_trades (bot_id, uid, ex_id, symbol, side, volume, price, cost, fee, roi, closingtrade,
        timestamp) SELECT 1, 1, 20, 'S' || n % 200 || '/USD', 'sell', 1, 1, 1, 0.1, 0.2, true,
        timestamp '2026-01-01' + n / 200 * interval '1 day' FROM generate_series(0, 39999) n"""
    await fill(platform)
    async with platform.transaction() as connection:
        await connection.exec_driver_sql(rows.replace("SELECT 1, 1,", f"SELECT 1, {TRADER},"))
    turns: list[float] = []
    run = asyncio.Handle._run

    def measured(handle: asyncio.Handle) -> None:
        began = time.thread_time()
        run(handle)
        turns.append(time.thread_time() - began)

    daily = RESULTS.replace("MONTH", "DAY")
    client = graph.as_(principal(TRADER))
    await client.data(daily)  # plans the document and prepares the statement
    gc.disable()
    monkeypatch.setattr(asyncio.Handle, "_run", measured)
    found = (await client.data(daily))["dailyResults"]["groups"]
    await asyncio.sleep(0)  # the turn that has the answer ends
    monkeypatch.undo()
    gc.enable()
    assert (len(found), sum(group["length"] for group in found)) == (200, 40_000)
    assert max(turns) < 0.05
