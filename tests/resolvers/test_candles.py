"""Candles in the graph: known instruments and valid windows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fullon_graphql.database import Database
from fullon_graphql.engine.operations import OperationExecutor
from fullon_graphql.ohlcv.candles import Candle
from fullon_graphql.ohlcv.importing import import_candles
from fullon_graphql.ohlcv.timeframes import Timeframe
from fullon_graphql.ohlcv.window import MAX_BARS
from fullon_graphql.ohlcv.writer import upsert_candles
from tests.conftest import Count
from tests.fixtures.graph import GraphClient, principal
from tests.fixtures.rows import TRADER

START = datetime(2024, 1, 1, tzinfo=UTC)
MINUTES = [0, 1, 2, 5, 6, 60, 61, 1441]
BAR = "time open high low close volume"

ROOT = f"""query ($symbol: String! = "GOLD", $from: DateTime, $to: DateTime, $last: Int, $fill: Boolean = false,
                  $timeframe: Timeframe! = M1) {{
  candles(exchange: "kraken", symbol: $symbol, timeframe: $timeframe, from: $from, to: $to, last: $last, fill: $fill) {{
    {BAR} }}
  candleColumns(exchange: "kraken", symbol: $symbol, timeframe: $timeframe, from: $from, to: $to, last: $last,
                fill: $fill) {{ length {BAR} }} }}"""


@pytest.fixture
def trader(graph: GraphClient, platform: Database) -> GraphClient:
    return graph.as_(principal(TRADER))


@pytest.fixture
async def gold(ohlcv_database: Database, tmp_path: Path) -> list[str]:
    """One-minute candles of GOLD on kraken: their times."""
    times = [START + timedelta(minutes=minute) for minute in MINUTES]
    rows = [
        f"{int(time.timestamp() * 1000)},{i + 1},{i + 3},{i + 0.5},{i + 2},{i + 10}" for i, time in enumerate(times)
    ]
    file = tmp_path / "gold.csv"
    file.write_text("\n".join(["time_ms,open,high,low,close,volume", *rows]))
    await import_candles(ohlcv_database, file, "kraken", "GOLD", timeframe=Timeframe.M1)
    return [time.isoformat() for time in times]


@pytest.mark.parametrize(
    "asked",
    [{}, {"last": 3}, {"last": 5, "fill": True}, {"from": "2024-01-01T00:02:00Z", "to": "2024-01-01T01:01:00Z"},
     {"timeframe": "M5"}, {"timeframe": "H1", "fill": True}, {"timeframe": "MN1"}, {"timeframe": "W1", "last": 1},
     {"from": "2030-01-01T00:00:00Z"}, {"fill": None}],
)  # fmt: skip
async def test_candles_and_candle_columns_have_the_same_bars(
    trader: GraphClient, gold: list[str], asked: dict[str, Any]
) -> None:
    data = await trader.data(ROOT, **asked)
    rows, columns = data["candles"], data["candleColumns"]
    assert columns.pop("length") == len(rows)
    assert columns.pop("time") == [datetime.fromisoformat(row["time"]).timestamp() * 1000 for row in rows]
    assert columns == {name: [row[name] for row in rows] for name in columns}
    assert bool(rows) is ("from" not in asked or asked["from"] < "2030")


async def test_window_includes_from_and_excludes_to(trader: GraphClient, gold: list[str]) -> None:
    data = await trader.data(ROOT, **{"from": gold[2], "to": gold[5]})
    assert [bar["time"] for bar in data["candles"]] == gold[2:5]
    elsewhere = {"from": "2024-01-01T05:32:00+05:30", "to": "2023-12-31T20:00:00-05:00"}  # the same moments
    assert await trader.data(ROOT, **elsewhere) == data


async def test_last_returns_the_newest_existing_bars(trader: GraphClient, gold: list[str]) -> None:
    data = await trader.data(ROOT, last=3)
    assert [bar["time"] for bar in data["candles"]] == gold[-3:]


async def test_symbol_candles_equal_root_candles(trader: GraphClient, gold: list[str]) -> None:
    query = f"""{{ symbol(exchange: "kraken", symbol: "GOLD") {{
        candles(timeframe: M5) {{ {BAR} }} candleColumns(timeframe: M5) {{ length {BAR} }} }} }}"""
    assert (await trader.data(query))["symbol"] == await trader.data(ROOT, timeframe="M5")


async def test_candles_as_of_a_time_undo_corrections_in_every_form(
    trader: GraphClient, gold: list[str], ohlcv_database: Database
) -> None:
    query = f"""query ($asOf: DateTime) {{
      candles(exchange: "kraken", symbol: "GOLD", timeframe: H1, asOf: $asOf) {{ {BAR} }}
      candleColumns(exchange: "kraken", symbol: "GOLD", timeframe: H1, asOf: $asOf) {{ length {BAR} }}
      symbol(exchange: "kraken", symbol: "GOLD") {{
        candles(timeframe: H1, asOf: $asOf) {{ {BAR} }} candleColumns(timeframe: H1, asOf: $asOf) {{ length {BAR} }} }} }}"""
    before, moment = await trader.data(query), datetime.now(UTC).isoformat()
    async with ohlcv_database.transaction() as connection:
        await upsert_candles(connection, "kraken", "GOLD", [Candle(START, 90, 99, 80, 90, 7)])
    after = await trader.data(query)
    assert [bar["high"] for bar in after["candles"]] == [99, *(bar["high"] for bar in before["candles"][1:])]
    assert before["candles"][0]["high"] != 99
    reference = OperationExecutor(trader.graph.core, planning=False)
    for executor in (trader.operations, reference):
        client = GraphClient(trader.graph, trader.worker, executor, trader.streams, trader.caller)
        assert await client.data(query, asOf=moment) == before
        assert await client.data(query, asOf=datetime.now(UTC).isoformat()) == after
        assert before["symbol"] == {name: before[name] for name in ("candles", "candleColumns")}
        assert (await client.data(query, asOf=gold[0]))["candles"] == []


async def test_candles_of_many_instruments_take_one_statement(
    trader: GraphClient, gold: list[str], statements: Count
) -> None:
    costs = []
    for last in (2, 3):
        query = f"{{ symbols(last: {last}) {{ nodes {{ candles(timeframe: M1, last: 2) {{ close }} }} }} }}"
        await trader.data(query)  # the tables are cached now
        with statements() as sql:
            data = await trader.data(query)
        costs.append(len(sql))
        assert [len(symbol["candles"]) for symbol in data["symbols"]["nodes"]][-1] == 2
    assert costs[0] == costs[1]


async def test_catalogued_instrument_without_candles_is_empty(trader: GraphClient) -> None:
    data = await trader.data(ROOT, symbol="BTC/USD")
    assert data["candles"] == []
    assert data["candleColumns"]["length"] == 0
    nested = await trader.data("{ symbols { nodes { candles(timeframe: D1) { open } } } }")
    assert [symbol["candles"] for symbol in nested["symbols"]["nodes"]] == [[], [], []]


async def test_candles_of_an_unknown_instrument_are_not_found(trader: GraphClient) -> None:
    assert (await trader.ask(ROOT, symbol="NOBODY")).codes == ["NOT_FOUND"]


async def test_candles_of_an_uncatalogued_instrument_are_returned(graph: GraphClient, gold: list[str]) -> None:
    data = await graph.as_(principal(TRADER)).data(ROOT)
    assert len(data["candles"]) == len(MINUTES)


@pytest.mark.parametrize(
    ("asked", "field"),
    [({"last": 0}, "last"), ({"last": -1}, "last"), ({"last": MAX_BARS + 1}, "last"),
     ({"from": "2024-01-02T00:00:00Z", "to": "2024-01-01T00:00:00Z"}, "from"),
     ({"from": "2024-01-01T00:00:00Z", "to": "2024-01-01T00:00:00Z"}, "from"),
     ({"fill": True, "from": "2024-01-01T00:00:00Z", "to": "2024-12-31T00:00:00Z"}, None)],
)  # fmt: skip
async def test_invalid_window_is_bad_user_input(
    trader: GraphClient, gold: list[str], asked: dict[str, Any], field: str | None
) -> None:
    answer = await trader.ask(ROOT, **asked)
    assert set(answer.codes) == {"BAD_USER_INPUT"}
    assert answer.errors[0]["extensions"].get("field") == field
    if field is None:
        assert str(MAX_BARS) in answer.errors[0]["message"].replace(",", "").replace(" ", "")


@pytest.mark.parametrize(
    "time",
    ["2024-01-01T00:00:00", "2024-01-01", "", "yesterday", "2024-13-01T00:00:00Z", "9999-12-31T23:59:59-14:00", 7],
)
async def test_time_without_offset_is_bad_user_input(trader: GraphClient, gold: list[str], time: str | int) -> None:
    assert (await trader.ask(ROOT, **{"from": time})).codes == ["BAD_USER_INPUT"]
    written = f'"{time}"' if isinstance(time, str) else time
    query = f'{{ candles(exchange: "kraken", symbol: "GOLD", timeframe: M1, from: {written}) {{ open }} }}'
    answer = await trader.ask(query)
    assert answer.codes == ["BAD_USER_INPUT"]
    assert "2026-01-31T12:00:00Z" in answer.errors[0]["message"]  # the message names valid values


COVERAGE = """query ($symbol: String! = "GOLD", $from: DateTime, $to: DateTime) {
  candleCoverage(exchange: "kraken", symbol: $symbol, from: $from, to: $to) {
    from to expectedMinutes storedMinutes emptyMinutes gapCount gaps { from to minutes } lastTradeAt } }"""


async def test_coverage_lists_missing_minutes(trader: GraphClient, gold: list[str]) -> None:
    data = await trader.data(COVERAGE, to="2024-01-01T00:08:00Z")
    assert data["candleCoverage"] == {
        "from": gold[0], "to": "2024-01-01T00:08:00+00:00", "expectedMinutes": 8, "storedMinutes": 5,
        "emptyMinutes": 0, "gapCount": 2, "lastTradeAt": gold[4],
        "gaps": [{"from": "2024-01-01T00:03:00+00:00", "to": gold[3], "minutes": 2},
                 {"from": "2024-01-01T00:07:00+00:00", "to": "2024-01-01T00:08:00+00:00", "minutes": 1}],
    }  # fmt: skip


async def test_coverage_of_a_catalogued_instrument_without_candles_is_one_gap(trader: GraphClient) -> None:
    period = {"from": "2024-01-01T00:00:00Z", "to": "2024-01-01T01:00:00Z"}
    report = (await trader.data(COVERAGE, symbol="BTC/USD", **period))["candleCoverage"]
    assert (report["expectedMinutes"], [gap["minutes"] for gap in report["gaps"]]) == (60, [60])
    assert (await trader.ask(COVERAGE, symbol="NOBODY", **period)).codes == ["NOT_FOUND"]
    longer = {"from": "2020-01-01T00:00:00Z", "to": "2024-01-01T01:00:00Z"}
    assert (await trader.ask(COVERAGE, symbol="BTC/USD", **longer)).codes == ["BAD_USER_INPUT"]
