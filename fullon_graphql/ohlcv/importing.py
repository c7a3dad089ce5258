"""Import of recordings into the candle store: the whole file, or nothing if one row is bad.

PostgreSQL parses the file (COPY into a temporary table), checks its rows and stores them.
"""

# ruff: noqa: S608  # names come quoted from naming.py, the rest is written here

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

import asyncpg
from sqlalchemy import text

from fullon_graphql.database import Database
from fullon_graphql.errors import BadUserInput
from fullon_graphql.ohlcv.corrections import record_replaced
from fullon_graphql.ohlcv.csvfile import CsvFile, OnProgress
from fullon_graphql.ohlcv.naming import candles_table, quoted, schema_name, trades_table
from fullon_graphql.ohlcv.timeframes import ORIGIN, Timeframe
from fullon_graphql.ohlcv.writer import create_candles, create_trades, replace_candle, require_own_tables

_TIMEOUT: Final = 3600.0
"""Seconds one statement of an import may take: a file of several years takes longer than a request may."""
_EARLIEST: Final = 631_152_000_000  # the year 1990: current times in seconds lie before it
_END_OF_TIME: Final = 32_503_680_000_000  # the year 3000: times in microseconds lie beyond it


class TimeUnit(StrEnum):
    """The unit of the times of a recording; AUTO takes the unit in which all of them lie between 1990 and 3000."""

    S = "s"
    MS = "ms"
    US = "us"
    AUTO = "auto"


_IN_MILLISECONDS: Final = {
    TimeUnit.S: "time_ms * 1000",
    TimeUnit.MS: "time_ms",
    TimeUnit.US: "time_ms / 1000",
    TimeUnit.AUTO: f"CASE WHEN time_ms < {_EARLIEST} THEN time_ms * 1000"
    f" WHEN time_ms > {_END_OF_TIME} THEN time_ms / 1000 ELSE time_ms END",
}

_TRADE: Final = {
    "time_ms": "bigint",
    "trade_id": "text",
    "side": "text",
    "price": "double precision",
    "volume": "double precision",
}
_CANDLE: Final = {
    "time_ms": "bigint",
    "open": "double precision",
    "high": "double precision",
    "low": "double precision",
    "close": "double precision",
    "volume": "double precision",
}
_TIME: Final = "to_timestamp(time_ms / CAST(1000 AS double precision))"

_Check = tuple[str, str]
"""Two SQL expressions: the condition of a bad row, and the text that gives the reason."""


@dataclass(frozen=True, slots=True)
class ImportResult:
    """Result of an import: number of rows read, of new rows, and of rows that replaced other values."""

    read: int
    new: int
    corrected: int

    @property
    def already_there(self) -> int:
        """Number of rows that were already stored, with the same or other values."""
        return self.read - self.new


def _silent(_done: int, _all: int) -> None: ...


async def import_trades(
    database: Database,
    path: Path,
    exchange: str,
    symbol: str,
    *,
    time_unit: TimeUnit = TimeUnit.MS,
    on_progress: OnProgress = _silent,
) -> ImportResult:
    """Add the trades of a CSV file (`time_ms, trade_id, side, price, volume`; may be gzipped) to the store.

    A trade that is already stored (same time and trade id) stays unchanged. Missing tables are created.

    Raises:
        BadUserInput: a row is bad; the message names its line in the file. Nothing is stored then.
        Conflict: the tables have the prices of another symbol, whose tables have the same names.
    """
    table = quoted(schema_name(exchange), trades_table(symbol))
    async with _recording(database, path, _TRADE, _TRADE_CHECKS, time_unit, on_progress) as (driver, read):
        async with database.transaction() as connection:  # separate: creation holds a lock until its commit
            await require_own_tables(connection, exchange, symbol)
            await create_trades(connection, exchange, symbol)
        status = await driver.execute(
            f"""
            INSERT INTO {table} ("timestamp", price, volume, side, type, ord)
            SELECT {_TIME}, price, volume, lower(side), 'market', trade_id FROM recording ORDER BY line
            ON CONFLICT DO NOTHING
            """,  # no conflict target: an older table may be unique in its time alone
            timeout=_TIMEOUT,
        )
    return ImportResult(read, _count(status), corrected=0)


async def import_candles(
    database: Database,
    path: Path,
    exchange: str,
    symbol: str,
    *,
    timeframe: Timeframe = Timeframe.M1,
    time_unit: TimeUnit = TimeUnit.MS,
    on_progress: OnProgress = _silent,
) -> ImportResult:
    """Add the candles of a CSV file (`time_ms, open, high, low, close, volume`; may be gzipped) to the store.

    A candle that is already stored is replaced. Missing tables are created, one per timeframe.

    Raises:
        BadUserInput: a row is bad; the message names its line in the file. Nothing is stored then.
        Conflict: the tables have the prices of another symbol, whose tables have the same names.
    """
    table = quoted(schema_name(exchange), candles_table(symbol, timeframe))
    async with _recording(database, path, _CANDLE, _candle_checks(timeframe), time_unit, on_progress) as (driver, read):
        async with database.transaction() as connection:  # separate: creation holds a lock until its commit
            await require_own_tables(connection, exchange, symbol)
            await create_candles(connection, exchange, symbol, timeframe)
        [(new, corrected)] = await driver.fetch(
            f"""
            WITH given AS (
                SELECT {_TIME} AS time, open, high, low, close, volume, line FROM recording
            ), replaced AS ({record_replaced(table, "vol")}), written AS (
                INSERT INTO {table} AS stored ("timestamp", open, high, low, close, vol)
                SELECT time, open, high, low, close, volume FROM given ORDER BY line
                {replace_candle()}
                RETURNING xmax = 0 AS new
            )
            SELECT count(*) FILTER (WHERE new), count(*) FILTER (WHERE NOT new) FROM written
            """,  # a replaced row has this transaction's id in xmax
            timeout=_TIMEOUT,
        )
    return ImportResult(read, new, corrected)


