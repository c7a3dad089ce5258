"""Reading candles: one statement per call for any timeframe and number of symbols, and one more for their gaps."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice, repeat
from operator import itemgetter
from typing import Any, Final, TypeVar

import asyncpg
from sqlalchemy import Executable

from fullon_graphql.database import Database
from fullon_graphql.errors import BadUserInput, FullonError, NotFound, shortened
from fullon_graphql.joined_calls import KeyedCalls
from fullon_graphql.ohlcv import corrections, coverage, resampling, stored, trade_figures
from fullon_graphql.ohlcv.candles import Candle, CandleColumns
from fullon_graphql.ohlcv.combining import Bar, Buckets, Gap, Span, combined, filled, gaps, overlapping, uncovered
from fullon_graphql.ohlcv.coverage import Coverage
from fullon_graphql.ohlcv.sources import Catalogue, Market, Source
from fullon_graphql.ohlcv.sql import (
    Layers,
    bars_in_gaps,
    bars_of_symbols,
    columns_of,
    doubles,
    figures_of_trades,
)
from fullon_graphql.ohlcv.stored import Extent, PricedTrade, Trade
from fullon_graphql.ohlcv.timeframes import Timeframe
from fullon_graphql.ohlcv.trade_figures import Edges, FiguresByTime, Stretch
from fullon_graphql.ohlcv.window import MAX_BARS, Window, aware, too_many_bars

T = TypeVar("T")

MOST_GAPS: Final = 100
"""The most gaps that are read one by one."""


class CandleStore:
    """The candles of every exchange and symbol in one database. Reads only; creates nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._catalogue = Catalogue(database)
        self.known_sources = self._catalogue.known
        self._has_coverage = False
        self._has_corrections = False
        self._joined = KeyedCalls(self._candles)
        """Charts of one market read the same bars at the same time, when a bar has ended."""

    async def candles(
        self, markets: Sequence[Market], timeframe: Timeframe, window: Window
    ) -> list[CandleColumns | FullonError]:
        """The bars of many symbols in one statement, oldest first, in the order of `markets`.

        With `fill`, empty buckets repeat the last close with volume 0: never before the first bar of the series, and
        at the end up to `end` (but not into the future) or, without it, up to the newest bar. A symbol whose tables
        are empty or have only bars too coarse for `timeframe` has no bars.

        A symbol without tables, or with more than MAX_BARS bars, has its error in its place, as data loaders expect.
        Equal calls that wait at the same time share a statement, and the bars.
        """
        return [*await self._joined((tuple(markets), timeframe, window))]

    async def newest_trades(self, market: Market, limit: int) -> list[Trade]:
        """The newest `limit` trades, oldest first; empty if only candles are stored.

        Raises:
            NotFound: the symbol has no table.
        """
        return await self._retried(lambda: self._trades(market, stored.newest_trades, {"count": limit}, Trade))

    async def trades(self, market: Market, start: datetime, end: datetime, limit: int) -> list[Trade]:
        """The first `limit` trades in [start, end], oldest first. Raises as `newest_trades` does.

        Raises:
            BadUserInput: start is after end.
        """
        if start > end:
            raise BadUserInput(f"start must not be after end; got {start:%FT%TZ} and {end:%FT%TZ}.", field="start")
        bounds = {"start": start, "end": end, "count": limit}
        return await self._retried(lambda: self._trades(market, stored.trades_between, bounds, Trade))

    async def trades_page(
        self, market: Market, start: datetime, end: datetime, limit: int, skip: int
    ) -> list[PricedTrade]:
        """The first `limit` trades in [start, end) after `skip` others, in order. Raises as `newest_trades` does."""
        bounds = {"start": start, "end": end, "count": limit, "skip": skip}
        return await self._retried(lambda: self._trades(market, stored.trades_page, bounds, PricedTrade))

    async def trade_figures(self, stretches: Sequence[Stretch]) -> list[FiguresByTime]:
        """Figures of the stored trades of bars, in the order of `stretches`, in one statement.

        A symbol without stored trades has none.
        """
        return await self._retried(lambda: self._figures(stretches))

    async def extents(self, market: Market) -> list[Extent]:
        """The period of each source of a symbol, the preferred source first. Raises as `newest_trades` does."""
        return await self._retried(lambda: self._extents(market))

    async def coverage(self, market: Market, start: datetime | None, end: datetime | None) -> Coverage:
        """Which minutes that start in [start, end) are stored and which are missing; see coverage.py.

        By default since the oldest stored minute, until now. The minute that is not over is left out.

        Raises:
            BadUserInput: start is not before end, or the period is longer than two years.
            NotFound: the symbol has no table.
        """
        start, end = _minutes(start, end)
        return await self._retried(lambda: self._coverage(market, start, end))

    def nothing_stored(self, start: datetime | None, end: datetime | None) -> Coverage:
        """The report about a symbol without tables. Raises `BadUserInput` as `coverage` does."""
        start, end = _minutes(start, end)
        gaps = [coverage.MissingPeriod(start, end)] if start and start < end else []
        missing = sum(gap.minutes for gap in gaps)
        return Coverage(start or end, end, missing, 0, 0, len(gaps), gaps, None)

    async def _coverage(self, market: Market, start: datetime | None, end: datetime) -> Coverage:
        sources = await self._sources(market)
        self._has_coverage = self._has_coverage or await self._exists(coverage.RECORDED)
        statement = coverage.statement(sources, recorded=self._has_coverage)
        [record] = await self._database.named_records(statement, coverage.parameters(market, start, end))
        return coverage.from_record(record)

    async def stored(self, markets: Sequence[Market]) -> set[Market]:
        """Those of `markets` that have a table."""
        return set(await self._catalogue.find(markets))

    async def _retried(self, read: Callable[[], Awaitable[T]]) -> T:
        """Read, and once more with a fresh catalogue if a known table is missing."""
        try:
            return await read()
        except asyncpg.UndefinedTableError:
            self._catalogue.forget()
            self._has_coverage = self._has_corrections = False
            return await read()

    async def _exists(self, table: Executable) -> bool:
        row = await self._database.row(table)
        return bool(row and row.exists)

    async def _sources(self, market: Market) -> tuple[Source, ...]:
        found = await self._catalogue.find([market])
        if market not in found:
            raise _unknown(market)
        return found[market]

    async def _trades(
        self, market: Market, statement: Callable[[Source], str], parameters: dict[str, Any], kind: Callable[..., T]
    ) -> list[T]:
        source = next((source for source in await self._sources(market) if source.timeframe is None), None)
        if source is None:
            return []
        return [kind(*row) for row in await self._database.named_records(statement(source), parameters)]

    async def _figures(self, stretches: Sequence[Stretch]) -> list[FiguresByTime]:
        found = await self._catalogue.find([one.market for one in stretches])
        wanted = {
            place: _as_known(found[one.market], corrections=False) if one.as_of else found[one.market]
            for place, one in enumerate(stretches)
            if any(source.timeframe is None for source in found.get(one.market, ()))
        }
        if not wanted:
            return [{} for _ in stretches]
        statement = figures_of_trades(tuple((stretches[place].timeframe, wanted[place]) for place in wanted))
        parameters: dict[str, Any] = {}
        for key, place in enumerate(wanted):
            one = stretches[place]
            parameters[f"lo{key}"] = one.timeframe.bucket_start(one.first)
            parameters[f"hi{key}"] = one.timeframe.next_bucket(one.timeframe.bucket_start(one.last))
            parameters[f"as_of{key}"] = one.as_of
        rows = sorted(await self._database.named_records(statement, parameters), key=itemgetter("key"))
        answers: list[FiguresByTime] = [{} for _ in stretches]
        for place, row in zip(wanted, rows, strict=True):
            edges = list(map(Edges, row["edges"][::2], row["edges"][1::2]))
            trades = edges.pop(next(n for n, source in enumerate(wanted[place]) if source.timeframe is None))
            columns = list(map(doubles, row[1:6]))
            answers[place] = trade_figures.by_time(stretches[place].timeframe, columns, trades, edges)
        return answers

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
        sources = _usable((await self._catalogue.find([market])).get(market, ()), timeframe)
        if not sources:
            return None
        statement = " UNION ALL ".join(resampling.newest_row(source, key) for key, source in enumerate(sources))
        newest = [
            (sources[row["key"]], row["time"].replace(tzinfo=UTC))
            for row in await self._database.records(statement)
            if row["time"] is not None
        ]
        return _complete(newest)

    async def _candles(
        self, asked: tuple[tuple[Market, ...], Timeframe, Window]
    ) -> Sequence[CandleColumns | FullonError]:
        return await self._retried(lambda: self._answer(*asked))

    async def _answer(
        self, markets: Sequence[Market], timeframe: Timeframe, window: Window
    ) -> list[CandleColumns | FullonError]:
        found = await self._catalogue.find(markets)
        layers = {market: usable for market, sources in found.items() if (usable := _usable(sources, timeframe))}
        if window.as_of and layers:
            self._has_corrections = self._has_corrections or await self._exists(corrections.RECORDED)
            layers = {market: _as_known(one, corrections=self._has_corrections) for market, one in layers.items()}
        bars = await self._bars(list(layers.values()), timeframe, window)
        nothing: dict[Market, CandleColumns | FullonError] = dict.fromkeys(found, CandleColumns.empty())
        answers = nothing | dict(zip(layers, bars, strict=True))
        return [answers.get(market) or _unknown(market) for market in markets]

    async def _bars(
        self, layers: Sequence[Layers], timeframe: Timeframe, window: Window
    ) -> list[CandleColumns | FullonError]:
        """The bars of each symbol, of its sources in order of preference."""
        if not layers:
            return []
        if not window.fill:
            return await self._read(layers, timeframe, window)
        in_python = [len(sources) > 1 for sources in layers]
        in_sql = [sources for sources, apart in zip(layers, in_python, strict=True) if not apart]
        read = iter(await self._read(in_sql, timeframe, window) if in_sql else ())
        return [
            await self._filled(sources, timeframe, window) if apart else next(read)
            for sources, apart in zip(layers, in_python, strict=True)
        ]

    async def _read(
        self, layers: Sequence[Layers], timeframe: Timeframe, window: Window
    ) -> list[CandleColumns | FullonError]:
        """The bars of the preferred sources; one more statement reads the buckets that they do not cover."""
        statement = bars_of_symbols(tuple(layers), timeframe, window.kind)
        rows = sorted(await self._database.named_records(statement, window.parameters), key=itemgetter("key"))
        answers = [columns_of(row) for row in rows]
        open_ = {
            number: found
            for number, (sources, bars, row) in enumerate(zip(layers, answers, rows, strict=True))
            if len(sources) > 1 and isinstance(bars, CandleColumns)
            if (found := _open(sources, timeframe, window, bars, row["edges"])).gaps
        }
        if open_:
            for number, bars in (await self._completed(open_, timeframe, window)).items():
                answers[number] = bars
        return answers

    async def _completed(
        self, open_: dict[int, Open], timeframe: Timeframe, window: Window
    ) -> dict[int, CandleColumns | FullonError]:
        """The bars with those of the further sources in the gaps."""
        further = [(number, rank) for number, one in open_.items() for rank in range(1, len(one.sources))]
        sources = tuple(open_[number].sources[rank] for number, rank in further)
        parameters = window.parameters
        for key, (number, _) in enumerate(further):
            parameters[f"lo{key}"] = [_instant(gap.start) for gap in open_[number].gaps]
            parameters[f"hi{key}"] = [_instant(gap.end) for gap in open_[number].gaps]
        statement = bars_in_gaps(sources, timeframe, window.kind[1])
        found = {number: list(one.bars) for number, one in open_.items()}
        for row in await self._database.named_records(statement, parameters):
            number, rank = further[row["key"]]
            time, *values = map(doubles, row[1:7])
            found[number] += map(Bar, time, repeat(rank), zip(*values, strict=True))
        buckets = Buckets(timeframe)
        return {
            number: _selected(combined(buckets, bars, open_[number].partial), window) for number, bars in found.items()
        }

    async def _filled(self, sources: Layers, timeframe: Timeframe, window: Window) -> CandleColumns | FullonError:
        """The bars of several sources without gaps, as `resampling.filled_bars` computes them for one source."""
        now = window.present
        start, end = aware(window.start), aware(window.end)

        async def read(one: Window) -> list[Candle]:
            [bars] = await self._read([sources], timeframe, replace(one, as_of=window.as_of))
            if isinstance(bars, FullonError):
                raise bars
            return bars.rows()

        newest = await read(Window(end=end, last=1))
        if not newest:
            return CandleColumns.empty()
        [oldest] = await self._read([sources], timeframe, Window(end=end, first=1, as_of=window.as_of))
        assert isinstance(oldest, CandleColumns), "one bar is not too many"
        buckets = Buckets(timeframe)
        lo, hi = buckets.start(oldest.time[0]), timeframe.bucket_start(newest[-1].time)
        if start is not None:
            lo = max(lo, buckets.ceiling(start.timestamp() * 1000))
        if end is not None:
            last = timeframe.bucket_start(min(end - timedelta(microseconds=1), now))
            hi = max(hi, last)
        first = datetime.fromtimestamp(lo / 1000, UTC)
        return await self._filled_between(read, timeframe, first, hi, window.last)

    async def _filled_between(
        self,
        read: Callable[[Window], Awaitable[list[Candle]]],
        timeframe: Timeframe,
        first: datetime,
        last: datetime,
        count: int | None,
    ) -> CandleColumns | FullonError:
        starts = list(islice(_buckets_back(timeframe, first, last), (count or MAX_BARS) + 1))
        if len(starts) > MAX_BARS and count is None:
            return too_many_bars()
        starts = starts[:count]
        if not starts:
            return CandleColumns.empty()
        first, end = starts[-1], timeframe.next_bucket(starts[0])
        bars = await read(Window(start=first, end=end))
        before = [] if bars and bars[0].time <= first else await read(Window(end=first, last=1))
        carried = before[-1].close if before else math.nan
        return CandleColumns.of(list(filled(timeframe, bars, first, starts[0], carried)))


