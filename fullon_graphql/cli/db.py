"""`fullon-graphql db`: creating, upgrading and checking the databases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from fullon_graphql.config import Settings, load_settings
from fullon_graphql.engine.model.access_paths import access_paths
from fullon_graphql.errors import SettingsError
from fullon_graphql.models import doctor as examination
from fullon_graphql.models import index_advice, migrate
from fullon_graphql.models.doctor import Difference, Severity
from fullon_graphql.models.index_advice import AccessPath

app = typer.Typer(help="Create, upgrade and check the databases.", no_args_is_help=True)

COLOURS = {Severity.BREAKS: "red", Severity.DEGRADES: "yellow", Severity.HARMLESS: "dim"}


@app.command()
def init() -> None:
    """Create missing databases and tables. Existing ones are not altered."""
    with _settings() as settings:
        for name in migrate.create_databases(settings.administration_url, settings.ohlcv_database_url):
            typer.echo(f"Created database {name}.")
    upgrade()


@app.command()
def upgrade() -> None:
    """Create missing tables, and migrate the tables of the schema fullon_graphql."""
    with _settings() as settings:
        newer = migrate.upgrade(settings.administration_url)
    if newer:
        typer.echo(f"The tables are those of a newer version, revision {newer}, and stay as they are.")
    else:
        typer.echo("The tables are up to date.")


@app.command()
def doctor() -> None:
    """Compare the database with the expected one. Exits with 1 if a difference breaks something."""
    with _settings() as settings:
        differences = examination.inspect(settings.administration_url)
        proposals = index_advice.advise(settings.administration_url, _access_paths(), measure=False)
    if differences:
        _print(differences)
    else:
        typer.echo("The database is as expected.")
    for proposal in proposals:
        typer.echo(f"Hint: {proposal.statement};")
    if proposals:
        typer.echo("`fullon-graphql db advise` measures the gain of these indexes.")
    if differences and differences[0].severity is Severity.BREAKS:
        raise typer.Exit(1)


@app.command()
def advise(
    create: Annotated[bool, typer.Option("--apply", help="Create the indexes, without blocking writers.")] = False,
) -> None:
    """Propose indexes for the lists of the graph, with the measured gain. Nothing is changed without --apply.

    For a table of at most 64 MiB the index is built and rolled back, for which its writers wait; the gain of a larger
    one is estimated. Tables of fewer than 1000 rows need no index.
    """
    with _settings() as settings:
        proposals = index_advice.advise(settings.administration_url, _access_paths())
        for proposal in proposals:
            typer.echo(f"{proposal.statement};\n  -- {proposal.gain}")
        if create:
            index_advice.apply(settings.administration_url, proposals)
    if not proposals:
        typer.echo("No index is missing.")
    elif create:
        typer.echo(f"Created: {len(proposals)}.")


def _access_paths() -> list[AccessPath]:
    import fullon_graphql.graph  # noqa: F401  # declares the relations; takes a second

    return access_paths()


def _print(differences: Sequence[Difference]) -> None:
    table = Table("severity", "object", "difference", "consequence")
    for found in differences:
        cells = (found.severity.name.lower(), found.where, found.what, found.consequence)
        table.add_row(*map(escape, cells), style=COLOURS[found.severity])
    Console().print(table)


@app.command("install-feed")
def install_feed(
    replicated: Annotated[
        bool, typer.Option("--replicated", help="Also record rows that arrive by logical replication.")
    ] = False,
) -> None:
    """Install the change feed: triggers that record changes of orders, trades and logs for subscriptions.

    Runs `upgrade` first, then adds one trigger to each of these tables, or renews it. Nothing else is altered.
    """
    with _settings() as settings:
        tables = migrate.install_feed(settings.administration_url, replicated=replicated)
    for name in tables:
        typer.echo(f"Changes of {name} are recorded.")
    if not tables:
        typer.echo("The change feed is already installed.")


@app.command()
def url(ohlcv: Annotated[bool, typer.Option("--ohlcv", help="URL of the candle store.")] = False) -> None:
    """Print the URL of the database, including its password, e.g. for psql."""
    with _settings() as settings:
        address = make_url(settings.ohlcv_database_url if ohlcv else settings.database_url)
    typer.echo(address.set(drivername="postgresql").render_as_string(hide_password=False))


@contextmanager
def _settings() -> Iterator[Settings]:
    """The settings of one command. An error in them or of PostgreSQL is one line and exit code 1."""
    try:
        yield load_settings()
    except SettingsError:
        raise
    except (OSError, SQLAlchemyError, ValueError) as error:
        reason = error.driver_exception if isinstance(error, DBAPIError) else error
        sentence = " ".join(str(reason).split()) or type(reason).__name__
        typer.secho(f"{sentence}. Check DATABASE_URL and OHLCV_DATABASE_URL, or start the demo.", fg="red", err=True)
        raise typer.Exit(1) from None
