"""The tables and views with a symbol's prices, found in PostgreSQL's catalogue. Nothing is assumed or created."""

# ruff: noqa: S608  # names come quoted from naming.py, values are bound

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, text

from fullon_graphql.database import Database
from fullon_graphql.errors import BadUserInput
from fullon_graphql.lru import ENTRY_BYTES, LRUCache
from fullon_graphql.ohlcv.corrections import first_correction
from fullon_graphql.ohlcv.naming import candles_table, candles_view, quoted, schema_name, trades_table
from fullon_graphql.ohlcv.timeframes import Timeframe

_REMEMBERED_FOR: Final = 60.0
"""Seconds until a symbol is looked up again, to find sources created since."""

CATALOGUE_BYTES: Final = 4 * 2**20
"""The memory of the sources of about 2000 symbols."""
_SOURCE_BYTES: Final = 600

_TRADE_NUMBER: Final = "CASE WHEN ord ~ '^[0-9]+$' THEN CAST(ord AS numeric) END"

_FIRST: Final = "0001-01-01 00:00:00+00"
_LAST: Final = "9999-12-31 00:00:00+00"

_Key = tuple[str, str]
"""Schema and trades table: equal for all spellings of a symbol."""


class Market(NamedTuple):
    """One symbol on one exchange, in the caller's spelling."""

    exchange: str
    symbol: str


class Source(NamedTuple):
    """A table or view that bars can be read from.

    `timeframe` is that of its candles, None for trades. `aware`: its times carry a zone (else they are UTC).
    `indexed`: an index finds the newest row before a time. `computed`: its newest candle is computed from trades and
    may still change. `order`: the columns that sort its rows in order of time.
    `has_sides`: its trades have a side. `as_of`: only rows of the time before the parameter as_of. `stored_volume`: the
    stored volume if later corrections are undone (`as_known`), else None.
    """

    name: str
    timeframe: Timeframe | None
    aware: bool
    indexed: bool
    computed: bool
    volume: str
    order: tuple[str, ...]
    has_sides: bool = False
    as_of: bool = False
    stored_volume: str | None = None

    @property
    def rows(self) -> str:
        """The rows with finite prices and a time within the years 1 to 9999, for FROM.

        A row without them, e.g. of a gap-filling view, is no bar and no trade. `coalesce` makes PostgreSQL expect half
        of the rows. Of `abs(x) < y` it expects a third, of four columns a hundredth, and then reads whole tables.
        """
        if self.stored_volume is None:
            return self.times
        return f"""(
            SELECT "timestamp", coalesce(was_open, open) AS open, coalesce(was_high, high) AS high,
                coalesce(was_low, low) AS low, coalesce(was_close, close) AS close,
                coalesce(was_volume, {self.stored_volume}) AS volume
            FROM {self.name} AS stored LEFT JOIN LATERAL ({first_correction(self.name)}) AS was ON true
            WHERE {self._conditions}
        ) AS priced"""

    @property
    def times(self) -> str:
        """The same rows with the prices that are stored now: enough for statements that read only times."""
        place = ", ctid" if "ctid" in self.order else ""
        return f"(SELECT *{place} FROM {self.name} WHERE {self._conditions}) AS priced"

    @property
    def _conditions(self) -> str:
        columns = ("open", "high", "low", "close") if self.timeframe else ("price",)
        finite = " AND ".join(f"abs({column}) < 'infinity'" for column in columns)
        dated = f"""\"timestamp\" BETWEEN '{_FIRST}' AND '{_LAST}'"""
        return f"{dated} AND coalesce({finite}, false){self._known}"

    @property
    def _known(self) -> str:
        """With `as_of`, the condition that a trade has been made, or the period of a candle has ended, by that time."""
        if not self.as_of:
            return ""
        end = "CAST(:as_of AS timestamptz)"
        if self.timeframe and self.timeframe.width:
            end = f"({end} - interval '{self.timeframe.width.total_seconds():.0f} seconds')"
        return f""" AND "timestamp" <= {end if self.aware else f"({end} AT TIME ZONE 'UTC')"}"""

    def as_known(self, *, corrections: bool) -> Source:
        """The source with the rows and values of the time in the parameter as_of.

        `corrections`: the table of corrections exists.
        """
        if not corrections or self.timeframe is None or self.computed:
            return self._replace(as_of=True)
        return self._replace(as_of=True, volume="volume", stored_volume=self.volume)

    @property
    def trade_number(self) -> str | None:
        """The exchange's trade id as a number, null for other ids; None if the table has no ids."""
        return _TRADE_NUMBER if _TRADE_NUMBER in self.order else None

    def makes(self, timeframe: Timeframe) -> bool:
        """True if bars of `timeframe` can be computed from this source."""
        return self.timeframe is None or timeframe.consists_of(self.timeframe)


