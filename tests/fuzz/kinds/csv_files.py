"""Recordings for the candle store: damaged CSV, also compressed."""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from hypothesis import strategies as st

from fullon_graphql.errors import FullonError
from fullon_graphql.ohlcv.importing import TimeUnit, import_candles, import_trades
from tests.fuzz.harness import Kind
from tests.fuzz.hostile import mutated_bytes, texts
from tests.fuzz.world import World

TRADES: Final = "time_ms,trade_id,side,price,volume\n1795991963000,1,buy,100.5,1\n1795991963001,2,Sell,101,0.5\n"
CANDLES: Final = "time_ms,open,high,low,close,volume\n1795991940000,1,3,0.5,2,10\n1795992000000,2,2,2,2,0\n"
NUMBERS: Final = (
    "NaN",
    "Infinity",
    "-1",
    "0",
    "1e308",
    "1e400",
    "",
    "null",
    "9" * 30,
    "1795991963",
    "\\.",
    '"',
    "\0",
    "é",
)

Case = tuple[bool, bytes, bool, TimeUnit, str]
"""Whether the file has candles, its bytes, whether they are compressed, the unit of its times, and the symbol."""


def cases(_world: World) -> st.SearchStrategy[Case]:
    return st.booleans().flatmap(
        lambda candles: st.tuples(
            st.just(candles),
            _files(CANDLES if candles else TRADES),
            st.booleans(),
            st.sampled_from(TimeUnit),
            st.sampled_from(("BTC/USD", "XRP/ETH")) | texts,
        )
    )


def _files(sample: str) -> st.SearchStrategy[bytes]:
    replaced = st.builds(
        lambda line, column, value: _replaced(sample, line, column, value).encode(),
        st.integers(1, 2), st.integers(0, 4), st.sampled_from(NUMBERS),
    )  # fmt: skip
    return st.one_of(replaced, mutated_bytes(st.just(sample)), st.binary(max_size=50))


def _replaced(sample: str, line: int, column: int, value: str) -> str:
    lines = [row.split(",") for row in sample.splitlines()]
    lines[line][column] = value
    return "\n".join(",".join(row) for row in lines) + "\n"


async def play(world: World, case: Case) -> list[str]:
    candles, content, compressed, unit, symbol = case
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "recording.csv"
        data = gzip.compress(content) if compressed else content
        path.write_bytes(data[: len(data) - len(content) % 3] if compressed else data)  # some are cut
        import_: Callable[..., Awaitable[object]] = import_candles if candles else import_trades
        try:
            await import_(world.ohlcv, path, "fuzzed", symbol, time_unit=unit)
        except FullonError as error:
            return [] if error.status < 500 else [repr(error)]
    bars = '($s: String!) { candles(exchange: "fuzzed", symbol: $s, timeframe: H1, last: 10) { time close } }'
    return await world.ask(f"query {bars}", variables={"s": symbol})


KIND: Final = Kind("csv files", cases, play)
