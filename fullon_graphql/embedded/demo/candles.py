"""Generates the history of one-minute candles of the simulated market.

PostgreSQL generates the rows: half a million take half the time of generating and sending them from here.
"""

# ruff: noqa: S608  # names are quoted by naming.py, all other parts are constants

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Final, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from fullon_graphql.database import Database
from fullon_graphql.embedded.demo.catalogue import DAYS, Instrument
from fullon_graphql.embedded.demo.market import DAILY_MOVE, DAY, Prices
from fullon_graphql.ohlcv.candles import Candle
from fullon_graphql.ohlcv.coverage import MissingPeriod, create_coverage, incomplete, mark_complete
from fullon_graphql.ohlcv.sources import Market
from fullon_graphql.ohlcv.writer import create_candles

MOMENT: Final = timedelta(minutes=131)
"""Distance of the times at which bots may have traded. A prime number of minutes, so all minutes of an hour occur."""

_HOUR: Final = timedelta(hours=1)
_MINUTE: Final = timedelta(minutes=1)
_STEP: Final = DAILY_MOVE * math.sqrt(60 / DAY * 3)
"""The largest move of a price in a minute. Uniform moves have a standard deviation of 1/√3 of it."""
_WORTH: Final = 60_000.0
"""The average value of the trades of a minute, in quote currency, as in the live market."""
_QUIET: Final = 0.02
"""The fraction of minutes without trades."""
_OUTAGE_CHANCE: Final = 0.025
"""The probability of an outage in an hour."""


class _Segment(NamedTuple):
    """Up to an hour. Its first minute opens and its last minute closes at a price of the simulated market.

    From minute `silent_from` until `silent_until` the exchange has an outage.
    """

    start: datetime
    minutes: int
    first: float
    last: float
    silent_from: int
    silent_until: int


_FILL: Final = """
    WITH minutes AS MATERIALIZED (
        SELECT segment.*, minute, hashint8extended(CAST(extract(epoch FROM start) AS bigint) + minute, :seed) AS random
        FROM unnest(
            CAST(:start AS timestamptz[]), CAST(:minutes AS int[]), CAST(:first AS float8[]), CAST(:last AS float8[]),
            CAST(:silent_from AS int[]), CAST(:silent_until AS int[])
        ) AS segment(start, minutes, first, last, silent_from, silent_until),
        generate_series(0, minutes - 1) AS minute
    ), steps AS (
        SELECT *, :step * (CAST(random & 65535 AS float8) / 32768 - 1) AS step,
            :step / 4 * CAST(random >> 16 & 65535 AS float8) / 65536 AS above,
            :step / 4 * CAST(random >> 32 & 65535 AS float8) / 65536 AS below,
            CAST((random >> 48 & 65535) + 1 AS float8) / 65536 AS traded
        FROM minutes
    ), walk AS (
        SELECT *, sum(step) OVER (PARTITION BY start ORDER BY minute) AS drift,
            (last / first - 1 - sum(step) OVER (PARTITION BY start)) / minutes AS slope
        FROM steps
    ), bodies AS (
        SELECT *, round(first * (1 + drift - step + slope * minute) * :scale) / :scale AS open,
            round(first * (1 + drift + slope * (minute + 1)) * :scale) / :scale AS close
        FROM walk
    )
    INSERT INTO {table} ("timestamp", open, high, low, close, vol)
    SELECT start + minute * interval '1 minute', open,
        round(greatest(open, close) * (1 + above) * :scale) / :scale,
        round(least(open, close) * (1 - below) * :scale) / :scale,
        close, round(2 * :worth * traded / open * 1e6) / 1e6
    FROM bodies
    WHERE start = :newest OR (traded > :quiet AND NOT (minute >= silent_from AND minute < silent_until))
"""  # a random walk from `first` to `last`; one hash has four random numbers of 16 bits

_MOMENTS: Final = """
    SELECT "timestamp", open, high, low, close, vol FROM {table}
    WHERE "timestamp" >= :since AND mod(CAST(extract(epoch FROM "timestamp") AS bigint), :every) = 0
    ORDER BY "timestamp"
"""

_NEWEST: Final = 'SELECT max("timestamp") FROM {table}'

