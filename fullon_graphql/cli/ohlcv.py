"""`fullon-graphql ohlcv`: import of recordings into the candle store."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import sqlalchemy.exc
import typer
from redis.exceptions import RedisError
from rich.console import Console
from rich.progress import Progress

from fullon_graphql.cache.candles import announce
from fullon_graphql.cache.client import connect
from fullon_graphql.config import Settings, load_settings
from fullon_graphql.database import Database
from fullon_graphql.errors import Conflict, FullonError, shortened
from fullon_graphql.ohlcv import importing
from fullon_graphql.ohlcv.csvfile import OnProgress
from fullon_graphql.ohlcv.importing import ImportResult, TimeUnit
from fullon_graphql.ohlcv.timeframes import Timeframe
from fullon_graphql.services import symbols

app = typer.Typer(name="ohlcv", help="Import recordings (CSV or CSV.gz) into the candle store.", no_args_is_help=True)

File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, show_default=False)]
Exchange = Annotated[str, typer.Option(help="Exchange of the recording, e.g. kraken.", show_default=False)]
Symbol = Annotated[str, typer.Option(help="Symbol in the platform's spelling, e.g. BTC/USD.", show_default=False)]

Unit = Annotated[TimeUnit, typer.Option(help="Unit of the times in the column time_ms.")]

_Import = Callable[[Database, OnProgress], Awaitable[ImportResult]]


@app.command()
def import_trades(file: File, exchange: Exchange, symbol: Symbol, time_unit: Unit = TimeUnit.MS) -> None:
    """Import trades: columns time_ms, trade_id, side, price, volume. A second import changes nothing."""
    _run(
        (exchange, symbol),
        lambda database, show: importing.import_trades(
            database, file, exchange, symbol, time_unit=time_unit, on_progress=show
        ),
    )


@app.command()
def import_candles(
    file: File,
    exchange: Exchange,
    symbol: Symbol,
    timeframe: Annotated[Timeframe, typer.Option(help="Timeframe of the recorded candles.")] = Timeframe.M1,
    time_unit: Unit = TimeUnit.MS,
) -> None:
    """Import candles: columns time_ms, open, high, low, close, volume. A second import changes nothing."""
    _run(
        (exchange, symbol),
        lambda database, show: importing.import_candles(
            database, file, exchange, symbol, timeframe=timeframe, time_unit=time_unit, on_progress=show
        ),
    )


def _run(instrument: tuple[str, str], import_file: _Import) -> None:
    """Import and print one summary line. An expected error is one line and exit code 1."""
    started = time.monotonic()
    try:
        imported = asyncio.run(_import(instrument, import_file, load_settings()))
    except FullonError as error:
        typer.secho(error.message, fg="red", err=True)
        raise typer.Exit(1) from error
    except (OSError, sqlalchemy.exc.OperationalError, sqlalchemy.exc.InterfaceError) as error:
        typer.secho(
            f"The candle database does not answer ({error}). Check OHLCV_DATABASE_URL, or start the demo first.",
            fg="red",
            err=True,
        )
        raise typer.Exit(1) from error
    typer.echo(_summary(imported, time.monotonic() - started))


async def _import(instrument: tuple[str, str], import_file: _Import, settings: Settings) -> ImportResult:
    """Import, and announce it to subscribers of the instrument's candles.

    Raises:
        Conflict: the tables belong to another symbol of the catalogue.
    """
    await _require_own_tables(*instrument, settings)
    imported = await _with_progress(import_file, settings)
    redis = connect(settings.redis_url, settings, "import")
    try:
        with suppress(RedisError, OSError):  # the candles are stored, and subscribers poll as well
            await announce(redis, [instrument])
    finally:
        await redis.aclose()
    return imported


async def _require_own_tables(exchange: str, symbol: str, settings: Settings) -> None:
    """Tables of older versions do not name their symbol, so the catalogue decides. Without it nothing is checked."""
    database = Database.connect(settings.database_url, "import", settings)
    try:
        others = await symbols.sharing_tables(database, exchange, symbol)
    except (OSError, sqlalchemy.exc.SQLAlchemyError) as error:
        reason = shortened(str(error))
        typer.secho(f"The catalogue of symbols does not answer ({reason}); its spelling is not checked.", err=True)
        return
    finally:
        await database.close()
    if others:
        raise Conflict(
            f"{exchange} has the symbol {shortened(others[0])}, which has the same candle tables as"
            f" {shortened(symbol)}: use its spelling, or remove it from the catalogue first."
        )


async def _with_progress(import_file: _Import, settings: Settings) -> ImportResult:
    database = Database.connect(settings.ohlcv_database_url, "import", settings)
    try:
        with Progress(console=Console(stderr=True), transient=True) as bar:  # standard output has the summary only
            reading, storing = bar.add_task("Reading", total=None), bar.add_task("Storing", total=None, visible=False)

            def show(done: int, total: int) -> None:
                bar.update(reading, completed=done, total=total)
                bar.update(storing, visible=done == total)

            return await import_file(database, show)
    finally:
        await database.close()


def _summary(imported: ImportResult, seconds: float) -> str:
    corrected = f" ({imported.corrected:,} of them corrected)" if imported.corrected else ""
    return (
        f"{imported.read:,} rows read: {imported.new:,} new, "
        f"{imported.already_there:,} already there{corrected}; {seconds:.1f} s."
    )
