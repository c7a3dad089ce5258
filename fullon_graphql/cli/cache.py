"""`fullon-graphql cache`: where Redis is."""

from __future__ import annotations

import typer

from fullon_graphql.config import load_settings

app = typer.Typer(help="Redis, where the live state is.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keeps `url` a subcommand: typer would make a lone command the group itself."""


@app.command()
def url() -> None:
    """Print the address of Redis, with its password if it has one: redis-cli -u "$(fullon-graphql cache url)"."""
    typer.echo(load_settings().redis_url)
