"""One-minute candles of the past, as the simulated market would have left them.

PostgreSQL makes them: half a million rows take it half the time that making them here and sending them would.
"""

# ruff: noqa: S608  # names come quoted from naming.py, the rest is written here

from __future__ import annotations

import asyncio
import math
from datetime import datetime, timedelta
from random import Random
from typing import Final, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from fullon_graphql.database import Database
from fullon_graphql.embedded.demo.catalogue import INSTRUMENTS, Instrument
from fullon_graphql.embedded.demo.market import DAILY_MOVE, DAY, Prices
from fullon_graphql.ohlcv.candles import Candle
from fullon_graphql.ohlcv.writer import create_candles

DAYS: Final = 90
"""How far the history goes back."""

MOMENT: Final = timedelta(minutes=131)
"""So far apart lie the moments at which bots may have traded. A prime number: they fall on all minutes of the hour."""

_HOUR: Final = timedelta(hours=1)
_MINUTE: Final = timedelta(minutes=1)
_STEP: Final = DAILY_MOVE * math.sqrt(60 / DAY * 3)
"""The furthest a price strays in a minute. Even chances up to it deviate by 1/√3 of it, as a random walk grows."""
_WORTH: Final = 60_000.0
"""What the trades of a minute are worth on average, in quote currency: as much as in the live market."""
_QUIET: Final = 0.02
"""The part of all minutes in which nothing is traded."""
_OUTAGE: Final = 0.025
"""How likely an hour has a longer silence."""


class _Stretch(NamedTuple):
    """Up to an hour, whose first minute opens and whose last minute closes at a price of the simulated market.

    Between its minutes `silent_from` and `silent_until` nothing is heard of the exchange.
    """

    start: datetime
    minutes: int
    first: float
    last: float
    silent_from: int
    silent_until: int


_FILL: Final = """
    WITH minutes AS MATERIALIZED (
        SELECT stretch.*, minute, hashint8extended(CAST(extract(epoch FROM start) AS bigint) + minute, :seed) AS dice
        FROM unnest(
            CAST(:start AS timestamptz[]), CAST(:minutes AS int[]), CAST(:first AS float8[]), CAST(:last AS float8[]),
            CAST(:silent_from AS int[]), CAST(:silent_until AS int[])
        ) AS stretch(start, minutes, first, last, silent_from, silent_until),
        generate_series(0, minutes - 1) AS minute
    ), steps AS (
        SELECT *, :step * (CAST(dice & 65535 AS float8) / 32768 - 1) AS step,
            :step / 4 * CAST(dice >> 16 & 65535 AS float8) / 65536 AS above,
            :step / 4 * CAST(dice >> 32 & 65535 AS float8) / 65536 AS below,
            CAST((dice >> 48 & 65535) + 1 AS float8) / 65536 AS traded
        FROM minutes
    ), walk AS (
        SELECT *, sum(step) OVER (PARTITION BY start ORDER BY minute) AS strayed,
            (last / first - 1 - sum(step) OVER (PARTITION BY start)) / minutes AS slope
        FROM steps
    ), bodies AS (
        SELECT *, round(first * (1 + strayed - step + slope * minute) * :scale) / :scale AS open,
            round(first * (1 + strayed + slope * (minute + 1)) * :scale) / :scale AS close
        FROM walk
    )
    INSERT INTO {table} ("timestamp", open, high, low, close, vol)
    SELECT start + minute * interval '1 minute', open,
        round(greatest(open, close) * (1 + above) * :scale) / :scale,
        round(least(open, close) * (1 - below) * :scale) / :scale,
        close, round(2 * :worth * traded / open * 1e6) / 1e6
    FROM bodies
    WHERE start = :newest OR (traded > :quiet AND NOT (minute >= silent_from AND minute < silent_until))
"""  # a random walk from `first` to `last`; one hash is four dice of 16 bits

_MOMENTS: Final = """
    SELECT "timestamp", open, high, low, close, vol FROM {table}
    WHERE "timestamp" >= :since AND mod(CAST(extract(epoch FROM "timestamp") AS bigint), :every) = 0
    ORDER BY "timestamp"
"""

Moments = dict[Instrument, list[Candle]]
"""For each instrument, in order, minutes of its history in which bots may have traded."""


async def load_candles(database: Database, prices: Prices, seed: int, now: datetime) -> Moments:
    """Store 90 days of candles up to the minute before `now` for the instruments that are kept; then moments of all.

    About three percent of the minutes are empty, though none of the newest hour. At full hours and at the end the
    candles meet the market's price. A table with rows in it is left as it is.
    """
    moments: Moments = {}
    async with database.transaction() as connection:
        for instrument in INSTRUMENTS:
            if instrument.kept:
                moments[instrument] = await _load(connection, prices, instrument, seed, now)
    for instrument in INSTRUMENTS:
        if not moments.get(instrument):
            moments[instrument] = await asyncio.to_thread(_made_up_moments, prices, instrument, now)
    return moments


async def _load(
    connection: AsyncConnection, prices: Prices, instrument: Instrument, seed: int, now: datetime
) -> list[Candle]:
    table = await create_candles(connection, instrument.exchange, instrument.symbol)
    if not await connection.scalar(text(f"SELECT EXISTS (SELECT FROM {table})")):
        rng = Random(f"{seed}:{instrument.exchange}:{instrument.symbol}")  # noqa: S311  # dice of a game, no secret
        stretches = await asyncio.to_thread(_stretches, prices, instrument, rng, now)
        columns = dict(zip(_Stretch._fields, map(list, zip(*stretches, strict=True)), strict=True))
        constants = {"step": _STEP, "worth": _WORTH, "quiet": _QUIET, "scale": 10.0**instrument.decimals}
        dice = {"seed": rng.getrandbits(63), "newest": stretches[-1].start}
        await connection.execute(text(_FILL.format(table=table)), columns | constants | dice)
    window = {"since": now - timedelta(days=DAYS), "every": int(MOMENT.total_seconds())}
    return [Candle(*row) for row in await connection.execute(text(_MOMENTS.format(table=table)), window)]


def _stretches(prices: Prices, instrument: Instrument, rng: Random, now: datetime) -> list[_Stretch]:
    end = now.replace(second=0, microsecond=0)
    starts = [(end - timedelta(days=DAYS)).replace(minute=0)]
    while starts[-1] + _HOUR < end:
        starts.append(starts[-1] + _HOUR)
    bounds = [*starts, end]
    met = [prices.price(instrument.exchange, instrument.symbol, bound.timestamp()) for bound in bounds]
    return [
        _Stretch(start, (until - start) // _MINUTE, first, last, *_silence(rng))
        for start, until, first, last in zip(bounds, bounds[1:], met, met[1:], strict=False)
    ]


def _silence(rng: Random) -> tuple[int, int]:
    begin = rng.randrange(60)
    return (begin, begin + rng.randrange(5, 60)) if rng.random() < _OUTAGE else (0, 0)


def _made_up_moments(prices: Prices, instrument: Instrument, now: datetime) -> list[Candle]:
    """Moments of an instrument whose candles nobody keeps: the market's price, standing still for a minute."""
    first = (now - timedelta(days=DAYS)).replace(second=0, microsecond=0)
    times = (first + number * MOMENT for number in range(timedelta(days=DAYS) // MOMENT))
    made_up = ((time, prices.price(instrument.exchange, instrument.symbol, time.timestamp())) for time in times)
    return [Candle(time, price, price, price, price, volume=0.0) for time, price in made_up]
