"""SQL that computes bars of a timeframe from the rows of a source.

The statements take the parameters start, end, now (times or null) and count (an integer), so that their text depends
only on the source, the timeframe and the kind of window; with a source as it was known at a time also as_of. Inside
them every time is a `timestamp` in UTC; a bar belongs to [start, end) if its bucket start does.
"""

# ruff: noqa: S608  # names come quoted from naming.py, values are bound

from __future__ import annotations

from datetime import timedelta

from fullon_graphql.ohlcv.sources import Source
from fullon_graphql.ohlcv.timeframes import ORIGIN, Timeframe


def newest_row(source: Source, key: int) -> str:
    """The key and the time of the newest row; null without rows."""
    return f"""SELECT {key} AS key, {_utc(source, 'max("timestamp")')} AS time FROM {source.times}"""


def edges(source: Source) -> tuple[str, str]:
    """The times of the oldest and the newest row in unix milliseconds, one index probe each; null without an index."""
    if not source.indexed:
        return "NULL", "NULL"
    oldest, newest = (_utc(source, f'{edge}("timestamp")') for edge in ("min", "max"))
    return tuple(f"(SELECT date_part('epoch', {time}) * 1000 FROM {source.times})" for time in (oldest, newest))  # type: ignore[return-value]  # of two


def in_gaps(bars: str, key: int) -> str:
    """The bars of a statement of this module in each of the ranges in the array parameters lo<key> and hi<key>."""
    bounded = bars.replace(":start", "gap.lo").replace(":end", "gap.hi")
    return f"""
        SELECT bars.* FROM unnest(CAST(:lo{key} AS timestamptz[]), CAST(:hi{key} AS timestamptz[])) AS gap (lo, hi)
        CROSS JOIN LATERAL ({bounded}) AS bars
    """


def oldest_bars(source: Source, timeframe: Timeframe) -> str:
    """The first `count` bars of the range, in ascending order."""
    return _edge_bars(source, timeframe, "ASC")


def newest_bars(source: Source, timeframe: Timeframe) -> str:
    """The last `count` existing bars of the range, newest first; empty buckets do not count."""
    if source.timeframe is timeframe or not source.indexed:
        return _edge_bars(source, timeframe, "DESC", rows=_enough_rows(source, timeframe))
    # One index probe per bar skips empty buckets; only rows of the found bars are read.
    bucket = _bucket(timeframe, _utc(source))
    return f"""
        WITH RECURSIVE newest (time, position) AS (
            (SELECT {bucket}, 1 FROM {source.times} WHERE {_range(source, timeframe)}
                ORDER BY "timestamp" DESC LIMIT 1)
            UNION ALL
            SELECT older.time, position + 1 FROM newest CROSS JOIN LATERAL (
                SELECT {bucket} AS time FROM {source.times}
                WHERE {_from(source, timeframe)} AND "timestamp" < {_stored(source, "newest.time")}
                ORDER BY "timestamp" DESC LIMIT 1
            ) AS older
            WHERE position < CAST(:count AS integer)
        )
        SELECT newest.time, bar.* FROM newest CROSS JOIN LATERAL (
            SELECT {_aggregates(source)} FROM {source.rows}
            WHERE "timestamp" >= {_stored(source, "newest.time")}
                AND "timestamp" < {_stored(source, f"newest.time + {_step(timeframe)}")}
        ) AS bar
        ORDER BY newest.time DESC
    """


def filled_bars(source: Source, timeframe: Timeframe, *, newest: bool) -> str:
    """The first (or, with `newest`, the last) `count` bars of the range, without gaps.

    An empty bucket repeats the close before it with volume 0. The series starts at the first row and ends at the newest
    row, or with `end` at the last bucket before it, but not after `now`.
    """
    step = _step(timeframe)
    first, after = (_stored(source, f"(SELECT {edge} FROM edges)") for edge in ("lo", f"hi + {step}"))
    span = f"(CAST(:count AS integer) - 1) * {step}"
    edges = f"greatest(lo, hi - {span}) AS lo, hi" if newest else f"lo, least(hi, lo + {span}) AS hi"
    last_wanted = f"least({_ceiling(timeframe, 'end')} - {step}, {_bucket(timeframe, _parameter('now'))})"
    return f"""
        WITH series AS (
            SELECT {_bucket(timeframe, _utc(source, 'min("timestamp")'))} AS first,
                (SELECT {_bucket(timeframe, _utc(source, 'max("timestamp")'))} FROM {source.times}
                    WHERE {_before(source, timeframe)}) AS newest
            FROM {source.times}
        ), bounds AS (
            SELECT greatest(first, {_ceiling(timeframe, "start")}) AS lo,
                greatest(newest, CASE WHEN CAST(:end AS timestamptz) IS NOT NULL THEN {last_wanted} END) AS hi
            FROM series WHERE newest IS NOT NULL
        ), edges AS (
            SELECT {edges} FROM bounds
        ), grid AS (
            SELECT generate_series(lo, hi, {step}) AS time FROM edges
        ), bars AS (
            SELECT {_bucket(timeframe, _utc(source))} AS time, {_aggregates(source)}
            FROM {source.rows} WHERE "timestamp" >= {first} AND "timestamp" < {after} GROUP BY 1
        ), carried AS (
            SELECT {_price(source, "close")} AS close FROM {source.rows} WHERE "timestamp" < {first}
            ORDER BY {", ".join(f"{column} DESC" for column in source.order)} LIMIT 1
        ), runs AS (
            SELECT grid.time, open, high, low, close, volume, count(bars.time) OVER (ORDER BY grid.time) AS run
            FROM grid LEFT JOIN bars ON bars.time = grid.time
        ), held AS (
            SELECT *, coalesce(first_value(close) OVER (PARTITION BY run ORDER BY time),
                (SELECT close FROM carried)) AS last
            FROM runs
        )
        SELECT time, coalesce(open, last) AS open, coalesce(high, last) AS high, coalesce(low, last) AS low,
            coalesce(close, last) AS close, coalesce(volume, 0) AS volume
        FROM held ORDER BY time
    """


