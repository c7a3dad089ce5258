"""Which minutes of a period are stored, which are known to be without trades, and which are missing.

A minute is *known* if the exchange's own candles of its period have been read (`mark_complete`), or if the stored
trades before and after it have consecutive trade ids. A minute that is neither stored nor known belongs to a gap.
"""

# ruff: noqa: S608  # names come quoted from naming.py, values are bound

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from fullon_graphql.ohlcv.naming import candles_table, schema_name, trades_table
from fullon_graphql.ohlcv.sources import Market, Source
from fullon_graphql.ohlcv.stored import as_stored, time_of
from fullon_graphql.ohlcv.timeframes import Timeframe

MOST_DAYS: Final = 732
"""The longest period of a report, in days: two years."""

MOST_GAPS: Final = 1_000
"""Maximum number of gaps in a report."""

EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""Nothing is reported about the time before."""

_MINUTE: Final = "interval '1 minute'"


class MissingPeriod(NamedTuple):
    """A period in whole minutes, UTC; `to` is excluded."""

    from_: datetime
    to: datetime

    @property
    def minutes(self) -> int:
        """Its length."""
        return (self.to - self.from_) // timedelta(minutes=1)


class Coverage(NamedTuple):
    """The minutes of a period: the expected ones leave out the empty ones, which are known to be without trades."""

    from_: datetime
    to: datetime
    expected_minutes: int
    stored_minutes: int
    empty_minutes: int
    gap_count: int
    gaps: list[MissingPeriod]
    """The oldest `MOST_GAPS` of `gap_count`, in order of time."""
    last_trade_at: datetime | None
    """The newest stored trade before `to`; the start of the newest minute with a volume if only candles are stored."""


RECORDED: Final = text("SELECT to_regclass('fullon_graphql.candle_coverage') IS NOT NULL AS exists")
"""Whether the table of `mark_complete` exists."""

_CREATE: Final = [
    text("SELECT pg_advisory_xact_lock(hashtext('fullon_graphql.ohlcv.create'))"),
    text("CREATE SCHEMA IF NOT EXISTS fullon_graphql"),
    text("""
        CREATE TABLE IF NOT EXISTS fullon_graphql.candle_coverage (
            schema_name text NOT NULL, table_name text NOT NULL, complete tstzmultirange NOT NULL,
            PRIMARY KEY (schema_name, table_name)
        )
    """),
]
_KNOWN: Final = """
    SELECT greatest(lower(part), lo) AS lo, least(upper(part), hi) AS hi
    FROM bounds CROSS JOIN fullon_graphql.candle_coverage CROSS JOIN LATERAL unnest(complete) AS part
    WHERE schema_name = CAST(:schema AS text) AND table_name = ANY(CAST(:tables AS text[]))
        AND upper(part) > lo AND lower(part) < hi
"""
_MARK: Final = text("""
    INSERT INTO fullon_graphql.candle_coverage AS stored (schema_name, table_name, complete)
    SELECT :schema, :table, tstzmultirange(tstzrange(:start, :end))
    ON CONFLICT (schema_name, table_name) DO UPDATE SET complete = stored.complete + excluded.complete
    WHERE NOT stored.complete @> excluded.complete
""")
_INCOMPLETE: Final = text("""
    SELECT lower(missing) AS start, upper(missing) AS end FROM unnest(
        tstzmultirange(tstzrange(:start, :end)) - coalesce((
            SELECT complete FROM fullon_graphql.candle_coverage
            WHERE schema_name = :schema AND table_name = :table
        ), '{}')
    ) AS missing ORDER BY missing
