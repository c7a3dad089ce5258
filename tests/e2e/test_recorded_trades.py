"""Every public XRP/ETH trade of two days, from a file through the command line and the graph, against its candles."""

from __future__ import annotations

import asyncio
import csv
import gzip
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.rows import TRADER
from tests.fixtures.server import Server
from tests.fixtures.shared import shared
from tests.fixtures.signing_in import SignIn

BARS = """query ($from: DateTime, $to: DateTime, $timeframe: Timeframe!) {
  candles(exchange: "binance", symbol: "XRP/ETH", timeframe: $timeframe, from: $from, to: $to) {
    time open high low close volume }
  candleColumns(exchange: "binance", symbol: "XRP/ETH", timeframe: $timeframe, from: $from, to: $to) {
    length time open high low close volume } }"""
COLUMNS = ("open", "high", "low", "close", "volume")
WHOLE = {"from": "2019-10-11T00:00:00Z", "to": "2019-10-13T02:00:00+02:00"}


@pytest.fixture(scope="module")
def trades() -> Path:
    return shared("market-data/xrp-eth-trades.csv.gz")


@pytest.fixture(scope="module")
def candles() -> list[dict[str, float]]:
    """The candles that the exchange has published for the trades."""
    with gzip.open(shared("market-data/xrp-eth-candles-1m.csv.gz"), "rt") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


async def import_trades(file: Path, environment: dict[str, str]) -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "fullon_graphql.cli", "ohlcv", "import-trades", str(file),
        "--exchange", "binance", "--symbol", "XRP/ETH",
        env=environment, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, _ = await process.communicate()
    assert process.returncode == 0
    return output.decode()


def milliseconds(time: str) -> float:
    return datetime.fromisoformat(time).timestamp() * 1000


async def test_imported_trades_give_the_candles_of_the_exchange(
    server: Server, sign_in: SignIn, environment: dict[str, str], trades: Path, candles: list[dict[str, float]]
) -> None:
    token = await sign_in(TRADER)
    assert (await import_trades(trades, environment)).startswith("10,063 rows read: 10,063 new, 0 already there;")
    first = (await server.ask(BARS, token, timeframe="M1", **WHOLE))["data"]
    rows, columns = first["candles"], first["candleColumns"]
    assert len(rows) == columns["length"] == len(candles) == 1995
    for row, bar in zip(candles, rows, strict=True):
        assert {"time_ms": milliseconds(bar["time"])} | {name: bar[name] for name in COLUMNS} == row
    assert columns["time"] == [row["time_ms"] for row in candles]
    assert {name: columns[name] for name in COLUMNS} == {name: [row[name] for row in candles] for name in COLUMNS}

    assert (await import_trades(trades, environment)).startswith("10,063 rows read: 0 new, 10,063 already there;")
    assert (await server.ask(BARS, token, timeframe="M1", **WHOLE))["data"] == first


async def test_window_has_the_bars_that_start_in_it_and_longer_bars_combine_them(
    server: Server, sign_in: SignIn, environment: dict[str, str], trades: Path, candles: list[dict[str, float]]
) -> None:
    token = await sign_in(TRADER)
    await import_trades(trades, environment)
    start, end = candles[100]["time_ms"], candles[200]["time_ms"]
    window = {"from": iso(start), "to": iso(end)}
    data = (await server.ask(BARS, token, timeframe="M1", **window))["data"]
    assert [milliseconds(bar["time"]) for bar in data["candles"]] == [row["time_ms"] for row in candles[100:200]]

    days = (await server.ask(BARS, token, timeframe="D1", **WHOLE))["data"]["candles"]
    assert [bar["time"] for bar in days] == ["2019-10-11T00:00:00+00:00", "2019-10-12T00:00:00+00:00"]
    for number, bar in enumerate(days):
        minutes = [
            row for row in candles if row["time_ms"] // 86_400_000 == candles[0]["time_ms"] // 86_400_000 + number
        ]
        assert (bar["open"], bar["close"]) == (minutes[0]["open"], minutes[-1]["close"])
        assert (bar["high"], bar["low"]) == (max(row["high"] for row in minutes), min(row["low"] for row in minutes))
        assert bar["volume"] == pytest.approx(sum(row["volume"] for row in minutes), rel=1e-12)


def iso(time_ms: float) -> Any:
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat()