@dataclass(frozen=True, slots=True)
class Open:
    """The gaps that the preferred source of a symbol leaves."""

    sources: Layers
    gaps: list[Gap]
    bars: list[Bar]
    """The bars of the preferred source."""
    partial: list[set[float]]
    """The starts of the buckets that each source covers in part."""


def _open(
    sources: Layers, timeframe: Timeframe, window: Window, columns: CandleColumns, edges: list[float | None]
) -> Open:
    buckets, times = Buckets(timeframe), columns.time
    spans = [Span(edges[2 * n], edges[2 * n + 1], _width(source.timeframe)) for n, source in enumerate(sources)]
    start, end = map(_unix_milliseconds, (window.start, window.end))
    if start is not None:
        start = buckets.ceiling(start)
    if window.last == len(times) and times:
        start = times[0]
    if (
        sources[0].timeframe is not timeframe
        and spans[0].oldest is None
        and times
        and (start is None or start < times[0])
    ):
        spans[0] = spans[0]._replace(oldest=times[0] + 1)  # a view may begin in its first bucket
    partial = [uncovered(buckets, spans, rank) for rank in range(len(spans))]
    shared = [Gap(one, buckets.following(one)) for one in sorted(partial[0].intersection(times))]
    found = overlapping(spans[1:], gaps(buckets, times, start, end) + shared)
    if len(found) > MOST_GAPS:  # one scan is cheaper than many
        found = [Gap(found[0].start, found[-1].end)]
    values = zip(columns.open, columns.high, columns.low, columns.close, columns.volume, strict=True)
    return Open(sources, found, list(map(Bar, times, repeat(0), values)) if found else [], partial)