class Catalogue:
    """The sources of each symbol, cached for a minute within `CATALOGUE_BYTES`.

    A symbol without sources is looked up every time.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.known: LRUCache[_Key, tuple[float, tuple[Source, ...]]] = LRUCache(CATALOGUE_BYTES)

    async def find(self, markets: Iterable[Market]) -> dict[Market, tuple[Source, ...]]:
        """The sources with rows, in order of preference, for each of `markets` that has a table.

        A view of one-minute candles comes before the table of them, then trades, then coarser candles.
        """
        keys = {market: key for market in markets if (key := _key(market))}
        now = time.monotonic()
        known = {key: found[1] for key in keys.values() if (found := self.known.get(key)) and found[0] > now}
        missing = {key: market.symbol for market, key in keys.items() if key not in known}
        if missing:
            discovered = await self._discover(missing)
            for key, sources in discovered.items():
                if sources:
                    self.known.put(key, (now + _REMEMBERED_FOR, sources), ENTRY_BYTES + _SOURCE_BYTES * len(sources))
            known |= discovered
        return {market: known[key] for market, key in keys.items() if key in known}

    def forget(self) -> None:
        """Drop the cache: a known table is missing."""
        self.known.clear()

    async def _discover(self, symbols: Mapping[_Key, str]) -> dict[_Key, tuple[Source, ...]]:
        wanted = [(key, name) for key, symbol in symbols.items() for name in _tables(symbol)]
        rows = await self._database.rows(
            _LOOKUP, {"schemas": [schema for (schema, _), _ in wanted], "tables": [name for _, name in wanted]}
        )
        known = {(row.schema, row.name): source for row in rows if (source := _source(row))}
        filled = await self._not_empty([source.name for source in known.values()])
        found: dict[_Key, tuple[Source, ...]] = {}
        for key, name in wanted:
            if source := known.get((key[0], name)):
                found[key] = found.get(key, ()) + ((source,) if source.name in filled else ())
        return found

    async def _not_empty(self, names: Sequence[str]) -> set[str]:
        if not names:
            return set()
        row = await self._database.row(text("SELECT " + ", ".join(f"EXISTS (SELECT FROM {name})" for name in names)))
        return {name for name, filled in zip(names, row or (), strict=True) if filled}


_COARSER: Final = [timeframe for timeframe in Timeframe if timeframe.width and timeframe is not Timeframe.M1]
_CANDLE_COLUMNS: Final = {"open", "high", "low", "close"}
_TRADE_COLUMNS: Final = {"price", "volume"}

_LOOKUP: Final = text("""
    SELECT wanted.schema, wanted.name, t.atttypid = CAST('timestamptz' AS regtype) AS aware,
        ARRAY(SELECT attname FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped) AS columns,
        pg_column_is_updatable(c.oid, t.attnum, false) AND c.relkind = 'v'
            OR EXISTS (SELECT FROM pg_index WHERE indrelid = c.oid AND indisvalid AND indkey[0] = t.attnum) AS indexed,
        c.relkind = 'r' AND NOT c.relhassubclass AS plain
    FROM unnest(CAST(:schemas AS text[]), CAST(:tables AS text[])) AS wanted (schema, name)
    JOIN pg_namespace n ON n.nspname = wanted.schema
    JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name AND c.relkind IN ('r', 'p', 'f', 'v', 'm')
    JOIN pg_attribute t ON t.attrelid = c.oid AND t.attname = 'timestamp'
""")  # a view's column is updatable if it passes a table's column through, with its index


def _key(market: Market) -> _Key | None:
    try:
        return schema_name(market.exchange), trades_table(market.symbol)
    except BadUserInput:
        return None  # an invalid name has no tables


def _tables(symbol: str) -> list[str]:
    """Possible tables and views of a symbol, in order of preference."""
    names = [candles_view(symbol), candles_table(symbol), trades_table(symbol)]
    return names + [candles_table(symbol, coarser) for coarser in _COARSER]


def _source(row: Row[Any]) -> Source | None:
    """The source described by a row of the catalogue; None if required columns are missing."""
    name, columns = quoted(row.schema, row.name), set(row.columns)
    if row.name.endswith("_trades"):
        if not columns >= _TRADE_COLUMNS:
            return None
        return Source(name, None, row.aware, row.indexed, True, _finite("volume"), _order(row), "side" in columns)
    volume = next((column for column in ("vol", "volume") if column in columns), None)
    if volume is None or not columns >= _CANDLE_COLUMNS:
        return None
    timeframe = Timeframe(row.name.removesuffix("_view").rpartition("_candles")[2])
    computed = row.name.endswith("_view")
    return Source(name, timeframe, row.aware, row.indexed, computed, _finite(volume), ('"timestamp"',))


def _finite(volume: str) -> str:
    return f"CASE WHEN abs({volume}) < 'infinity' THEN {volume} ELSE 0 END"


def _order(row: Row[Any]) -> tuple[str, ...]:
    """Trades of one millisecond are sorted by the exchange's trade id, and without one by order of insertion."""
    order = ['"timestamp"']
    if "ord" in row.columns:
        order.append(_TRADE_NUMBER)
    if row.plain:  # compressed chunks of a hypertable have no ctid
        order.append("ctid")
    return tuple(order)