def trade_figures(source: Source, timeframe: Timeframe) -> str:
    """Figures of the trades of each bucket of the range. Sums are exact: numbers are added as decimals."""
    side = "nullif(left(lower(side), 1), '')" if source.has_sides else "CAST(NULL AS text)"
    price, volume = (f"CAST(CAST({number} AS text) AS numeric)" for number in ("price", source.volume))
    of_side = "sum(volume) FILTER (WHERE side = '{}')"
    bought, sold = (f"CASE WHEN count(side) > 0 THEN coalesce({of_side.format(one)}, 0) END" for one in ("b", "s"))
    return f"""
        SELECT time, count(*) AS trades,
            round(sum(price * volume), {_DIGITS}) / nullif(sum(volume), 0) AS vwap,
            {bought} AS buy_volume, {sold} AS sell_volume
        FROM (
            SELECT {_bucket(timeframe, _utc(source))} AS time, {price} AS price, {volume} AS volume, {side} AS side
            FROM {source.rows} WHERE {_range(source, timeframe)}
        ) AS trade
        GROUP BY time
    """


_DIGITS = 40
"""Decimal places of a quotient; more than the digits of any double."""


def _edge_bars(source: Source, timeframe: Timeframe, direction: str, rows: str | None = None) -> str:
    rows = rows or f"{source.rows} WHERE {_range(source, timeframe)}"
    time = '"timestamp"' if source.timeframe is timeframe else "time"  # the column is indexed, the bucket is not
    return f"{_bars(source, timeframe, rows)} ORDER BY {time} {direction} LIMIT CAST(:count AS integer)"


def _enough_rows(source: Source, timeframe: Timeframe) -> str | None:
    """The newest candles of a source, the maximum number that `count` bars consist of.

    Without an index (on most views) one sort is cheaper than probes that each read everything.
    """
    if source.timeframe is None or source.timeframe.width is None:
        return None
    most = -(-(timeframe.width or timedelta(days=31)) // source.timeframe.width)
    return f"""(
        SELECT * FROM {source.rows} WHERE {_range(source, timeframe)}
        ORDER BY "timestamp" DESC LIMIT CAST(:count AS bigint) * {most}
    ) AS newest"""


def _bars(source: Source, timeframe: Timeframe, rows: str) -> str:
    if source.timeframe is timeframe:
        return f"""SELECT {_utc(source)} AS time, open, high, low, close, {source.volume} AS volume FROM {rows}"""
    return f"""SELECT {_bucket(timeframe, _utc(source))} AS time, {_aggregates(source)} FROM {rows} GROUP BY 1"""


def _aggregates(source: Source) -> str:
    order = ", ".join(source.order)
    return f"""(array_agg({_price(source, "open")} ORDER BY {order}))[1] AS open,
            max({_price(source, "high")}) AS high, min({_price(source, "low")}) AS low,
            (array_agg({_price(source, "close")} ORDER BY {order}))[count(*)] AS close,
            sum({source.volume}) AS volume"""


def _price(source: Source, column: str) -> str:
    return column if source.timeframe else "price"


def _range(source: Source, timeframe: Timeframe) -> str:
    return f"{_from(source, timeframe)} AND {_before(source, timeframe)}"


def _from(source: Source, timeframe: Timeframe) -> str:
    return f""""timestamp" >= {_stored(source, f"coalesce({_ceiling(timeframe, 'start')}, '-infinity')")}"""


def _before(source: Source, timeframe: Timeframe) -> str:
    return f""""timestamp" < {_stored(source, f"coalesce({_ceiling(timeframe, 'end')}, 'infinity')")}"""


def _ceiling(timeframe: Timeframe, parameter: str) -> str:
    """The first bucket start at or after a parameter."""
    just_before = f"{_parameter(parameter)} - interval '1 microsecond'"
    return f"{_bucket(timeframe, just_before)} + {_step(timeframe)}"


def _parameter(name: str) -> str:
    return f"CAST(:{name} AS timestamptz) AT TIME ZONE 'UTC'"


def _bucket(timeframe: Timeframe, time: str) -> str:
    if timeframe.width is None:
        return f"date_trunc('month', {time})"
    return f"date_bin({_step(timeframe)}, {time}, timestamp '{ORIGIN:%Y-%m-%d}')"


def _step(timeframe: Timeframe) -> str:
    return f"interval '{timeframe.width.total_seconds():.0f} seconds'" if timeframe.width else "interval '1 month'"


def _utc(source: Source, time: str = '"timestamp"') -> str:
    """A time of the source as UTC without a zone."""
    return f"{time} AT TIME ZONE 'UTC'" if source.aware else time


def _stored(source: Source, utc: str) -> str:
    """A UTC time as the source stores it, so that its index serves the comparison."""
    return f"({utc}) AT TIME ZONE 'UTC'" if source.aware else f"({utc})"
