from __future__ import annotations

import asyncio
import re
from pathlib import Path

import orjson
import pytest
from redis.asyncio import Redis
from typer.testing import CliRunner, Result

from fullon_graphql.cache import keys
from fullon_graphql.cli.ohlcv import app
from fullon_graphql.config import Settings
from fullon_graphql.daemons.feeds.market_feed import MarketTrade
from fullon_graphql.database import Database
from fullon_graphql.ohlcv.store import CandleStore
from fullon_graphql.ohlcv.timeframes import Timeframe
from tests.daemons.scripted_exchange import PATH, ScriptedExchange, ScriptedFeed
from tests.ohlcv.filling import read_candles, write

TRADES = "time_ms,trade_id,side,price,volume\n1570752011620,1,sell,2,23\n1570752011620,2,buy,3,5\n"
CANDLES = "time_ms,open,high,low,close,volume\n1570752000000,2,3,1,2,5\n"


@pytest.fixture(autouse=True)
def _environment(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DATABASE_URL", settings.database_url)
    monkeypatch.setenv("OHLCV_DATABASE_URL", settings.ohlcv_database_url)
    monkeypatch.setenv("REDIS_URL", settings.redis_url)
    monkeypatch.setenv("FULLON_HOME", str(tmp_path))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "recording.csv"


async def run(*arguments: str | Path) -> Result:
    """Run in a thread: a command starts its own event loop."""
    words = [str(argument) for argument in arguments]
    return await asyncio.to_thread(lambda: CliRunner().invoke(app, words))


async def test_trades_are_imported_and_counted(ohlcv_database: Database, file: Path) -> None:
    write(file, TRADES)
    first = await run("import-trades", file, "--exchange", "kraken", "--symbol", "BTC/USD:BTC")
    assert first.exit_code == 0, first.output
    assert re.fullmatch(r"2 rows read: 2 new, 0 already there; \d+\.\d s\.\n", first.stdout)
    again = await run("import-trades", file, "--exchange", "kraken", "--symbol", "BTC/USD:BTC")
    assert again.stdout.startswith("2 rows read: 0 new, 2 already there;")
    [bar] = await read_candles(CandleStore(ohlcv_database), "kraken", "BTC/USD:BTC", Timeframe.M1)
    assert (bar.open, bar.close, bar.volume) == (2, 3, 28)


async def test_import_candles_defaults_to_one_minute(ohlcv_database: Database, file: Path) -> None:
    write(file, CANDLES)
    for symbol, *options in (["ONE"], ["FIVE", "--timeframe", "5m"]):
        result = await run("import-candles", file, "--exchange", "kraken", "--symbol", symbol, *options)
        assert result.exit_code == 0, result.output
    store = CandleStore(ohlcv_database)
    assert len(await read_candles(store, "kraken", "ONE", Timeframe.M1)) == 1
    assert len(await read_candles(store, "kraken", "FIVE", Timeframe.M1)) == 0
    assert len(await read_candles(store, "kraken", "FIVE", Timeframe.M5)) == 1


async def test_corrected_candles_are_counted(file: Path) -> None:
    for text in (CANDLES, CANDLES.replace(",5\n", ",6\n")):
        write(file, text)
        result = await run("import-candles", file, "--exchange", "kraken", "--symbol", "GOLD")
    assert result.stdout.startswith("1 rows read: 0 new, 1 already there (1 of them corrected);")


async def test_bad_row_is_one_line_and_exit_code_1(file: Path) -> None:
    write(file, f"{TRADES}1570752011621,3,sell,2,-1\n")
    result = await run("import-trades", file, "--exchange", "kraken", "--symbol", "GOLD")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "recording.csv, line 4: volume must not be negative, it is -1." in result.stderr.splitlines()


async def test_unreachable_store_is_one_line(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OHLCV_DATABASE_URL", f"postgresql:///candles?host={file.parent}")
    write(file, TRADES)
    result = await run("import-trades", file, "--exchange", "kraken", "--symbol", "GOLD")
    assert result.exit_code == 1
    assert "The candle database does not answer" in result.stderr
    assert "OHLCV_DATABASE_URL" in result.stderr


@pytest.mark.usefixtures("platform")
async def test_symbol_with_the_tables_of_a_catalogued_one_is_a_conflict(ohlcv_database: Database, file: Path) -> None:
    """The table has no comment that names its symbol, as older versions and the platform create it."""
    write(file, CANDLES)
    await run("import-candles", file, "--exchange", "kraken", "--symbol", "BTC/USD")
    async with ohlcv_database.transaction() as connection:
        await connection.exec_driver_sql("COMMENT ON TABLE kraken.btc_usd_candles1m IS NULL")
    for command in ("import-candles", "import-trades"):
        refused = await run(command, file, "--exchange", "Kraken", "--symbol", "btc-USD")
        assert refused.exit_code == 1
        assert "Kraken has the symbol 'BTC/USD'" in refused.stderr
    again = await run("import-candles", file, "--exchange", "kraken", "--symbol", "BTC/USD")
    assert again.exit_code == 0, again.output


async def test_import_succeeds_without_the_catalogue(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgresql:///platform?host={file.parent}")
    write(file, CANDLES)
    result = await run("import-candles", file, "--exchange", "kraken", "--symbol", "GOLD")
    assert result.exit_code == 0, result.output
    assert "its spelling is not checked" in result.stderr


async def test_missing_file_is_a_usage_error(file: Path) -> None:
    result = await run("import-trades", file, "--exchange", "kraken", "--symbol", "GOLD")
    assert result.exit_code == 2


async def test_import_notifies_subscribers(file: Path, redis: Redis) -> None:
    write(file, CANDLES)
    channel = keys.candle_writes("kraken", "BTC/USD")
    async with redis.pubsub() as pubsub:
        await pubsub.subscribe(channel)
        assert await pubsub.get_message(timeout=10), "subscribed"
        assert (await run("import-candles", file, "--exchange", "kraken", "--symbol", "BTC/USD")).exit_code == 0
        message = await pubsub.get_message(timeout=10)
    assert message is not None
    assert (message["channel"], message["data"]) == (channel, "0")


async def test_import_succeeds_without_redis(file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("REDIS_URL", f"unix://{tmp_path}/nobody.sock")
    write(file, CANDLES)
    imported = await run("import-candles", file, "--exchange", "kraken", "--symbol", "BTC/USD")
    assert imported.exit_code == 0, imported.output
    assert imported.stdout.startswith("1 rows read: 1 new")


async def test_coverage_lists_gaps_and_exits_with_1(file: Path) -> None:
    write(file, CANDLES + "1570752240000,2,3,1,2,5\n")
    await run("import-candles", file, "--exchange", "kraken", "--symbol", "BTC/USD")
    period = ("--from", "2019-10-11", "--to", "2019-10-11T00:05")
    result = await run("coverage", "kraken", "BTC/USD", *period)
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "2019-10-11 00:00 to 2019-10-11 00:05 UTC: 2 of 5 minutes stored (40.00%), 0 without trades, 1 gaps.",
        "  2019-10-11 00:01 to 2019-10-11 00:04: 3 missing",
        "Last trade at 2019-10-11 00:04:00 UTC.",
    ]
    report = orjson.loads((await run("coverage", "kraken", "BTC/USD", *period, "--json")).stdout)
    assert report["gaps"] == [{"from": "2019-10-11T00:01:00Z", "to": "2019-10-11T00:04:00Z", "minutes": 3}]
    assert (report["from"], report["expected_minutes"]) == ("2019-10-11T00:00:00Z", 5)
    complete = await run("coverage", "kraken", "BTC/USD", "--to", "2019-10-11T00:01")
    assert complete.exit_code == 0


async def test_coverage_of_an_unknown_symbol_is_one_line() -> None:
    result = await run("coverage", "kraken", "NONE")
    assert (result.exit_code, result.stderr) == (1, "No candles of 'NONE' on 'kraken'.\n")


async def test_backfill_stores_the_exchanges_candles_once(
    ohlcv_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARKET_FEED", PATH)
    start = 1_718_000_040.0
    deals = [MarketTrade("kraken", "BTC/USD", float(n), 1.0, "buy", start + 30 * n, str(n)) for n in range(20)]
    ScriptedFeed.exchange = exchange = ScriptedExchange(start, deals)
    exchange.advance(600)
    period = ("kraken", "BTC/USD", "--from", "2024-06-10T06:14", "--to", "2024-06-10T06:20")
    first = await run("backfill", *period)
    assert first.exit_code == 0, first.output
    assert first.stdout.startswith("6 minutes requested: 6 candles new or corrected;")
    stored = await read_candles(CandleStore(ohlcv_database), "kraken", "BTC/USD", Timeframe.M1)
    assert stored == exchange.candles("BTC/USD", start, start + 360)
    assert (await run("backfill", *period)).stdout.startswith("0 minutes requested: 0 candles")
    assert (await run("backfill", *period, "--again")).stdout.startswith("6 minutes requested: 0 candles")
    exchange.failing = lambda _symbol, _since: True
    failed = await run("backfill", *period[:-1], "2024-06-10T06:24")
    assert failed.exit_code == 1
    assert "history is not available" in failed.stderr
