"""`fullon-graphql ohlcv`: recordings and history for the candle store, and reports about it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

import orjson
import sqlalchemy.exc
import typer
from redis.exceptions import RedisError
from rich.console import Console
from rich.progress import Progress

from fullon_graphql.cache.candles import announce
from fullon_graphql.cache.client import connect
from fullon_graphql.config import Settings, load_settings
from fullon_graphql.daemons.feeds.ccxt_client import ExchangesNotInstalledError
from fullon_graphql.daemons.feeds.market_feed import SharedFeed
from fullon_graphql.daemons.history import History, HistoryError, prepare_tables
from fullon_graphql.database import Database
from fullon_graphql.errors import Conflict, FullonError, shortened
from fullon_graphql.ohlcv import importing
from fullon_graphql.ohlcv.coverage import Coverage
from fullon_graphql.ohlcv.csvfile import OnProgress
from fullon_graphql.ohlcv.importing import ImportResult, TimeUnit
from fullon_graphql.ohlcv.sources import Market
from fullon_graphql.ohlcv.store import CandleStore
from fullon_graphql.ohlcv.timeframes import Timeframe
from fullon_graphql.ohlcv.writer import Form
from fullon_graphql.services import symbols

app = typer.Typer(
    name="ohlcv",
    help="Fill the candle store from recordings (CSV or CSV.gz) and exchanges, and report missing candles.",
    no_args_is_help=True,
)

File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, show_default=False)]
Exchange = Annotated[str, typer.Option(help="Exchange of the recording, e.g. kraken.", show_default=False)]
Symbol = Annotated[str, typer.Option(help="Symbol in the platform's spelling, e.g. BTC/USD.", show_default=False)]

Unit = Annotated[TimeUnit, typer.Option(help="Unit of the times in the column time_ms.")]

OfExchange = Annotated[str, typer.Argument(help="Exchange, e.g. kraken.", show_default=False)]
OfSymbol = Annotated[str, typer.Argument(help="Symbol in the platform's spelling, e.g. BTC/USD.", show_default=False)]
_FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]
FromOption = Annotated[
    datetime | None,
    typer.Option("--from", formats=_FORMATS, help="Start in UTC; by default the oldest stored minute."),
]
ToOption = Annotated[
    datetime | None, typer.Option("--to", formats=_FORMATS, help="End in UTC, excluded; by default now.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]

T = TypeVar("T")
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


@app.command()
def coverage(
    exchange: OfExchange, symbol: OfSymbol, from_: FromOption = None, to: ToOption = None, *, json: AsJson = False
) -> None:
    """Report which one-minute candles of a period are stored and which are missing. Exit code 1 if any is missing."""
    report = _guarded(lambda settings: _coverage(settings, Market(exchange, symbol), _utc(from_), _utc(to)))
    typer.echo(_as_json(report) if json else _as_text(report))
    if report.gap_count:
        raise typer.Exit(1)


@app.command()
def backfill(
    exchange: OfExchange,
    symbol: OfSymbol,
    from_: Annotated[datetime, typer.Option("--from", formats=_FORMATS, help="Start in UTC.", show_default=False)],
    to: ToOption = None,
    *,
    again: Annotated[bool, typer.Option("--again", help="Also periods that are stored completely.")] = False,
) -> None:
    """Store the exchange's own one-minute candles of a period. Repeat it to continue after a failure.

    Periods that are stored completely are not requested again. Trades follow if the symbol has a table of them.
    """
    started = time.monotonic()
    period = (from_.replace(tzinfo=UTC).timestamp(), (_utc(to) or datetime.now(UTC)).timestamp())
    missing, written = _guarded(
        lambda settings: _backfill(settings, Market(exchange, symbol), *period, again=again),
    )
    typer.echo(
        f"{missing:,} minutes requested: {written:,} candles new or corrected; {time.monotonic() - started:.1f} s."
    )


async def _backfill(settings: Settings, market: Market, since: float, until: float, *, again: bool) -> tuple[int, int]:
    """The number of minutes that were requested, and of candles that were written."""
    since, until = since // 60 * 60, min(until, time.time()) // 60 * 60
    database = Database.connect(settings.ohlcv_database_url, "backfill", settings)
    redis = connect(settings.redis_url, settings, "backfill")
    try:
        history = History(await SharedFeed().load(settings), database)
        form = await prepare_tables(database, market)
        periods = [(since, until)] if again else await _missing(history, market, form, since, until)
        written = await _fill(history, market, form, periods)
        with suppress(RedisError, OSError):  # the candles are stored, and subscribers poll as well
            await announce(redis, [(market.exchange, market.symbol)])
        return int(sum(end - start for start, end in periods)) // 60, written
    finally:
        await redis.aclose()
        await database.close()


async def _missing(
    history: History, market: Market, form: Form, since: float, until: float
) -> list[tuple[float, float]]:
    periods = await history.missing(market, form, since, until)
    return [(period.from_.timestamp(), period.to.timestamp()) for period in periods]


async def _fill(history: History, market: Market, form: Form, periods: Sequence[tuple[float, float]]) -> int:
    written = 0
    with Progress(console=Console(stderr=True), transient=True) as bar:  # standard output has the summary only
        task = bar.add_task("Minutes", total=sum(end - start for start, end in periods) / 60)
        for start, end in periods:
            written += await history.fill(
                market, form, start, end, lambda page_start, page_end: bar.advance(task, (page_end - page_start) / 60)
            )
    return written


async def _coverage(settings: Settings, market: Market, start: datetime | None, end: datetime | None) -> Coverage:
    database = Database.connect(settings.ohlcv_database_url, "coverage", settings)
    try:
        return await CandleStore(database).coverage(market, start, end)
    finally:
        await database.close()


def _as_text(report: Coverage) -> str:
    share = report.stored_minutes / report.expected_minutes if report.expected_minutes else 1.0
    lines = [
        f"{report.from_:%F %H:%M} to {report.to:%F %H:%M} UTC: {report.stored_minutes:,} of"
        f" {report.expected_minutes:,} minutes stored ({share:.2%}), {report.empty_minutes:,} without trades,"
        f" {report.gap_count:,} gaps."
    ]
    lines += [f"  {gap.from_:%F %H:%M} to {gap.to:%F %H:%M}: {gap.minutes:,} missing" for gap in report.gaps]
    if report.gap_count > len(report.gaps):
        lines.append(f"  … and {report.gap_count - len(report.gaps):,} later ones")
    if report.last_trade_at:
        lines.append(f"Last trade at {report.last_trade_at:%F %H:%M:%S} UTC.")
    return "\n".join(lines)


def _as_json(report: Coverage) -> str:
    gaps = [{"from": gap.from_, "to": gap.to, "minutes": gap.minutes} for gap in report.gaps]
    values = report._asdict() | {"gaps": gaps, "from": report.from_}
    del values["from_"]
    return orjson.dumps(values, option=orjson.OPT_UTC_Z).decode()


def _utc(time: datetime | None) -> datetime | None:
    return time.replace(tzinfo=UTC) if time else None


def _guarded(command: Callable[[Settings], Coroutine[Any, Any, T]]) -> T:
    """The result of a command. An expected error is one line and exit code 1."""
    try:
        return asyncio.run(command(load_settings()))
    except FullonError as error:
        typer.secho(error.message, fg="red", err=True)
        raise typer.Exit(1) from error
    except (HistoryError, ExchangesNotInstalledError, ImportError, AttributeError) as error:
        typer.secho(f"The market feed failed: {error} Stored candles are kept.", fg="red", err=True)
        raise typer.Exit(1) from error
    except (OSError, sqlalchemy.exc.OperationalError, sqlalchemy.exc.InterfaceError) as error:
        typer.secho(
            f"The candle database does not answer ({error}). Check OHLCV_DATABASE_URL, or start the demo first.",
            fg="red",
            err=True,
        )
        raise typer.Exit(1) from error


def _run(instrument: tuple[str, str], import_file: _Import) -> None:
    """Import and print one summary line."""
    started = time.monotonic()
    imported = _guarded(lambda settings: _import(instrument, import_file, settings))
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
