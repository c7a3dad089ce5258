from __future__ import annotations

import codecs
import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from fullon_graphql.database import Database
from fullon_graphql.errors import BadUserInput, Conflict, NotFound
from fullon_graphql.ohlcv.importing import ImportResult, TimeUnit, import_candles, import_trades
from fullon_graphql.ohlcv.store import CandleStore
from fullon_graphql.ohlcv.timeframes import Timeframe
from tests.ohlcv.filling import NOON, Trade, flat, minutes, put_candles, put_trades, read_candles, run, write

TRADES = "time_ms,trade_id,side,price,volume\n"
CANDLES = "time_ms,open,high,low,close,volume\n"
T0 = int(NOON.timestamp() * 1000)
GOOD_TRADE = f"{T0},1,buy,2,1\n"
GOOD_CANDLE = f"{T0},2,3,1,2,5\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "recording.csv"


# ---------------------------------------------------------------- the recordings


async def test_recorded_trades_give_the_recorded_candles(
    ohlcv_database: Database, store: CandleStore, recordings: Path
) -> None:
    trades, candles = recordings / "xrp-eth-trades.csv.gz", recordings / "xrp-eth-candles-1m.csv.gz"
    assert await import_trades(ohlcv_database, trades, "binance", "XRP/ETH") == ImportResult(10_063, 10_063, 0)
    assert await import_candles(ohlcv_database, candles, "kraken", "XRP/ETH") == ImportResult(1_995, 1_995, 0)
    made = await read_candles(store, "binance", "XRP/ETH", Timeframe.M1)
    assert len(made) == 1_995
    assert made == await read_candles(store, "kraken", "XRP/ETH", Timeframe.M1)


async def test_importing_twice_changes_nothing(ohlcv_database: Database, store: CandleStore, recordings: Path) -> None:
    trades, candles = recordings / "xrp-eth-trades.csv.gz", recordings / "xrp-eth-candles-1m.csv.gz"
    await import_trades(ohlcv_database, trades, "binance", "XRP/ETH")
    await import_candles(ohlcv_database, candles, "kraken", "XRP/ETH")
    before = await read_candles(store, "binance", "XRP/ETH", Timeframe.M1)
    assert await import_trades(ohlcv_database, trades, "binance", "XRP/ETH") == ImportResult(10_063, 0, 0)
    assert await import_candles(ohlcv_database, candles, "kraken", "XRP/ETH") == ImportResult(1_995, 0, 0)
    assert await read_candles(store, "binance", "XRP/ETH", Timeframe.M1) == before
    assert await ohlcv_database.row(text("SELECT count(*) FROM binance.xrp_eth_trades")) == (10_063,)


async def test_recorded_five_minute_candles_serve_longer_timeframes(
    ohlcv_database: Database, store: CandleStore, recordings: Path
) -> None:
    candles = recordings / "eth-btc-candles-5m.csv.gz"
    imported = await import_candles(ohlcv_database, candles, "binance", "ETH/BTC", timeframe=Timeframe.M5)
    assert imported == ImportResult(5_760, 5_760, 0)
    fives = await read_candles(store, "binance", "ETH/BTC", Timeframe.M5)
    days = await read_candles(store, "binance", "ETH/BTC", Timeframe.D1)
    assert len(fives) == 5_760
    assert len(days) == 21
    assert sum(day.volume for day in days) == pytest.approx(sum(five.volume for five in fives), rel=1e-12)
    assert max(day.high for day in days) == max(five.high for five in fives)


# ---------------------------------------------------------------- stored values


async def test_two_trades_of_one_millisecond_are_both_stored(
    ohlcv_database: Database, store: CandleStore, file: Path
) -> None:
    write(file, f"{TRADES}{T0},10,Sell,3,1\n{T0},9,buy,2,1\n{T0},10,sell,3,1\n")
    assert await import_trades(ohlcv_database, file, "kraken", "GOLD") == ImportResult(3, 2, 0)
    [bar] = await read_candles(store, "kraken", "GOLD", Timeframe.M1)
    assert (bar.open, bar.close, bar.volume) == (2, 3, 2)
    sides = await ohlcv_database.rows(text("SELECT DISTINCT side, type FROM kraken.gold_trades ORDER BY side"))
    assert [tuple(row) for row in sides] == [("buy", "market"), ("sell", "market")]


