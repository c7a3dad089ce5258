"""The texts of the statements that read candles of several symbols, and the columns in their rows."""

# ruff: noqa: S608  # the statements consist of those of resampling.py, with quoted names; values are bound

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import chain

import asyncpg

from fullon_graphql.errors import FullonError
from fullon_graphql.lru import remembered
from fullon_graphql.ohlcv import resampling
from fullon_graphql.ohlcv.candles import CandleColumns
from fullon_graphql.ohlcv.sources import Source
from fullon_graphql.ohlcv.timeframes import Timeframe
from fullon_graphql.ohlcv.window import MAX_BARS, Kind, too_many_bars

Layers = tuple[Source, ...]
"""The sources of a symbol that make bars of a timeframe, in order of preference."""


def _statement_bytes(sql: str) -> int:
    return 2 * len(sql)  # the sources of a key take as much as their names in the statement


@remembered("candle_statements", 2 * 2**20, _statement_bytes)
def bars_of_symbols(layers: tuple[Layers, ...], timeframe: Timeframe, kind: Kind) -> str:
    """The bars of the preferred source of every symbol in one row of columns, and the edges of several sources."""
    several = any(len(sources) > 1 for sources in layers)
    bars = (_as_columns(_bars_of(sources[0], timeframe, *kind), key) for key, sources in enumerate(layers))
    if not several:
        return " UNION ALL ".join(bars)
    return " UNION ALL ".join(
        f"SELECT columns.*, {_edges(sources)} AS edges FROM ({statement}) AS columns"
        for sources, statement in zip(layers, bars, strict=True)
    )


@remembered("trade_figure_statements", 2**20, _statement_bytes)
def figures_of_trades(wanted: tuple[tuple[Timeframe, Layers], ...]) -> str:
    """Figures of the trades of every symbol, in one row of columns each, and the edges of its sources."""
    numbers = ["date_part('epoch', time) * 1000", "trades", "vwap", "buy_volume", "sell_volume"]
    parts = []
    for key, (timeframe, sources) in enumerate(wanted):
        source = next(source for source in sources if source.timeframe is None)
        figures = (
            resampling.trade_figures(source, timeframe).replace(":start", f":lo{key}").replace(":end", f":hi{key}")
        )
        part = f"SELECT figures.*, {_all_edges(sources)} AS edges FROM ({_packed(figures, key, numbers)}) AS figures"
        parts.append(part.replace(":as_of", f":as_of{key}"))
    return " UNION ALL ".join(parts)


def _edges(sources: Layers) -> str:
    return _all_edges(sources if len(sources) > 1 else ())


def _all_edges(sources: Layers) -> str:
    times = chain.from_iterable(map(resampling.edges, sources))
    return f"CAST(ARRAY[{', '.join(times)}] AS float8[])"


@remembered("candle_gap_statements", 2**20, _statement_bytes)
def bars_in_gaps(sources: Layers, timeframe: Timeframe, newest: bool) -> str:
    """The bars of each source in gaps of its own, in one row of columns per source."""
    bars = (_bars_of(source, timeframe, fill=False, newest=newest) for source in sources)
    return " UNION ALL ".join(_as_columns(resampling.in_gaps(one, key), key) for key, one in enumerate(bars))


def _bars_of(source: Source, timeframe: Timeframe, fill: bool, newest: bool) -> str:
    if fill:
        return resampling.filled_bars(source, timeframe, newest=newest)
    return (resampling.newest_bars if newest else resampling.oldest_bars)(source, timeframe)


def _as_columns(bars: str, key: int) -> str:
    return _packed(bars, key, ["date_part('epoch', time) * 1000", "open", "high", "low", "close", "volume"])


def _packed(rows: str, key: int, numbers: Sequence[str]) -> str:
    """All rows of a statement in one row, each column as the bytes of its doubles.

    An array would carry the length of each number, and the driver would decode them one by one: half of the time for
    500 bars. NaN replaces null, so that all columns have the same length.
    """
    columns = (f"string_agg(float8send(coalesce(CAST({number} AS float8), 'NaN')), '')" for number in numbers)
    return f"SELECT {key} AS key, {', '.join(columns)} FROM ({rows}) AS bars"


def columns_of(row: asyncpg.Record) -> CandleColumns | FullonError:
    """The bars of a symbol, oldest first, or an error if they are too many."""
    bars = CandleColumns(*map(doubles, row[1:7]))
    if bars.time[1:] and bars.time[0] > bars.time[-1]:
        bars = bars.reversed()
    return too_many_bars() if bars.length > MAX_BARS else bars


def doubles(column: bytes | None) -> list[float]:
    """The numbers of a column; empty for null."""
    return list(struct.unpack(f">{len(column) // 8}d", column)) if column else []
