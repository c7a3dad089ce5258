"""`fullon-graphql audit`: verification and export of the audit log."""

from __future__ import annotations

import csv
import sys
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Final

import orjson
import typer

from fullon_graphql.cli.connection import with_database
from fullon_graphql.config import Settings
from fullon_graphql.database import Database
from fullon_graphql.services.audit import export as exported
from fullon_graphql.services.audit import verify as verify_chain

app = typer.Typer(help="The audit log of changes and sign-ins.", no_args_is_help=True)

_TIMES: Final = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]


class Format(StrEnum):
    """The formats of an export."""

    JSONL = "jsonl"
    CSV = "csv"


@app.callback()
def audit() -> None:
    """The audit log of changes and sign-ins."""


@app.command()
def verify() -> None:
    """Recompute every hash of the log. Exits with 1 and names the first row that was changed."""
    verdict = with_database(lambda database, _: verify_chain(database))
    if verdict.broken is not None:
        sentence = f"The audit log is broken at row {verdict.broken}: this row or the row before it was changed."
        typer.secho(sentence, fg="red", err=True)
        raise typer.Exit(1)
    typer.echo(f"The audit log is intact: {verdict.rows} rows, hash of the last row {verdict.hash}.")
    if verdict.pruned:
        typer.echo(f"Rows up to {verdict.pruned} were removed by retention.")
    if verdict.redacted:
        typer.echo(f"Personal data was blanked in {verdict.redacted} rows.")


@app.command()
def export(
    since: Annotated[datetime | None, typer.Option(formats=_TIMES, help="First time (UTC), inclusive.")] = None,
    until: Annotated[datetime | None, typer.Option(formats=_TIMES, help="Last time (UTC), exclusive.")] = None,
    format_: Annotated[Format, typer.Option("--format", help="Format of the rows.")] = Format.JSONL,
) -> None:
    """Write rows of the log to standard output, oldest first. Times are in UTC unless they have an offset."""

    async def write(database: Database, _: Settings) -> None:
        table: Any = csv.writer(sys.stdout) if format_ is Format.CSV else None
        header = True
        async for row in exported(database, _utc(since), _utc(until)):
            if table is None:
                sys.stdout.write(orjson.dumps(row).decode() + "\n")
                continue
            if header:
                table.writerow(row)
                header = False
            table.writerow(map(_cell, row.values()))

    with_database(write)


def _cell(value: Any) -> Any:
    match value:
        case datetime():
            return value.isoformat()
        case dict() | list():
            return orjson.dumps(value).decode()
        case _:
            return value


def _utc(time: datetime | None) -> datetime | None:
    return time if time is None or time.tzinfo else time.replace(tzinfo=UTC)
