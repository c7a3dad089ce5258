"""`fullon-graphql schema`: the public schema as text."""

from __future__ import annotations

import typer


def schema() -> None:
    """Print the schema (SDL, with the federation directives)."""
    from fullon_graphql.graph import make_graph

    typer.echo(make_graph().as_str())
