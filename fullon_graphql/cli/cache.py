"""`fullon-graphql cache`: the address of Redis."""

from __future__ import annotations

import typer

from fullon_graphql.config import load_settings

app = typer.Typer(help="Redis, the store of live state.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Redis, the store of live state."""


@app.command()
def url() -> None:
    """Print the URL of Redis, including its password: redis-cli -u "$(fullon-graphql cache url)"."""
    typer.echo(load_settings().redis_url)
