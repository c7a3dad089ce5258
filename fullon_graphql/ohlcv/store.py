"""Reading candles: one statement per call for any timeframe, number of symbols and kind of source."""

# ruff: noqa: S608  # the statements are built in resampling.py from quoted names, values are bound

from __future__ import annotations

import struct
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, TypeVar

import asyncpg

from fullon_graphql.database import Database
from fullon_graphql.errors import BadUserInput, FullonError, NotFound, shortened
from fullon_graphql.ohlcv import resampling, stored
from fullon_graphql.ohlcv.candles import CandleColumns
from fullon_graphql.ohlcv.sources import Catalogue, Market, Source
from fullon_graphql.ohlcv.stored import Extent, Trade
from fullon_graphql.ohlcv.timeframes import Timeframe

T = TypeVar("T")

MAX_BARS: Final = 50_000
"""Maximum number of bars of one answer."""


Kind = tuple[bool, bool]
"""Whether gaps are filled, and whether the newest bars are selected."""


@dataclass(frozen=True, slots=True)
class Window:
    """A selection of bars: those that start in [start, end), of these the newest `last`, with gaps filled or not.

    Times without a zone are UTC.

    Raises:
        BadUserInput: start is not before end, or `last` is not in 1 … MAX_BARS.
    """

    start: datetime | None = None
    end: datetime | None = None
    last: int | None = None
    fill: bool = False

    def __post_init__(self) -> None:
        start, end = _aware(self.start), _aware(self.end)
        if start and end and start >= end:
            raise BadUserInput(f"from must be before to; got {start:%FT%TZ} and {end:%FT%TZ}.", field="from")
        if self.last is not None and not 1 <= self.last <= MAX_BARS:
            raise BadUserInput(f"last must be between 1 and {MAX_BARS}; got {self.last}.", field="last")

    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters of the statements of resampling.py. One bar more than allowed is read to detect an excess."""
        count = self.last or MAX_BARS + 1
        return {"start": _aware(self.start), "end": _aware(self.end), "now": datetime.now(UTC), "count": count}

    @property
    def kind(self) -> Kind:
        """The part of the window on which the statement's text depends."""
        return self.fill, self.last is not None