""")


async def create_coverage(connection: AsyncConnection) -> None:
    """Create the table of `mark_complete` if it is missing."""
    if not await connection.scalar(RECORDED):
        for statement in _CREATE:
            await connection.execute(statement)


async def mark_complete(
    connection: AsyncConnection, market: Market, start: datetime, end: datetime, *, trades: bool = False
) -> None:
    """Record that the candles of all minutes with trades in [start, end) are stored; or, with `trades`, all trades.

    Call it in the transaction that stores them.
    """
    if start < end:
        await connection.execute(_MARK, {**_key(market, trades=trades), "start": start, "end": end})


async def incomplete(
    connection: AsyncConnection, market: Market, start: datetime, end: datetime, *, trades: bool = False
) -> list[MissingPeriod]:
    """The parts of [start, end) that have not been marked as complete, in order of time."""
    if start >= end:
        return []
    rows = await connection.execute(_INCOMPLETE, {**_key(market, trades=trades), "start": start, "end": end})
    return [MissingPeriod(*row) for row in rows]


def _key(market: Market, *, trades: bool) -> dict[str, str]:
    table = trades_table if trades else candles_table
    return {"schema": schema_name(market.exchange), "table": table(market.symbol)}


def parameters(market: Market, start: datetime | None, end: datetime) -> dict[str, Any]:
    """The parameters of `statement`."""
    return {
        "schema": schema_name(market.exchange),
        "tables": [candles_table(market.symbol), trades_table(market.symbol)],
        "start": start,
        "end": end,
        "longest": timedelta(days=MOST_DAYS),
        "most": MOST_GAPS,
    }


def from_record(row: Any) -> Coverage:
    """The report in a row of `statement`."""
    minutes = (row["hi"] - row["lo"]) // timedelta(minutes=1)
    gaps = list(map(MissingPeriod, row["starts"], row["ends"]))
    expected = row["stored"] + row["missing"]
    return Coverage(
        row["lo"], row["hi"], expected, row["stored"], minutes - expected, row["gap_count"], gaps, row["last_trade_at"]
    )


def statement(sources: Sequence[Source], *, recorded: bool) -> str:
    """One row with the report about [start, end), whole minutes; without `start`, since the oldest row.

    Of the sources, those with trades or one-minute candles count. `recorded`: the table of `mark_complete` exists.

    Each minute of the candles is compared with the one before it, which gives `open`, the periods without candles. The
    periods between them, those known and those with trades are then laid side by side; what they leave are the gaps.
    Trades are read of the days only in which an open period is not known.
    """
    candles = [source for source in sources if source.timeframe is Timeframe.M1]
    trades = [source for source in sources if source.timeframe is None]
    bars = " UNION ALL ".join(f"SELECT {time_of(one)} AS time FROM {_inside(one)}" for one in candles)
    start, end = (f"CAST(:{name} AS timestamptz)" for name in ("start", "end"))
    return f"""
        WITH bounds AS MATERIALIZED (
            SELECT least({end}, greatest(
                coalesce({start}, {_bucket(_oldest([*candles, *trades]))}, {end}), {end} - CAST(:longest AS interval)
            )) AS lo, {end} AS hi
        ), open AS MATERIALIZED (
            SELECT previous + {_MINUTE} AS lo, minute AS hi FROM (
                SELECT {_bucket("time")} AS minute, {_bucket("lag(time) OVER (ORDER BY time)")} AS previous
                FROM (
                    SELECT lo - {_MINUTE} AS time FROM bounds UNION ALL SELECT hi FROM bounds
                    {"UNION ALL " + bars if bars else ""}
                ) AS marks
            ) AS compared WHERE minute > previous + {_MINUTE}
        ), known AS MATERIALIZED (
            {_KNOWN if recorded else "SELECT lo, hi FROM bounds WHERE false"}
        ), laid AS (
            {" UNION ALL ".join(_laid(trades))}
        ), swept AS MATERIALIZED (
            SELECT lo, kind, max(hi) OVER w AS reached, max(hi) FILTER (WHERE kind = 'candles') OVER w AS candles_until
            FROM laid WINDOW w AS (ORDER BY lo, kind ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
        ), gaps AS MATERIALIZED (
            SELECT reached AS lo, lo AS hi FROM swept WHERE lo > reached
        )
        SELECT lo, hi, {_minutes("hi - lo")} - (SELECT {_SUM_OF_MINUTES} FROM open)
                + (SELECT count(*) FROM swept WHERE kind = 'trades' AND lo >= candles_until) AS stored,
            (SELECT {_SUM_OF_MINUTES} FROM gaps) AS missing, (SELECT count(*) FROM gaps) AS gap_count,
            ARRAY(SELECT lo FROM gaps ORDER BY lo LIMIT CAST(:most AS integer)) AS starts,
            ARRAY(SELECT hi FROM gaps ORDER BY lo LIMIT CAST(:most AS integer)) AS ends,
            {_last_trade([*candles, *trades])} AS last_trade_at
        FROM bounds
    """


def _laid(trades: Sequence[Source]) -> list[str]:
    """Periods that are stored or known; `kind` sorts candles before others that begin at the same time."""
    return [
        """SELECT coalesce(lag(hi) OVER (ORDER BY lo), (SELECT lo FROM bounds)) AS lo, lo AS hi, 'candles' AS kind
            FROM open""",
        "SELECT coalesce((SELECT max(hi) FROM open), lo), hi, 'candles' FROM bounds",
        "SELECT lo, hi, 'known' FROM known",
        *map(_laid_by_trades, trades),
    ]


def _laid_by_trades(source: Source) -> str:
    """Each minute with trades, and the time before it if its first trade id follows the last one before.

    A day is read with the minutes of the trade before and the trade after it.
    """
    time, number = time_of(source), source.trade_number or "CAST(NULL AS numeric)"
    columns = f"SELECT {_bucket(time)} AS minute, {number} AS number FROM {source.rows}"
    forwards = ", ".join(source.order)
    backwards = ", ".join(f"{column} DESC" for column in source.order)
    first, last = as_stored(source, "day"), as_stored(source, "day + interval '1 day'")
    return f"""
        SELECT greatest(part.lo, bounds.lo), least(part.hi, bounds.hi), part.kind FROM bounds CROSS JOIN (
            SELECT DISTINCT generate_series({_bucket("lo", "1 day")}, hi - {_MINUTE}, interval '1 day') AS day
            FROM open WHERE NOT EXISTS (SELECT FROM known WHERE known.lo <= open.lo AND known.hi >= open.hi)
        ) AS days CROSS JOIN LATERAL (
            SELECT minute, lag(minute) OVER w AS previous, min(number) = lag(max(number)) OVER w + 1 AS consecutive
            FROM (
                ({columns} WHERE "timestamp" < {first} ORDER BY {backwards} LIMIT 1)
                UNION ALL
                ({columns} WHERE "timestamp" >= {first} AND "timestamp" < {last})
                UNION ALL
                ({columns} WHERE "timestamp" >= {last} ORDER BY {forwards} LIMIT 1)
            ) AS nearby GROUP BY minute WINDOW w AS (ORDER BY minute)
        ) AS traded CROSS JOIN LATERAL (VALUES
            (minute, minute + {_MINUTE}, 'trades'),
            (CASE WHEN consecutive THEN previous + {_MINUTE} END, minute, 'known')
        ) AS part (lo, hi, kind)
        WHERE part.lo < bounds.hi AND part.hi > bounds.lo AND part.lo < part.hi
            AND (part.kind = 'known' OR part.lo >= day AND part.lo < day + interval '1 day')
    """


def _oldest(sources: Sequence[Source]) -> str:
    found = (f"""(SELECT {time_of(one, 'min("timestamp")')} FROM {one.rows})""" for one in sources)
    return f"least({', '.join(['CAST(NULL AS timestamptz)', *found])})"


def _last_trade(sources: Sequence[Source]) -> str:
    found = (
        f"""(SELECT {time_of(one)} FROM {one.rows} WHERE "timestamp" < {as_stored(one, "CAST(:end AS timestamptz)")}
            AND {one.volume} > 0 ORDER BY "timestamp" DESC LIMIT 1)"""
        for one in sources
    )
    return f"greatest({', '.join(['CAST(NULL AS timestamptz)', *found])})"


def _inside(source: Source) -> str:
    lo, hi = (as_stored(source, f"(SELECT {edge} FROM bounds)") for edge in ("lo", "hi"))
    return f"""{source.rows} WHERE "timestamp" >= {lo} AND "timestamp" < {hi}"""


def _bucket(time: str, width: str = "1 minute") -> str:
    return f"date_bin(interval '{width}', {time}, timestamptz '2000-01-03 00:00Z')"


def _minutes(period: str) -> str:
    return f"CAST(extract(epoch FROM {period}) / 60 AS bigint)"


_SUM_OF_MINUTES: Final = _minutes("coalesce(sum(hi - lo), interval '0')")
