"""`fullon-graphql audit`: whether the audit log is as it was written."""

from __future__ import annotations

import typer

from fullon_graphql.cli.connection import with_database
from fullon_graphql.services.audit import verify as verify_chain

app = typer.Typer(help="The audit log of changes.", no_args_is_help=True)


@app.callback()
def audit() -> None:
    """The audit log of changes."""


@app.command()
def verify() -> None:
    """Recompute every hash of the log; exit with 1 and name the first row that is not as it was written."""
    verdict = with_database(lambda database, _: verify_chain(database))
    if verdict.broken is not None:
        sentence = f"The audit log is broken at row {verdict.broken}: it, or the row before it, has been tampered with."
        typer.secho(sentence, fg="red", err=True)
        raise typer.Exit(1)
    typer.echo(f"The audit log is in order: {verdict.rows} rows, the last one sealed as {verdict.hash}.")
