"""`fullon-graphql audit`: verification of the audit log."""

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
    """Recompute every hash of the log. Exits with 1 and names the first row that was changed."""
    verdict = with_database(lambda database, _: verify_chain(database))
    if verdict.broken is not None:
        sentence = f"The audit log is broken at row {verdict.broken}: this row or the row before it was changed."
        typer.secho(sentence, fg="red", err=True)
        raise typer.Exit(1)
    typer.echo(f"The audit log is intact: {verdict.rows} rows, hash of the last row {verdict.hash}.")