async def test_import_replaces_a_changed_candle(ohlcv_database: Database, store: CandleStore, file: Path) -> None:
    await put_candles(ohlcv_database, "GOLD", minutes(0, 1))
    write(file, f"{CANDLES}{T0},7,8,6,7.5,2\n{T0 + 60_000},1,1,1,1,1\n{T0 + 120_000},2,2,2,2,1\n")
    assert await import_candles(ohlcv_database, file, "kraken", "GOLD") == ImportResult(3, 1, 1)
    bars = await read_candles(store, "kraken", "GOLD", Timeframe.M1)
    assert [bar.close for bar in bars] == [7.5, 1, 2]


async def test_import_into_an_older_trades_table_succeeds(ohlcv_database: Database, file: Path) -> None:
    await run(ohlcv_database, "CREATE SCHEMA kraken")
    await run(
        ohlcv_database,
        'CREATE TABLE kraken.gold_trades ("timestamp" timestamp PRIMARY KEY, price float8 NOT NULL, '
        "volume float8 NOT NULL, side text NOT NULL, type text NOT NULL, ord text)",
    )
    write(file, f"{TRADES}{T0},1,buy,2,1\n{T0},2,buy,3,1\n{T0 + 1},3,buy,4,1\n")
    assert await import_trades(ohlcv_database, file, "kraken", "GOLD") == ImportResult(3, 2, 0)
    rows = await ohlcv_database.rows(text('SELECT "timestamp", ord FROM kraken.gold_trades ORDER BY 1'))
    naive = NOON.replace(tzinfo=None)
    assert [tuple(row) for row in rows] == [(naive, "1"), (naive + timedelta(milliseconds=1), "3")]


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.dictionaries(
        st.tuples(st.integers(631_152_000_000, 4_102_444_800_000), st.integers(0, 10**18)),
        st.tuples(st.floats(1e-12, 1e12), st.floats(0, 1e15)),
        min_size=1,
        max_size=20,
    )
)
async def test_import_keeps_every_millisecond_and_digit(
    ohlcv_database: Database, tmp_path: Path, rows: dict[tuple[int, int], tuple[float, float]]
) -> None:
    file = tmp_path / "any.csv"
    write(file, TRADES + "".join(f"{time},{name},buy,{p!r},{v!r}\n" for (time, name), (p, v) in rows.items()))
    await run(ohlcv_database, "DROP SCHEMA IF EXISTS kraken CASCADE")
    await import_trades(ohlcv_database, file, "kraken", "GOLD")
    stored = await ohlcv_database.rows(text('SELECT "timestamp", ord, price, volume FROM kraken.gold_trades'))
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    assert {
        ((row.timestamp - epoch) / timedelta(milliseconds=1), int(row.ord)): (row.price, row.volume) for row in stored
    } == rows


# ---------------------------------------------------------------- forms of the file


async def test_columns_may_have_any_order(ohlcv_database: Database, store: CandleStore, file: Path) -> None:
    write(file, f"volume,price,time_ms,side,trade_id\n5,2,{T0},buy,1\n")
    await import_trades(ohlcv_database, file, "kraken", "GOLD")
    assert await read_candles(store, "kraken", "GOLD", Timeframe.M1) == [flat(NOON, 2, 5)]


PLAIN = f'"time_ms","open","high","low","close","volume"\n{T0},0,0,0,0,1\n"{T0 + 60_000}",1,1,1,1,1'.encode()


@pytest.mark.parametrize(
    "content",
    [
        PLAIN,
        PLAIN + b"\n",
        PLAIN.replace(b"\n", b"\r\n"),
        codecs.BOM_UTF8 + PLAIN,
        gzip.compress(PLAIN),
        gzip.compress(codecs.BOM_UTF8 + PLAIN),
    ],
    ids=["plain", "last line ended", "from Windows", "with a mark", "compressed", "compressed with a mark"],
)
async def test_common_csv_dialects_are_read(
    ohlcv_database: Database, store: CandleStore, file: Path, content: bytes
) -> None:
    write(file, content)
    await import_candles(ohlcv_database, file, "kraken", "GOLD")
    assert await read_candles(store, "kraken", "GOLD", Timeframe.M1) == minutes(0, 1)


async def test_file_without_rows_is_accepted(ohlcv_database: Database, file: Path) -> None:
    write(file, TRADES)
    assert await import_trades(ohlcv_database, file, "kraken", "GOLD") == ImportResult(0, 0, 0)


async def test_progress_ends_with_the_whole_file(ohlcv_database: Database, file: Path) -> None:
    content = gzip.compress(f"{TRADES}{GOOD_TRADE}".encode())
    write(file, content)
    seen: list[tuple[int, int]] = []
    await import_trades(
        ohlcv_database, file, "kraken", "GOLD", on_progress=lambda done, total: seen.append((done, total))
    )
    assert seen[-1] == (len(content), len(content))


