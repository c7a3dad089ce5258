"""`fullon-graphql exchanges`: the catalogue of exchanges and symbols, from what exchanges publish."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from fullon_graphql.cache.client import connect
from fullon_graphql.cli.connection import with_database
from fullon_graphql.config import Settings
from fullon_graphql.config.exchange_keys import exchange_keys
from fullon_graphql.daemons.account import active_accounts
from fullon_graphql.daemons.feeds.account_feed import Account
from fullon_graphql.daemons.feeds.ccxt_client import ExchangesNotInstalledError, UnknownExchangeError
from fullon_graphql.daemons.feeds.exchange_check import KeyCheck, check_exchange, check_keys
from fullon_graphql.daemons.feeds.market_feed import Market, SharedFeed
from fullon_graphql.database import Database
from fullon_graphql.errors import BadUserInput, NotFound, ServiceUnavailable, SettingsError
from fullon_graphql.observability.redaction import reason
from fullon_graphql.services import exchange_catalogue

app = typer.Typer(help="Add exchanges and symbols to the catalogue, and check connections.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="ccxt's id of the exchange, e.g. kraken.", show_default=False)]
OptionalName = Annotated[str | None, typer.Argument(help="The exchange; all without it.", show_default=False)]

CLOCK_TOLERANCE = 1.0
"""Seconds of difference between the clocks that are not worth a warning."""


@app.command()
def add(
    exchange: Name,
    symbols: Annotated[str, typer.Option(help="Symbols with commas between them, e.g. BTC/USD,ETH/USD.")],
    only_ticker: Annotated[bool, typer.Option("--only-ticker", help="Collect tickers only, but no candles.")] = False,
) -> None:
    """Write an exchange and some of its symbols into the catalogue. The services read them at their next start."""
    wanted = list(dict.fromkeys(symbol.strip() for symbol in symbols.split(",") if symbol.strip()))
    if not wanted:
        raise typer.BadParameter("Name at least one symbol.", param_hint="--symbols")
    with_database(lambda database, settings: _store(database, settings, exchange, wanted, only_ticker))
    typer.echo(f"{exchange} has {', '.join(wanted)} now. Restart the services to collect them.")


@app.command()
def refresh(exchange: OptionalName = None) -> None:
    """Renew what the catalogue says about the symbols that it has: decimals, steps and minimums."""
    for name, count, missing in with_database(lambda database, settings: _refresh(database, settings, exchange)):
        typer.echo(f"{name}: {count} symbols renewed.")
        if missing:
            typer.secho(f"{name} no longer has {', '.join(missing)}.", fg="yellow", err=True)


@app.command("list")
def list_symbols(exchange: OptionalName = None) -> None:
    """List the symbols of the catalogue."""
    table = Table("exchange", "symbol", "decimals", "price step", "amount step", "least value", "futures", "candles")
    for row in with_database(lambda database, _: exchange_catalogue.catalogued(database, exchange)):
        steps = (
            "" if value is None else f"{value:.12g}" for value in (row.price_step, row.amount_step, row.min_notional)
        )
        flags = ("yes" if row.futures else "no", "no" if row.only_ticker else "yes")
        table.add_row(row.exchange, row.symbol, str(row.decimals), *steps, *flags)
    Console().print(table)


@app.command()
def check(exchange: OptionalName = None) -> None:
    """Check that exchanges answer, their clocks and symbols, and what the keys of accounts may read, by reading it.

    Exits with 1 if something is wrong.
    """
    problems = with_database(lambda database, settings: _check(database, settings, exchange))
    raise typer.Exit(1 if problems else 0)


async def _store(database: Database, settings: Settings, exchange: str, symbols: list[str], only_ticker: bool) -> None:
    chosen = exchange_catalogue.choose(exchange, await _markets(settings, exchange), symbols)
    async with connect(settings.redis_url, settings, "cli") as redis:
        await exchange_catalogue.store_markets(database, redis, exchange, chosen, only_ticker=only_ticker or None)


async def _refresh(database: Database, settings: Settings, exchange: str | None) -> list[tuple[str, int, list[str]]]:
    done = []
    for name, symbols in (await _catalogue(database, exchange)).items():
        markets = {market.symbol: market for market in await _markets(settings, name)}
        known = [markets[symbol] for symbol in symbols if symbol in markets]
        async with connect(settings.redis_url, settings, "cli") as redis:
            await exchange_catalogue.store_markets(database, redis, name, known)
        done.append((name, len(known), [symbol for symbol in symbols if symbol not in markets]))
    return done


async def _markets(settings: Settings, exchange: str) -> list[Market]:
    feed = await SharedFeed().load(settings)
    try:
        markets = await feed.markets(exchange)
    except (UnknownExchangeError, ExchangesNotInstalledError) as error:
        raise BadUserInput(str(error)) from error
    except Exception as error:
        raise ServiceUnavailable(exchange, f"{exchange} does not answer: {reason(error)}") from error
    if not markets:
        raise BadUserInput(f"The market feed {settings.market_feed} has no symbols of {exchange}.")
    return markets


async def _catalogue(database: Database, exchange: str | None) -> dict[str, list[str]]:
    symbols: dict[str, list[str]] = {}
    for row in await exchange_catalogue.catalogued(database, exchange):
        symbols.setdefault(row.exchange, []).append(row.symbol)
    if exchange is not None and not symbols:
        raise NotFound(f"The catalogue has no symbols of {exchange}. Add some: fullon-graphql exchanges add {exchange}")
    return symbols


async def _check(database: Database, settings: Settings, exchange: str | None) -> bool:
    """Print the findings; True if something is wrong."""
    catalogue = await _catalogue(database, exchange)
    found = await asyncio.gather(*(_check_one(database, settings, *one) for one in catalogue.items()))
    return any(found)


async def _check_one(database: Database, settings: Settings, exchange: str, symbols: list[str]) -> bool:
    try:
        checked = await check_exchange(settings, exchange)
    except (UnknownExchangeError, ExchangesNotInstalledError) as error:
        return _problem(f"{exchange}: {error}")
    if checked.error:
        return _problem(f"{exchange} does not answer: {checked.error}")
    bad = False
    typer.echo(f"{exchange} answers and has {len(checked.markets)} symbols.")
    if missing := sorted(set(symbols) - checked.markets):
        bad = _problem(f"{exchange} has no {', '.join(missing)}.")
    if checked.clock_ahead is not None:
        bad |= _report_clock(exchange, checked.clock_ahead)
    for account in await active_accounts(database, exchange):
        bad |= await _check_account(settings, account)
    return bad


def _report_clock(exchange: str, ahead: float) -> bool:
    direction = "ahead of" if ahead > 0 else "behind"
    text = f"{exchange}: its clock is {abs(ahead):.1f} s {direction} ours."
    if abs(ahead) > CLOCK_TOLERANCE:
        return _problem(text)
    typer.echo(text)
    return False


async def _check_account(settings: Settings, account: Account) -> bool:
    title = f"{account.exchange} account {account.ex_id} ({account.name})"
    try:
        keys = exchange_keys(account.ex_id)
    except SettingsError as error:
        return _problem(f"{title}: {error}")
    if keys is None:
        typer.echo(f"{title}: no keys; set EX_ID_{account.ex_id}_KEY and EX_ID_{account.ex_id}_SECRET.")
        return False
    try:
        checked = await check_keys(settings, account, keys)
    except UnknownExchangeError as error:
        return _problem(f"{title}: {error}")
    if checked.readable:
        typer.echo(f"{title}: the keys read {', '.join(checked.readable)}.")
    for part, refusal in checked.refused.items():
        _problem(f"{title}: the keys do not read {part}: {refusal}")
    if checked.readable:
        typer.echo(f"{title}: {_stream_text(checked)}")
    return bool(checked.refused)


def _stream_text(checked: KeyCheck) -> str:
    if checked.has_stream:
        return "changes are announced over a stream."
    return f"the account is polled, because there is no stream: {checked.stream_error}"


def _problem(text: str) -> bool:
    typer.secho(text, fg="red", err=True)
    return True