def _selected(bars: list[Bar], window: Window) -> CandleColumns | FullonError:
    bars = bars[-window.last :] if window.last else bars[: window.first]
    if len(bars) > MAX_BARS:
        return too_many_bars()
    values = list(zip(*(bar.values for bar in bars), strict=True)) or [()] * 5
    return CandleColumns([bar.time for bar in bars], *map(list, values))


def _usable(sources: Sequence[Source], timeframe: Timeframe) -> Layers:
    return tuple(source for source in sources if source.makes(timeframe))


def _as_known(sources: Layers, *, corrections: bool) -> Layers:
    return tuple(source.as_known(corrections=corrections) for source in sources)


def _complete(newest: Sequence[tuple[Source, datetime]]) -> datetime | None:
    """The time until which the sources are complete; trades and minutes count before coarser, perhaps forming bars."""
    fine = [(source, time) for source, time in newest if source.timeframe in {None, Timeframe.M1}]
    front = max((time for _, time in newest), default=None)
    live = fine if any(time == front for _, time in fine) else [one for one in newest if one[1] == front]
    return max((_complete_of(source, time) for source, time in live), default=None)


def _complete_of(source: Source, newest: datetime) -> datetime:
    part = source.timeframe or Timeframe.M1
    start = part.bucket_start(newest)
    return start if source.computed else part.next_bucket(start)


