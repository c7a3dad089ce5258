"""Statements that read the raw trades of a source, and the period that a source covers."""

# ruff: noqa: S608  # names come quoted from naming.py, values are bound

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from fullon_graphql.ohlcv.sources import Source
from fullon_graphql.ohlcv.timeframes import Timeframe


class Trade(NamedTuple):
    """One public trade. `time` is UTC, `volume` in base currency; `side` and `type` as stored."""

    time: datetime
    price: float
    volume: float
    side: str | None
    type: str | None


class PricedTrade(NamedTuple):
    """The price and the volume of a public trade; `time` is UTC, `volume` in base currency."""

    time: datetime
    price: float
    volume: float


class Extent(NamedTuple):
    """Period of a source's rows (UTC). `timeframe` is that of its candles, None for trades."""

    timeframe: Timeframe | None
    oldest: datetime
    newest: datetime


def newest_trades(source: Source) -> str:
    """The last `count` trades, oldest first."""
    return f"""
        SELECT time, price, volume, side, type FROM (
            SELECT {_columns(source)}, row_number() OVER ({_order(source, "DESC")}) AS position
            FROM {source.rows} {_order(source, "DESC")} LIMIT CAST(:count AS integer)
        ) AS newest ORDER BY position DESC
    """


def trades_between(source: Source) -> str:
    """The first `count` trades in [start, end]."""
    return f"""
        SELECT {_columns(source)} FROM {source.rows}
        WHERE "timestamp" BETWEEN {_parameter(source, "start")} AND {_parameter(source, "end")}
        {_order(source, "ASC")} LIMIT CAST(:count AS integer)
    """


def trades_page(source: Source) -> str:
    """Times, prices and volumes of `count` trades in [start, end), without the first `skip`."""
    return f"""
        SELECT {time_of(source)} AS time, price, {source.volume} AS volume FROM {source.rows}
        WHERE "timestamp" >= {_parameter(source, "start")} AND "timestamp" < {_parameter(source, "end")}
        {_order(source, "ASC")} LIMIT CAST(:count AS integer) OFFSET CAST(:skip AS integer)
    """


def extent(source: Source, key: int) -> str:
    """The times of the first and the last row."""
    first, last = time_of(source, 'min("timestamp")'), time_of(source, 'max("timestamp")')
    return f"SELECT {key} AS key, {first} AS oldest, {last} AS newest FROM {source.rows}"


def _columns(source: Source) -> str:
    # Older tables may lack side or type: through JSON a missing column is null.
    further = "to_jsonb(priced) ->> 'side' AS side, to_jsonb(priced) ->> 'type' AS type"
    return f"""{time_of(source)} AS time, price, {source.volume} AS volume, {further}"""


def _order(source: Source, direction: str) -> str:
    return "ORDER BY " + ", ".join(f"{column} {direction}" for column in source.order)


def time_of(source: Source, expression: str = '"timestamp"') -> str:
    """A time of the source as a time with a zone; unchanged, so that an index can sort by it, if it has one."""
    return expression if source.aware else f"{expression} AT TIME ZONE 'UTC'"


def _parameter(source: Source, name: str) -> str:
    return as_stored(source, f"CAST(:{name} AS timestamptz)")


def as_stored(source: Source, time: str) -> str:
    """A time with a zone as the source stores it, so that its index serves the comparison."""
    return time if source.aware else f"(({time}) AT TIME ZONE 'UTC')"
