"""Names in the candle database: one schema per exchange, several tables per symbol.

`kraken` and `BTC/USD:BTC` become `"kraken"."btc_usd_btc_trades"` and `"kraken"."btc_usd_btc_candles1m"`.
"""

from __future__ import annotations

import re
from typing import Final

from fullon_graphql.errors import BadUserInput, shortened
from fullon_graphql.ohlcv.timeframes import Timeframe

_EXCHANGE: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")
_RESERVED: Final = re.compile(r"public|information_schema|fullon_graphql|pg_.*")
_SEPARATORS: Final = str.maketrans("/:-", "___")
_LONGEST_STEM: Final = 63 - len("_candles1m_view")  # PostgreSQL truncates longer names, and two symbols could share one


def schema_name(exchange: str) -> str:
    """The schema of `exchange`, unquoted.

    Schemas that are not an exchange's are rejected: if both databases are one, `public.dry_trades` would otherwise be
    readable as the trades of a symbol `DRY`.

    Raises:
        BadUserInput: an exchange cannot have this name.
    """
    name = exchange.lower()
    if not _EXCHANGE.fullmatch(name) or _RESERVED.fullmatch(name):
        raise BadUserInput(
            f"{shortened(exchange)} is not a valid exchange name: use at most 63 of a-z, 0-9, '_', '.' and '-'.",
            field="exchange",
        )
    return name


def table_stem(symbol: str) -> str:
    """The common prefix of all table names of `symbol`: `btc_usd` for `BTC/USD`.

    Raises:
        BadUserInput: empty, too long or unprintable.
    """
    stem = shared_stem(symbol)
    if not stem.isprintable() or not 0 < len(stem.encode()) <= _LONGEST_STEM:
        raise BadUserInput(
            f"{shortened(symbol)} is not a valid symbol: use 1 to {_LONGEST_STEM} printable characters.", field="symbol"
        )
    return stem


def shared_stem(symbol: str) -> str:
    """The same without a check: symbols of one exchange that have it in common would share their tables."""
    return symbol.lower().translate(_SEPARATORS)


def trades_table(symbol: str) -> str:
    """The table of raw trades, unquoted and without its schema."""
    return f"{table_stem(symbol)}_trades"


def candles_table(symbol: str, timeframe: Timeframe = Timeframe.M1) -> str:
    """The table of candles of one fixed width, unquoted and without its schema."""
    return f"{table_stem(symbol)}_candles{timeframe}"


def candles_view(symbol: str) -> str:
    """The view of one-minute candles over the trades, which an installation may have."""
    return f"{candles_table(symbol)}_view"


def quoted(schema: str, table: str) -> str:
    """`"schema"."table"`, safe inside a statement for any names."""
    return ".".join('"' + name.replace('"', '""') + '"' for name in (schema, table))