Moments = dict[Instrument, list[Candle]]
"""For each instrument, in order, the minutes of its history in which bots may have traded."""


async def load_candles(
    database: Database, prices: Prices, seed: int, now: datetime, instruments: Sequence[Instrument]
) -> Moments:
    """Store 90 days of candles up to the minute before `now` of the instruments with a history; return all moments.

    About three percent of the minutes are empty, but none of the newest hour. At full hours and at the end the candles
    have the market's price. A table that has rows is not changed.
    """
    moments: Moments = {}
    async with database.transaction() as connection:
        for instrument in instruments:
            if instrument.has_history:
                moments[instrument] = await _load(connection, prices, instrument, seed, now)
    for instrument in instruments:
        if not moments.get(instrument):
            moments[instrument] = await asyncio.to_thread(_synthetic_moments, prices, instrument, now)
    return moments


async def _load(
    connection: AsyncConnection, prices: Prices, instrument: Instrument, seed: int, now: datetime
) -> list[Candle]:
    table = await create_candles(connection, instrument.exchange, instrument.symbol)
    if not await connection.scalar(text(f"SELECT EXISTS (SELECT FROM {table})")):
        rng = Random(f"{seed}:{instrument.exchange}:{instrument.symbol}")  # noqa: S311  # not for secrets
        segments = await asyncio.to_thread(_segments, prices, instrument, rng, now)
        columns = dict(zip(_Segment._fields, map(list, zip(*segments, strict=True)), strict=True))
        constants = {"step": _STEP, "worth": _WORTH, "quiet": _QUIET, "scale": 10.0**instrument.decimals}
        randomness = {"seed": rng.getrandbits(63), "newest": segments[-1].start}
        await connection.execute(text(_FILL.format(table=table)), columns | constants | randomness)
    await _mark_complete(connection, instrument, table, now)
    window = {"since": now - timedelta(days=DAYS), "every": int(MOMENT.total_seconds())}
    return [Candle(*row) for row in await connection.execute(text(_MOMENTS.format(table=table)), window)]


async def _mark_complete(connection: AsyncConnection, instrument: Instrument, table: str, now: datetime) -> None:
    """Record a new history as complete, so that the candle daemon does not ask the simulated market for it."""
    market = Market(instrument.exchange, instrument.symbol)
    await create_coverage(connection)
    start, end = (
        (now - timedelta(days=DAYS)).replace(minute=0, second=0, microsecond=0),
        now.replace(second=0, microsecond=0),
    )
    if await incomplete(connection, market, start, end) == [MissingPeriod(start, end)]:
        newest = await connection.scalar(text(_NEWEST.format(table=table)))
        await mark_complete(connection, market, start, min(end, newest + _MINUTE))


def _segments(prices: Prices, instrument: Instrument, rng: Random, now: datetime) -> list[_Segment]:
    end = now.replace(second=0, microsecond=0)
    starts = [(end - timedelta(days=DAYS)).replace(minute=0)]
    while starts[-1] + _HOUR < end:
        starts.append(starts[-1] + _HOUR)
    bounds = [*starts, end]
    bound_prices = [prices.price(instrument.exchange, instrument.symbol, bound.timestamp()) for bound in bounds]
    return [
        _Segment(start, (until - start) // _MINUTE, first, last, *_outage(rng))
        for start, until, first, last in zip(bounds, bounds[1:], bound_prices, bound_prices[1:], strict=False)
    ]


def _outage(rng: Random) -> tuple[int, int]:
    begin = rng.randrange(60)
    return (begin, begin + rng.randrange(5, 60)) if rng.random() < _OUTAGE_CHANCE else (0, 0)


def _synthetic_moments(prices: Prices, instrument: Instrument, now: datetime) -> list[Candle]:
    """Moments of an instrument without a history: the market's price, constant for a minute."""
    first = (now - timedelta(days=DAYS)).replace(second=0, microsecond=0)
    times = (first + number * MOMENT for number in range(timedelta(days=DAYS) // MOMENT))
    synthetic = ((time, prices.price(instrument.exchange, instrument.symbol, time.timestamp())) for time in times)
    return [Candle(time, price, price, price, price, volume=0.0) for time, price in synthetic]
