"""`fullon-graphql db`: the databases, from creation to examination."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from fullon_graphql.config import Settings, load_settings
from fullon_graphql.models import doctor as examination
from fullon_graphql.models import migrate
from fullon_graphql.models.doctor import Severity

app = typer.Typer(help="The databases: create, upgrade, examine.", no_args_is_help=True)

COLOURS = {Severity.BREAKS: "red", Severity.DEGRADES: "yellow", Severity.HARMLESS: "dim"}


@app.command()
def init() -> None:
    """Create both databases and every table that is absent. What exists is left as it is."""
    with _settings() as settings:
        for name in migrate.create_databases(settings.database_url, settings.ohlcv_database_url):
            typer.echo(f"Created database {name}.")
    upgrade()


@app.command()
def upgrade() -> None:
    """Create the tables that are absent, and bring our own up to date."""
    with _settings() as settings:
        migrate.upgrade(settings.database_url)
    typer.echo("The tables are up to date.")


@app.command()
def doctor() -> None:
    """Compare the database with what we expect of it; exit with 1 when something would break."""
    with _settings() as settings:
        differences = examination.inspect(settings.database_url)
    if not differences:
        typer.echo("The database is exactly as expected.")
        return
    table = Table("severity", "where", "what", "consequence")
    for found in differences:
        cells = (found.severity.name.lower(), found.where, found.what, found.consequence)
        table.add_row(*map(escape, cells), style=COLOURS[found.severity])
    Console().print(table)
    if differences[0].severity is Severity.BREAKS:
        raise typer.Exit(1)


@app.command("install-feed")
def install_feed() -> None:
    """Have PostgreSQL tell of changes in orders, trades and logs, so that clients can follow them.

    Adds one trigger to each of these tables and alters nothing else. Does what `upgrade` does first.
    """
    with _settings() as settings:
        tables = migrate.install_feed(settings.database_url)
    for name in tables:
        typer.echo(f"Changes of {name} are told from now on.")
    if not tables:
        typer.echo("The changes of every table that can be followed are told already.")


@app.command()
def url(ohlcv: Annotated[bool, typer.Option("--ohlcv", help="The candle store's instead.")] = False) -> None:
    """Print the database's address for psql and the like, its password included."""
    with _settings() as settings:
        address = make_url(settings.ohlcv_database_url if ohlcv else settings.database_url)
    typer.echo(address.set(drivername="postgresql").render_as_string(hide_password=False))


@contextmanager
def _settings() -> Iterator[Settings]:
    """The settings for one command. What is wrong with them, or with PostgreSQL, becomes one line and exit code 1."""
    try:
        yield load_settings()
    except (OSError, SQLAlchemyError, ValueError) as error:
        reason = error.driver_exception if isinstance(error, DBAPIError) else error
        sentence = " ".join(str(reason).split()) or type(reason).__name__
        typer.secho(f"{sentence}. Check DATABASE_URL and OHLCV_DATABASE_URL, or start the demo.", fg="red", err=True)
        raise typer.Exit(1) from None
