"""`python -m benchmarks results`: statistics and results over time of a year with many trades.

The operations run in this process, one after the other, with PostgreSQL and Redis beside it. A turn is one callback of
the event loop; its processor time is that for which other requests wait, whatever else the machine does.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Final
from unittest.mock import patch

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
LARGEST: Final = {
    "`equityCurve`, largest": "{ equityCurve(LONG, resolution: H4, kind: DRY) { CURVE } }",
    "`dailyResults`, largest": "{ dailyResults(RANGE, groupBy: SYMBOL, kind: DRY) { GROUPS } }",
}
"""Answers near the limits: 20 instruments at 4 992 times, and 136 groups with 365 days; each of a user of its own."""
HELD: Final = 20
GROUPS: Final = 136
PARTS: Final = {
    "RANGE": 'from: "2025-01-01T00:00:00Z", to: "2026-01-01T00:00:00Z"',
    "LONG": 'from: "2023-09-22T00:00:00Z", to: "2026-01-01T00:00:00Z"',
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
        rows = [await _measured(parts, operations, 2, *each, rounds) for each in OPERATIONS.items()]
        for uid, each in enumerate(LARGEST.items(), 3):
            rows.append(await _measured(parts, operations, uid, *each, rounds))
    print(f"{len(CORES)} cores; {trades} trades, medians of {rounds}; {quiet()}.\n")
    print(table(["", "ms", "PostgreSQL CPU ms", "server CPU ms", "longest turn, CPU ms", "kB"], rows))


async def _measured(
    parts: Worker, operations: OperationExecutor, uid: int, name: str, document: str, rounds: int
) -> list[str]:
    for part, meant in PARTS.items():
        document = document.replace(part, meant)
    principal = Principal(uid, "bench@fullon", False, "session:bench", None, ALL_SCOPES)
    times, stores, own, turns, size = [], [], [], [], 0
    for round_ in range(rounds + 1):
        before = _seconds()
        began = time.perf_counter()
        with _turns() as measured:
            body = (await operations.run(Request(document), Context(parts, caller=principal))).body
            await asyncio.sleep(0)  # the turn that has the answer ends
        elapsed, after = time.perf_counter() - began, _seconds()
        if b'"errors"' in body:
            raise SystemExit(body.decode())
        if round_:  # the first one prepares the statements
            times.append(elapsed)
            stores.append(after[0] - before[0])
            own.append(after[1] - before[1])
            turns.append(max(measured))
            size = len(body)
    figures = [median(column) * 1000 for column in (times, stores, own, turns)]
    return [name, *map(number, figures), number(size / 1000)]


@contextmanager
def _turns() -> Iterator[list[float]]:
    """The processor time of each callback of the event loop in the block, in seconds."""
    found: list[float] = []
    run = asyncio.Handle._run

    def measured(handle: asyncio.Handle) -> None:
        began = time.thread_time()
        run(handle)
        found.append(time.thread_time() - began)

    with patch.object(asyncio.Handle, "_run", measured):
        yield found


def _seconds() -> tuple[float, float]:
    """Processor time of the stores and of this process."""
    children = psutil.Process().children(recursive=True)
    return sum(sum(child.cpu_times()[:2]) for child in children), time.process_time()


async def _fill(database: Database, ohlcv_database: Database, trades: int) -> None:
    """A year of trades of one user on four accounts, with an order each; candles; and the data of `LARGEST`."""
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
        "INSERT INTO exchanges (ex_id, uid, cat_ex_id, name) VALUES (30, 3, 1, 'largest'), (31, 4, 1, 'largest')",
        "INSERT INTO dry_trades (trade_id, bot_id, uid, ex_id, symbol, side, volume, price, cost, fee, closingtrade,"
        " timestamp) SELECT 1000000 + n, 98, 3, 30, 'L' || n || '/USD', 'buy', 1, 1, 1, 0, false,"
        f" timestamp '2023-09-22 01:00' FROM generate_series(1, {HELD}) n",
        "INSERT INTO dry_trades (trade_id, bot_id, uid, ex_id, symbol, side, volume, price, cost, fee, roi,"
        f" closingtrade, timestamp) SELECT 2000000 + n, 99, 4, 31, 'G' || n % {GROUPS} || '/USD', {side}, 1, 1, 1,"
        f" {fee}, {roi}, true, timestamp '2025-01-01' + n / {GROUPS} * interval '1 day'"
        f" FROM generate_series(0, {GROUPS * 365 - 1}) n",
    ]
    async with database.transaction() as connection:
        for statement in statements:
            await connection.execute(text(statement))
    async with ohlcv_database.transaction() as connection:
        instruments = dict.fromkeys(COINS, "2025-01-01") | {f"L{n}": "2023-09-22" for n in range(1, HELD + 1)}
        for name, start in instruments.items():
            candles = await create_candles(connection, "kraken", f"{name}/USD", Timeframe.H4)
            await connection.execute(
                text(
                    f"INSERT INTO {candles} SELECT time, 500, 900, 100, 500, 1 FROM"
                    f" generate_series(timestamp '{start}', timestamp '2025-12-31 20:00', interval '4 hours') time"
                )
            )
    for each in (database, ohlcv_database):
        async with each.transaction() as connection:
            await connection.execute(text("ANALYZE"))