@asynccontextmanager
async def _recording(
    database: Database,
    path: Path,
    columns: dict[str, str],
    checks: Sequence[_Check],
    time_unit: TimeUnit,
    on_progress: OnProgress,
) -> AsyncIterator[tuple[asyncpg.Connection, int]]:
    """A transaction with the checked rows of the file in a temporary table `recording`, and their number.

    Yields the driver's connection, which supports COPY and a timeout per statement.
    """
    definition = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    create = f"""
        CREATE TEMPORARY TABLE recording (
            line bigint GENERATED BY DEFAULT AS IDENTITY (START WITH 2 CACHE 1000), {definition}
        ) ON COMMIT DROP
    """  # the header is line 1
    async with database.transaction() as connection:
        await connection.execute(text(create))  # SQLAlchemy begins the transaction with its first own statement
        driver = (await connection.get_raw_connection()).driver_connection
        if not isinstance(driver, asyncpg.Connection):
            raise TypeError(f"COPY needs an asyncpg connection, not {driver!r}.")
        yield driver, await _load(driver, path, list(columns), checks, time_unit, on_progress)


async def _load(
    driver: asyncpg.Connection,
    path: Path,
    columns: Sequence[str],
    checks: Sequence[_Check],
    time_unit: TimeUnit,
    on_progress: OnProgress,
) -> int:
    with CsvFile.open(path, on_progress) as file:
        header = await file.header(columns)
        try:
            status = await driver.copy_to_table(
                "recording", source=file.rows(), columns=header, format="csv", timeout=_TIMEOUT
            )
        except asyncpg.DataError as error:
            raise BadUserInput(f"{file.name}, {_place(error)}: {error}.") from error
        if time_unit is not TimeUnit.MS:
            await driver.execute(f"UPDATE recording SET time_ms = {_IN_MILLISECONDS[time_unit]}", timeout=_TIMEOUT)
        await _check(driver, file.name, checks)
    return _count(status)


def _place(error: asyncpg.PostgresError) -> str:
    """Position of COPY's error, e.g. `line 17, column price`. COPY does not count the header."""
    place = re.search(r"line (\d+)(, column \w+)?", str(error.context))
    return f"line {int(place[1]) + 1}{place[2] or ''}" if place else "unknown line"


async def _check(driver: asyncpg.Connection, name: str, checks: Sequence[_Check]) -> None:
    cases = " ".join(f"WHEN {bad} THEN {reason}" for bad, reason in checks)
    row = await driver.fetchrow(
        f"""
        SELECT line, problem FROM (
            SELECT line, CASE {cases} END AS problem FROM recording
            WINDOW by_line AS (ORDER BY line)
        ) AS checked WHERE problem IS NOT NULL ORDER BY line LIMIT 1
        """,
        timeout=_TIMEOUT,
    )
    if row:
        raise BadUserInput(f"{name}, line {row['line']}: {row['problem']}.")


def _number_checks(columns: dict[str, str]) -> list[_Check]:
    missing = [(f"{name} IS NULL", f"'{name} is missing'") for name in columns]
    endless = [
        (f"NOT abs({name}) < 'infinity'", f"format('{name} must be a finite number, not %s', {name})")
        for name, kind in columns.items()
        if kind == "double precision"
    ]
    return [
        *missing,
        *endless,
        (
            f"time_ms NOT BETWEEN {_EARLIEST} AND {_END_OF_TIME}",
            "format('time_ms must be unix milliseconds between the years 1990 and 3000, not %s;"
            " for another unit use --time-unit', time_ms)",
        ),
        ("volume < 0", "format('volume must not be negative, it is %s', volume)"),
    ]


_TRADE_CHECKS: Final[Sequence[_Check]] = [
    *_number_checks(_TRADE),
    ("lower(side) NOT IN ('buy', 'sell')", "format('side must be buy or sell, not %s', side)"),
    (
        "trade_id = '' OR trade_id ~ '\\s'",  # a quoted line break would also make later line numbers wrong
        "format('trade_id must have no blanks or line breaks and not be empty, it is %L', trade_id)",
    ),
]


def _candle_checks(timeframe: Timeframe) -> list[_Check]:
    if timeframe.width is None:
        raise BadUserInput(
            "Months cannot be imported: they are computed from shorter candles. Import daily or shorter candles.",
            field="timeframe",
        )
    width, origin = timeframe.width.total_seconds() * 1000, ORIGIN.timestamp() * 1000
    return [
        *_number_checks(_CANDLE),
        ("high < greatest(open, low, close)", "format('high %s is below another price of the candle', high)"),
        ("low > least(open, high, close)", "format('low %s is above another price of the candle', low)"),
        (
            f"(time_ms - {origin:.0f}) % {width:.0f} <> 0",
            f"format('time_ms %s is not the start of a {timeframe} candle', time_ms)",
        ),
        (
            "time_ms <= lag(time_ms) OVER by_line",
            "format('time_ms %s is not after the candle before it', time_ms)",
        ),
    ]


def _count(status: str) -> int:
    """The row count that ends PostgreSQL's command tag, e.g. `INSERT 0 42`."""
    return int(status.rpartition(" ")[2])