class CandleStore:
    """The candles of every exchange and symbol in one database. Reads only; creates nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._catalogue = Catalogue(database)

    async def candles(
        self, markets: Sequence[Market], timeframe: Timeframe, window: Window
    ) -> list[CandleColumns | FullonError]:
        """The bars of many symbols in one statement, oldest first, in the order of `markets`.

        With `fill`, empty buckets repeat the last close with volume 0: never before the first bar of the series, and
        at the end up to `end` (but not into the future) or, without it, up to the newest bar. A symbol whose tables
        are empty or have only bars too coarse for `timeframe` has no bars.

        A symbol without tables, or with more than MAX_BARS bars, has its error in its place, as data loaders expect.
        """
        return await self._retried(lambda: self._answer(markets, timeframe, window))

    async def newest_trades(self, market: Market, limit: int) -> list[Trade]:
        """The newest `limit` trades, oldest first; empty if only candles are stored.

        Raises:
            NotFound: the symbol has no table.
        """
        return await self._retried(lambda: self._trades(market, stored.newest_trades, {"count": limit}))

    async def trades(self, market: Market, start: datetime, end: datetime, limit: int) -> list[Trade]:
        """The first `limit` trades in [start, end], oldest first. Raises as `newest_trades` does.

        Raises:
            BadUserInput: start is after end.
        """
        if start > end:
            raise BadUserInput(f"start must not be after end; got {start:%FT%TZ} and {end:%FT%TZ}.", field="start")
        bounds = {"start": start, "end": end, "count": limit}
        return await self._retried(lambda: self._trades(market, stored.trades_between, bounds))

    async def extents(self, market: Market) -> list[Extent]:
        """The period of each source of a symbol, the preferred source first. Raises as `newest_trades` does."""
        return await self._retried(lambda: self._extents(market))

    async def stored(self, markets: Sequence[Market]) -> set[Market]:
        """Those of `markets` that have a table."""
        return set(await self._catalogue.find(markets))

    async def _retried(self, read: Callable[[], Awaitable[T]]) -> T:
        """Read, and once more with a fresh catalogue if a known table is missing."""
        try:
            return await read()
        except asyncpg.UndefinedTableError:
            self._catalogue.forget()
            return await read()

    async def _sources(self, market: Market) -> tuple[Source, ...]:
        found = await self._catalogue.find([market])
        if market not in found:
            raise _unknown(market)
        return found[market]

    async def _trades(
        self, market: Market, statement: Callable[[Source], str], parameters: dict[str, Any]
    ) -> list[Trade]:
        source = next((source for source in await self._sources(market) if source.timeframe is None), None)
        if source is None:
            return []
        return [Trade(*row) for row in await self._database.named_records(statement(source), parameters)]

    async def _extents(self, market: Market) -> list[Extent]:
        sources = await self._sources(market)
        if not sources:
            return []
        statement = " UNION ALL ".join(stored.extent(source, key) for key, source in enumerate(sources))
        rows = sorted(await self._database.records(statement), key=lambda row: row["key"])
        return [
            Extent(source.timeframe, row["oldest"], row["newest"]) for source, row in zip(sources, rows, strict=True)
        ]

    async def complete_until(self, market: Market, timeframe: Timeframe) -> datetime | None:
        """The time until which all rows that make bars of `timeframe` are stored; None without rows.

        Rows are assumed to be written in order of time, and a candle when it is over. Trades, and views over them, may
        still change in the newest minute.
        """
        try:
            return await self._complete_until(market, timeframe)
        except asyncpg.UndefinedTableError:
            self._catalogue.forget()
            return await self._complete_until(market, timeframe)

    async def _complete_until(self, market: Market, timeframe: Timeframe) -> datetime | None:
        source = _best((await self._catalogue.find([market])).get(market, ()), timeframe)
        if source is None:
            return None
        [row] = await self._database.records(resampling.newest_row(source))
        if row["time"] is None:
            return None
        part = source.timeframe or Timeframe.M1
        start = part.bucket_start(row["time"].replace(tzinfo=UTC))
        return start if source.computed else part.next_bucket(start)

    async def _answer(
        self, markets: Sequence[Market], timeframe: Timeframe, window: Window
    ) -> list[CandleColumns | FullonError]:
        found = await self._catalogue.find(markets)
        sources = {market: source for market, candidates in found.items() if (source := _best(candidates, timeframe))}
        bars = await self._bars(list(sources.values()), timeframe, window)
        nothing: dict[Market, CandleColumns | FullonError] = dict.fromkeys(found, CandleColumns.empty())
        answers = nothing | dict(zip(sources, bars, strict=True))
        return [answers.get(market) or _unknown(market) for market in markets]

    async def _bars(
        self, sources: Sequence[Source], timeframe: Timeframe, window: Window
    ) -> list[CandleColumns | FullonError]:
        if not sources:
            return []
        rows = await self._database.named_records(_statement(tuple(sources), timeframe, window.kind), window.parameters)
        return [_columns(row) for row in sorted(rows, key=lambda row: row["key"])]


def _best(candidates: Sequence[Source], timeframe: Timeframe) -> Source | None:
    """The first of the ordered sources that makes bars of `timeframe`."""
    return next((source for source in candidates if source.makes(timeframe)), None)


def _aware(time: datetime | None) -> datetime | None:
    return time.replace(tzinfo=UTC) if time and time.tzinfo is None else time


@lru_cache(maxsize=1_000)
def _statement(sources: tuple[Source, ...], timeframe: Timeframe, kind: Kind) -> str:
    """The bars of every source, each in one row of columns."""
    bars = (_bars_of(source, timeframe, *kind) for source in sources)
    return " UNION ALL ".join(_as_columns(statement, key) for key, statement in enumerate(bars))


def _bars_of(source: Source, timeframe: Timeframe, fill: bool, newest: bool) -> str:
    if fill:
        return resampling.filled_bars(source, timeframe, newest=newest)
    return (resampling.newest_bars if newest else resampling.oldest_bars)(source, timeframe)


def _as_columns(bars: str, key: int) -> str:
    """All bars in one row, each column as the bytes of its doubles.

    An array would carry the length of each number, and the driver would decode them one by one: half of the time for
    500 bars. NaN replaces null, so that all columns have the same length.
    """
    numbers = ["date_part('epoch', time) * 1000", "open", "high", "low", "close", "volume"]
    columns = (f"string_agg(float8send(coalesce(CAST({number} AS float8), 'NaN')), '')" for number in numbers)
    return f"SELECT {key} AS key, {', '.join(columns)} FROM ({bars}) AS bars"


def _columns(row: asyncpg.Record) -> CandleColumns | FullonError:
    bars = CandleColumns(*map(_doubles, row[1:]))
    if bars.time[1:] and bars.time[0] > bars.time[-1]:
        bars = bars.reversed()
    if bars.length > MAX_BARS:
        return BadUserInput(f"More than {MAX_BARS} bars. Request a shorter range, a longer timeframe, or `last`.")
    return bars


def _doubles(column: bytes | None) -> list[float]:
    """The numbers of a column; empty for null."""
    return list(struct.unpack(f">{len(column) // 8}d", column)) if column else []


def _unknown(market: Market) -> NotFound:
    return NotFound(f"No candles of {shortened(market.symbol)} on {shortened(market.exchange)}.")