# ---------------------------------------------------------------- rejected files


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        (f"{T0},2,buy,2", 'line 3: missing data for column "volume"'),
        (f"{T0},2,buy,2,1,0", "line 3: extra data after last expected column"),
        ("", "line 3: missing data"),
        (f"{T0},2,buy,two,1", 'line 3, column price: invalid input .*"two"'),
        (f"{T0}.5,2,buy,2,1", "line 3, column time_ms: invalid input"),
        (f"{T0},2,buy,1e999,1", "line 3, column price: .*out of range"),
        (f"{T0},2,buy,NaN,1", "line 3: price must be a finite number, not NaN"),
        (f"{T0},2,buy,-inf,1", "line 3: price must be a finite number, not -Infinity"),
        (f"{T0},2,buy,2,inf", "line 3: volume must be a finite number, not Infinity"),
        (f"{T0},2,buy,2,-1", "line 3: volume must not be negative, it is -1"),
        (f"{T0},2,buy,,1", "line 3: price is missing"),
        (f"{T0},,buy,2,1", "line 3: trade_id is missing"),
        (f'{T0},"",buy,2,1', "line 3: trade_id must have no blanks"),
        (f'{T0},"a\nb",buy,2,1', "line 3: trade_id must have no blanks"),
        (f"{T0},2,hold,2,1", "line 3: side must be buy or sell, not hold"),
        (
            f"{T0}000,2,buy,2,1",
            f"line 3: time_ms must be unix milliseconds between the years 1990 and 3000, not {T0}000",
        ),
        ("-1,2,buy,2,1", "line 3: time_ms must be unix milliseconds between the years 1990 and 3000, not -1"),
        (f"{T0},\udcff,buy,2,1", "line 3: invalid byte sequence"),
    ],
)
async def test_bad_trade_is_reported_by_line_and_nothing_is_stored(
    ohlcv_database: Database, store: CandleStore, file: Path, row: str, complaint: str
) -> None:
    write(file, f"{TRADES}{GOOD_TRADE}{row}\n{GOOD_TRADE}")
    with pytest.raises(BadUserInput, match=f"^recording.csv, {complaint}"):
        await import_trades(ohlcv_database, file, "kraken", "GOLD")
    with pytest.raises(NotFound):
        await read_candles(store, "kraken", "GOLD", Timeframe.M1)


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        (f"{T0 + 60_000},2,1.5,1,2,5", "line 3: high 1.5 is below another price"),
        (f"{T0 + 60_000},2,3,2.5,2,5", "line 3: low 2.5 is above another price"),
        (f"{T0 + 60_001},2,3,1,2,5", f"line 3: time_ms {T0 + 60_001} is not the start of a 1m candle"),
        (f"{T0},2,3,1,2,5", f"line 3: time_ms {T0} is not after the candle before it"),
        (f"{T0 - 60_000},2,3,1,2,5", "line 3: time_ms .* is not after the candle before it"),
        (f"{T0 + 60_000},2,nan,1,2,5", "line 3: high must be a finite number"),
        (f"{T0 + 60_000},2,3,1,2,-5", "line 3: volume must not be negative"),
        (f"{T0 + 60_000},2,3,1,,5", "line 3: close is missing"),
    ],
)
async def test_bad_candle_is_reported_by_line_and_nothing_is_stored(
    ohlcv_database: Database, store: CandleStore, file: Path, row: str, complaint: str
) -> None:
    await put_candles(ohlcv_database, "GOLD", minutes(0))
    write(file, f"{CANDLES}{GOOD_CANDLE}{row}\n")
    with pytest.raises(BadUserInput, match=f"^recording.csv, {complaint}"):
        await import_candles(ohlcv_database, file, "kraken", "GOLD")
    assert await read_candles(store, "kraken", "GOLD", Timeframe.M1) == minutes(0)


async def test_line_number_of_a_bad_row_is_right_in_a_long_file(ohlcv_database: Database, file: Path) -> None:
    good = [f"{T0 + n},{n},buy,2,1\n" for n in range(30_000)]
    write(file, "".join([TRADES, *good, f"{T0},x,buy,2,-1\n", *good]))
    with pytest.raises(BadUserInput, match="line 30002: volume"):
        await import_trades(ohlcv_database, file, "kraken", "GOLD")
    write(file, "".join([TRADES, *good, f"{T0},x,buy,2,?\n", *good]))
    with pytest.raises(BadUserInput, match="line 30002, column volume"):
        await import_trades(ohlcv_database, file, "kraken", "GOLD")


