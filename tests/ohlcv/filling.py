"""Helpers that write prices into the candle store and read them back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import text

from fullon_graphql.database import Database
from fullon_graphql.errors import FullonError
from fullon_graphql.ohlcv.candles import Candle, CandleColumns
from fullon_graphql.ohlcv.sources import Market
from fullon_graphql.ohlcv.store import CandleStore
from fullon_graphql.ohlcv.timeframes import Timeframe
from fullon_graphql.ohlcv.window import Window
from fullon_graphql.ohlcv.writer import create_candles, create_trades, upsert_candles

NOON = datetime(2024, 3, 4, 12, tzinfo=UTC)


class Trade(NamedTuple):
    time: datetime
    price: float
    volume: float
    ord: str


def flat(time: datetime, price: float = 1.0, volume: float = 1.0) -> Candle:
    return Candle(time, price, price, price, price, volume)


def minutes(*offsets: int, start: datetime = NOON) -> list[Candle]:
    """Candles at these offsets from `start`, in minutes; the price is the offset."""
    return [flat(start + timedelta(minutes=offset), price=float(offset)) for offset in offsets]


async def read_columns(
    store: CandleStore,
    exchange: str,
    symbol: str,
    timeframe: Timeframe,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    last: int | None = None,
    fill: bool = False,
) -> CandleColumns:
    [answer] = await store.candles([Market(exchange, symbol)], timeframe, Window(start, end, last, fill))
    if isinstance(answer, FullonError):
        raise answer
    return answer


async def read_candles(
    store: CandleStore, exchange: str, symbol: str, timeframe: Timeframe, **window: Any
) -> list[Candle]:
    return (await read_columns(store, exchange, symbol, timeframe, **window)).rows()


async def put_candles(
    database: Database, symbol: str, candles: Iterable[Candle], timeframe: Timeframe = Timeframe.M1
) -> None:
    async with database.transaction() as connection:
        await create_candles(connection, "kraken", symbol, timeframe)
        await upsert_candles(connection, "kraken", symbol, candles, timeframe)


async def put_trades(database: Database, symbol: str, trades: Sequence[Trade]) -> None:
    async with database.transaction() as connection:
        table = await create_trades(connection, "kraken", symbol)
        if trades:
            await connection.execute(
                text(f"INSERT INTO {table} VALUES (:time, :price, :volume, 'buy', 'market', :ord)"),
                [trade._asdict() for trade in trades],
            )


async def run(database: Database, statement: str) -> None:
    async with database.transaction() as connection:
        await connection.execute(text(statement))


def write(file: Path, content: str | bytes) -> None:
    """Write a recording; lone surrogates become bytes that are not UTF-8."""
    file.write_bytes(content if isinstance(content, bytes) else content.encode(errors="surrogateescape"))
