"""`python -m benchmarks results`: statistics and results over time of a year with many trades.

The operations run in this process, one after the other, with PostgreSQL and Redis beside it.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Final

import psutil
from sqlalchemy import text

from benchmarks.machine import CORES, quiet
from benchmarks.report import number, table
from fullon_graphql.app import worker
from fullon_graphql.auth.principal import ALL_SCOPES, Principal
from fullon_graphql.config import Settings
from fullon_graphql.context import Context, Worker
from fullon_graphql.database import Database
from fullon_graphql.embedded.engines.running import running_engines
from fullon_graphql.engine.operations import OperationExecutor, Request
from fullon_graphql.graph import make_graph
from fullon_graphql.models.migrate import upgrade
from fullon_graphql.ohlcv.timeframes import Timeframe
from fullon_graphql.ohlcv.writer import create_candles

BOTS: Final = 20
COINS: Final = ("BTC", "ETH", "SOL", "XRP", "ADA")
OPERATIONS: Final = {
    "`equityCurve`, days": "{ equityCurve(RANGE) { CURVE } }",
    "`equityCurve`, four hours": "{ equityCurve(RANGE, resolution: H4) { CURVE } }",
    "`equityCurve` of a bot": "{ equityCurve(RANGE, botId: 1) { CURVE } }",
    "`equityCurve`, simulated": "{ equityCurve(RANGE, kind: DRY) { CURVE } }",
    "`dailyResults`": "{ dailyResults(RANGE) { GROUPS } }",
    "by instrument": "{ dailyResults(RANGE, groupBy: SYMBOL) { GROUPS } }",
    "by side": "{ dailyResults(RANGE, groupBy: SIDE) { GROUPS } }",
    "by bot": "{ dailyResults(RANGE, groupBy: BOT) { GROUPS } }",
    "by reason": "{ dailyResults(RANGE, groupBy: REASON) { GROUPS } }",
    "by bot, simulated": "{ dailyResults(RANGE, groupBy: BOT, kind: DRY) { GROUPS } }",
    "`tradeStatistics`": "{ tradeStatistics(RANGE) { netProfit totalFees } }",
    "`performanceMetrics`": "{ performanceMetrics(RANGE) { netProfit sharpeRatio } }",
}
PARTS: Final = {
    "RANGE": 'from: "2025-01-01T00:00:00Z", to: "2026-01-01T00:00:00Z"',
    "CURVE": "time realizedProfit unrealizedProfit equity fees drawdown equityDrawdown benchmarkReturn",
    "GROUPS": "groups { key time totalTrades closedTrades netProfit totalFees }",
}


def results(*, trades: int, rounds: int) -> None:
    """Measure and print the table."""
    with (
        tempfile.TemporaryDirectory(prefix="fullon-bench-") as folder,
        running_engines(Path(folder) / "home", durable=False) as engines,
    ):
        settings = Settings(
            database_url=engines.database_url,
            ohlcv_database_url=engines.ohlcv_database_url,
            redis_url=engines.redis_url,
        )
        upgrade(settings.database_url)
        asyncio.run(_report(settings, trades, rounds))


async def _report(settings: Settings, trades: int, rounds: int) -> None:
    async with worker(settings) as parts:
        await _fill(parts.database, parts.ohlcv_database, trades)
        operations = OperationExecutor(make_graph().core)
        rows = [await _measured(parts, operations, name, document, rounds) for name, document in OPERATIONS.items()]
    print(f"{len(CORES)} cores; {trades} trades, medians of {rounds}; {quiet()}.\n")
    print(table(["", "ms", "PostgreSQL CPU ms", "server CPU ms", "kB"], rows))


async def _measured(parts: Worker, operations: OperationExecutor, name: str, document: str, rounds: int) -> list[str]:
    for part, meant in PARTS.items():
        document = document.replace(part, meant)
    principal = Principal(2, "bench@fullon", False, "session:bench", None, ALL_SCOPES)
    times, stores, own, size = [], [], [], 0
    for round_ in range(rounds + 1):
        before = _seconds()
        began = time.perf_counter()
        body = (await operations.run(Request(document), Context(parts, caller=principal))).body
        elapsed, after = time.perf_counter() - began, _seconds()
        if b'"errors"' in body:
            raise SystemExit(body.decode())
        if round_:  # the first one prepares the statements
            times.append(elapsed)
            stores.append(after[0] - before[0])
            own.append(after[1] - before[1])
            size = len(body)
    figures = [median(column) * 1000 for column in (times, stores, own)]
    return [name, *map(number, figures), number(size / 1000)]


def _seconds() -> tuple[float, float]:
    """Processor time of the stores and of this process."""
    children = psutil.Process().children(recursive=True)
    return sum(sum(child.cpu_times()[:2]) for child in children), time.process_time()


async def _fill(database: Database, ohlcv_database: Database, trades: int) -> None:
    """A year of trades of one user on four accounts, with an order each, and a candle per day."""
    step = f"timestamp '2025-01-01' + n * interval '{365 * 86_400 / (trades + 1)} seconds'"
    coin = f"(ARRAY{list(COINS)!r})[1 + n % {len(COINS)}] || '/USD'"
    side = "CASE n % 2 WHEN 0 THEN 'buy' ELSE 'sell' END"
    figure = "CAST(round(CAST(random() * {} AS numeric), 8) AS float8)"
    cost, fee, roi = (figure.format(size) for size in ("1000", "0.5", "10 - 4.5"))
    rows = f"FROM generate_series(1, {trades}) AS n"
    statements = [
        "SET LOCAL session_replication_role = replica",  # neither triggers nor foreign keys
        "INSERT INTO cat_exchanges (cat_ex_id, name) VALUES (1, 'kraken')",
        "INSERT INTO exchanges (ex_id, uid, cat_ex_id, name)"
        " SELECT 20 + n, 2, 1, 'a' || n FROM generate_series(0, 3) n",
        f"INSERT INTO bots (bot_id, uid, name) SELECT n, 2, 'b' || n FROM generate_series(0, {BOTS}) n",
        "INSERT INTO orders (order_id, bot_id, uid, ex_id, cat_ex_id, ex_order_id, exchange, symbol, order_type, side,"
        f" volume, status, reason) SELECT n, n % {BOTS}, 2, 20 + n % 4, 1, 'k-' || n, 'kraken', {coin}, 'limit',"
        f" {side}, 1, 'filled', (ARRAY['rsi', 'stop', 'profit'])[1 + n % 3] {rows}",
        "INSERT INTO trades (trade_id, ex_trade_id, ex_order_id, uid, ex_id, symbol, order_type, side, volume, price,"
        " cost, fee, cur_volume, cur_avg_price, roi, roi_pct, time) SELECT n, 'k-' || n || '-1', 'k-' || n, 2,"
        f" 20 + n % 4, {coin}, 'limit', {side}, 0.25, {cost}, {cost}, {fee}, n % 4, {cost},"
        f" CASE n % 2 WHEN 1 THEN {roi} END, 1, {step} {rows}",
        "INSERT INTO dry_trades (trade_id, bot_id, uid, ex_id, symbol, side, volume, price, cost, fee, roi, roi_pct,"
        f" reason, closingtrade, timestamp) SELECT n, n % {BOTS}, 2, 20 + n % 4, {coin}, {side}, 0.25, {cost}, {cost},"
        f" {fee}, CASE n % 2 WHEN 1 THEN {roi} END, 1, 'rsi', n % 2 = 1, {step} {rows}",
    ]
    async with database.transaction() as connection:
        for statement in statements:
            await connection.execute(text(statement))
    async with ohlcv_database.transaction() as connection:
        for each in COINS:
            candles = await create_candles(connection, "kraken", f"{each}/USD", Timeframe.H4)
            await connection.execute(
                text(
                    f"INSERT INTO {candles} SELECT timestamp '2025-01-01' + n * interval '4 hours',"
                    " 500, 900, 100, 500, 1 FROM generate_series(0, 2189) n"
                )
            )
    for each in (database, ohlcv_database):
        async with each.transaction() as connection:
            await connection.execute(text("ANALYZE"))