@pytest.mark.parametrize(
    "header", ["", "time_ms,open\n", CANDLES, "time_ms,trade_id,side,price,volume,price\n", "\r\0"]
)
async def test_other_header_is_rejected(ohlcv_database: Database, file: Path, header: str) -> None:
    write(file, header + GOOD_TRADE)
    with pytest.raises(BadUserInput, match="line 1: the header must name time_ms, trade_id, side, price, volume; got"):
        await import_trades(ohlcv_database, file, "kraken", "GOLD")


async def test_truncated_file_is_rejected(ohlcv_database: Database, store: CandleStore, file: Path) -> None:
    rows = "".join(f"{T0 + n},{n},buy,2,{n}\n" for n in range(20_000))
    write(file, gzip.compress((TRADES + rows).encode())[:-500])
    with pytest.raises(BadUserInput, match=r"recording\.csv is damaged and cannot be decompressed"):
        await import_trades(ohlcv_database, file, "kraken", "GOLD")
    with pytest.raises(NotFound):
        await read_candles(store, "kraken", "GOLD", Timeframe.M1)


async def test_import_rejects_months(ohlcv_database: Database, file: Path) -> None:
    write(file, CANDLES)
    with pytest.raises(BadUserInput, match="Months cannot be imported"):
        await import_candles(ohlcv_database, file, "kraken", "GOLD", timeframe=Timeframe.MN1)


async def test_import_resets_the_connection(ohlcv_database: Database, file: Path) -> None:
    for _ in range(3):
        write(file, f"{TRADES}{GOOD_TRADE}")
        await import_trades(ohlcv_database, file, "kraken", "GOLD")
        write(file, f"{TRADES}broken")
        with pytest.raises(BadUserInput):
            await import_trades(ohlcv_database, file, "kraken", "GOLD")
    assert await ohlcv_database.row(text("SELECT to_regclass('recording')")) == (None,)


async def test_import_keeps_existing_rows(ohlcv_database: Database, store: CandleStore, file: Path) -> None:
    await put_trades(ohlcv_database, "GOLD", [Trade(NOON, 1, 1, "0")])
    write(file, f"{TRADES}{GOOD_TRADE}")
    assert await import_trades(ohlcv_database, file, "kraken", "GOLD") == ImportResult(1, 1, 0)
    [bar] = await read_candles(store, "kraken", "GOLD", Timeframe.M1)
    assert (bar.open, bar.close, bar.volume) == (1, 2, 2)


@pytest.mark.parametrize(("unit", "factor"), [("s", 1), ("ms", 1_000), ("us", 1_000_000)])
async def test_times_of_every_unit_are_read(
    ohlcv_database: Database, store: CandleStore, file: Path, unit: str, factor: int
) -> None:
    write(file, f"time_ms,trade_id,side,price,volume\n{int(NOON.timestamp()) * factor},1,buy,2,3\n")
    for time_unit in (TimeUnit(unit), TimeUnit.AUTO):
        await import_trades(ohlcv_database, file, "kraken", "GOLD", time_unit=time_unit)
        assert await read_candles(store, "kraken", "GOLD", Timeframe.M1) == [flat(NOON, 2, 3)]


async def test_times_in_seconds_are_rejected_with_a_hint(ohlcv_database: Database, file: Path) -> None:
    write(file, f"time_ms,trade_id,side,price,volume\n{int(NOON.timestamp())},1,buy,2,3\n")
    with pytest.raises(BadUserInput, match=r"line 2: time_ms must be unix milliseconds .* use --time-unit"):
        await import_trades(ohlcv_database, file, "kraken", "GOLD")


# ---------------------------------------------------------------- symbols with the same table names


async def test_symbol_with_the_tables_of_another_is_a_conflict(
    ohlcv_database: Database, store: CandleStore, file: Path
) -> None:
    write(file, CANDLES + f"{T0 - 12 * 3_600_000},2,3,1,2,5\n")
    await import_candles(ohlcv_database, file, "kraken", "kPEPE/U'SD", timeframe=Timeframe.D1)
    await import_candles(ohlcv_database, file, "kraken", "kPEPE/U'SD")
    for symbol in ("KPEPE/U'SD", "kPEPE-U'SD"):
        with pytest.raises(Conflict, match=r"prices of .kPEPE/U'SD"):
            await import_candles(ohlcv_database, file, "kraken", symbol)
        write(file, TRADES + GOOD_TRADE)
        with pytest.raises(Conflict, match=r"prices of .kPEPE/U'SD"):
            await import_trades(ohlcv_database, file, "kraken", symbol)
        write(file, CANDLES + GOOD_CANDLE)
    await import_candles(ohlcv_database, file, "bitmex", "KPEPE/U'SD")
