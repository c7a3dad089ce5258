"""The command line: one file per command or group of commands."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from fullon_graphql.cli import (
    audit,
    cache,
    config,
    daemon,
    db,
    demo,
    documents,
    explain,
    ohlcv,
    schema,
    serve,
    services,
    token,
    user,
)
from fullon_graphql.errors import SettingsError
from fullon_graphql.server.garbage import leave_memory_to_the_system

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)
app.command()(demo.demo)
app.command()(serve.serve)
app.command()(services.services)
app.command()(config.config)
app.command()(explain.explain)
app.command()(token.token)
app.add_typer(schema.app, name="schema")
app.add_typer(daemon.app, name="daemon")
app.add_typer(documents.app, name="documents")
app.add_typer(user.app, name="user")
app.add_typer(db.app, name="db")
app.add_typer(audit.app, name="audit")
app.add_typer(cache.app, name="cache")
app.add_typer(ohlcv.app, name="ohlcv")


@app.callback()
def options(
    env_file: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="File of settings to read instead of .env.")
    ] = None,
) -> None:
    """GraphQL, REST and WebSocket server of the Fullon trading platform."""
    if env_file:
        os.environ["FULLON_ENV_FILE"] = str(env_file.absolute())  # so that workers and the services process read it too


def main() -> None:
    """Run the command that the arguments name. Invalid settings are a message and exit code 1."""
    leave_memory_to_the_system()
    try:
        app()
    except SettingsError as error:
        typer.secho(str(error), fg="red", err=True)
        raise SystemExit(1) from error
