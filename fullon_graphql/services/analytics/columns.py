"""Columns of figures: computed and written as text by PostgreSQL, a row for each column set, and parsed in Python.

A row for each figure would take most of the time of a large answer, and would be decoded on the event loop.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import ColumnElement, Select, Subquery, Text, case, cast, func, literal_column
from sqlalchemy.dialects.postgresql import aggregate_order_by

from fullon_graphql.ohlcv.timeframes import ORIGIN, Timeframe

_SEPARATOR: Final = ","


def bucket_of(time: ColumnElement[Any], timeframe: Timeframe) -> ColumnElement[Any]:
    """The start of the bar of `timeframe` that contains a UTC time, as candles have it."""
    if timeframe.width is None:
        return func.date_trunc("month", time)
    step: ColumnElement[Any] = literal_column(f"interval '{timeframe.width.total_seconds():.0f} seconds'")
    return func.date_bin(step, time, literal_column(f"timestamp '{ORIGIN:%Y-%m-%d}'"))


def apart(rows: Select[Any], name: str) -> Subquery:
    """The rows as a subquery that PostgreSQL plans by itself, without their order.

    If it merged the subquery with a GROUP BY outside, it would expect as many bars as there are times, and sort all
    rows on disk; so it expects few, and hashes. Hashing too many groups for the memory is slower, but works.
    """
    return rows.offset(literal_column("0")).subquery(name)


def written(figure: ColumnElement[Any], bucket: ColumnElement[Any]) -> ColumnElement[Any]:
    """The values of a figure in order of the bars, as text; those without a bar are left out, as are nulls.

    Without a FILTER, PostgreSQL sorts the rows once for all columns, and not for each column by itself.
    """
    ordered: aggregate_order_by[Any] = aggregate_order_by(literal_column(f"'{_SEPARATOR}'"), bucket)
    return func.string_agg(case((bucket.is_not(None), cast(figure, Text))), ordered)


def unix_milliseconds(bucket: ColumnElement[Any]) -> ColumnElement[Any]:
    """The start of a bar in Unix milliseconds; as PostgreSQL has it, UTC without a zone."""
    return func.date_part("epoch", bucket) * 1000


def texts(column: str | None) -> list[str]:
    """The values of a written column."""
    return column.split(_SEPARATOR) if column else []


def integers(column: str | None) -> list[int]:
    """The values of a written column of integers."""
    return list(map(int, texts(column)))


def doubles(column: str | None) -> list[float]:
    """The values of a written column, each rounded once to the nearest double."""
    return list(map(float, texts(column)))