def _width(timeframe: Timeframe | None) -> float:
    """The milliseconds that a row of a source covers; the newest trade covers its minute."""
    return ((timeframe or Timeframe.M1).width or timedelta()).total_seconds() * 1000


def _unix_milliseconds(time: datetime | None) -> float | None:
    zoned = aware(time)
    return None if zoned is None else zoned.timestamp() * 1000


def _instant(milliseconds: float | None) -> datetime | None:
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)


def _minutes(start: datetime | None, end: datetime | None) -> tuple[datetime | None, datetime]:
    """The whole minutes of a report that start in [start, end) and are over."""
    start, end = aware(start), aware(end)
    Window(start, end)  # checks the order
    now = Timeframe.M1.bucket_start(datetime.now(UTC))
    end = _minute_at_or_after(max(min(end, now), coverage.EARLIEST)) if end else now
    if start:
        start = _minute_at_or_after(max(min(start, end), coverage.EARLIEST))
        if end - start > timedelta(days=coverage.MOST_DAYS):
            raise BadUserInput(
                f"A report covers at most {coverage.MOST_DAYS} days, not {(end - start).days}. Request a shorter"
                " period.",
                field="from",
            )
    return start, end


def _minute_at_or_after(time: datetime) -> datetime:
    start = Timeframe.M1.bucket_start(time)
    return start if start == time else Timeframe.M1.next_bucket(start)


def _buckets_back(timeframe: Timeframe, first: datetime, last: datetime) -> Iterator[datetime]:
    """The bucket starts from `last` back to `first`."""
    while last >= first:
        yield last
        last = timeframe.bucket_start(last - timedelta(microseconds=1))


def _unknown(market: Market) -> NotFound:
    return NotFound(f"No candles of {shortened(market.symbol)} on {shortened(market.exchange)}.")
