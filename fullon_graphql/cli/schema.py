"""`fullon-graphql schema`: the public schema as text, and its changes."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from graphql import GraphQLError, GraphQLSchema, build_schema
from graphql.utilities import find_schema_changes
from graphql.utilities.find_schema_changes import BreakingChange, DangerousChange, SafeChange, SchemaChange
from redis.exceptions import RedisError
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from fullon_graphql.cli.documents import days_until_today, stored_field_usage
from fullon_graphql.config import Subgraph
from fullon_graphql.engine.trusted.coordinates import deprecated_fields, removal_date

app = typer.Typer(help="Print the schema (SDL, with the federation directives), or compare two.")

SchemaFile = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="File with the older schema.")]
NewSchemaFile = Annotated[
    Path | None, typer.Argument(exists=True, dir_okay=False, help="File with the newer schema; default this version's.")
]

_KINDS = {BreakingChange: ("breaking", "red"), DangerousChange: ("dangerous", "yellow"), SafeChange: ("safe", "dim")}


@app.callback(invoke_without_command=True)
def schema(
    context: typer.Context,
    subgraph: Annotated[Subgraph | None, typer.Option(help="Only this subgraph of it.")] = None,
) -> None:
    """Print the schema (SDL, with the federation directives)."""
    if context.invoked_subcommand is None:
        typer.echo(_own_schema(subgraph))


@app.command()
def diff(
    old: SchemaFile,
    new: NewSchemaFile = None,
    days: Annotated[int, typer.Option(min=1, max=90, help="Days of usage of the deprecated fields.")] = 30,
) -> None:
    """Print the changes between two schemas, and the deprecated fields of the newer one. Exits with 1 if one breaks."""
    older, newer = _read(old.read_text()), _read(new.read_text() if new else _own_schema())
    changes = find_schema_changes(older, newer)
    _print_changes(changes)
    if deprecated := deprecated_fields(newer):
        _print_deprecated(deprecated, days)
    if any(isinstance(change, BreakingChange) for change in changes):
        raise typer.Exit(1)


def _own_schema(subgraph: Subgraph | None = None) -> str:
    from fullon_graphql.graph import make_graph

    return make_graph(subgraph).as_str()


def _read(text: str) -> GraphQLSchema:
    try:
        return build_schema(text, assume_valid=True, assume_valid_sdl=True)  # federation directives are not defined
    except (GraphQLError, TypeError) as error:
        typer.secho(f"The schema cannot be read: {error}", fg="red", err=True)
        raise typer.Exit(2) from error


def _print_changes(changes: list[SchemaChange]) -> None:
    if not changes:
        typer.echo("The schemas are equal.")
        return
    table = Table("severity", "change", "description")
    for kind, (severity, colour) in _KINDS.items():
        for change in changes:
            if isinstance(change, kind):
                table.add_row(severity, change.type.name, escape(change.description), style=colour)
    Console().print(table)


def _print_deprecated(deprecated: dict[str, str], days: int) -> None:
    try:
        usage: Counter[str] | None = asyncio.run(_uses(days))
    except (RedisError, OSError):
        usage = None  # the comparison needs no store
    table = Table("deprecated field", "removed after", "reason", f"uses in {days} days")
    for name, reason in sorted(deprecated.items()):
        uses = "unknown" if usage is None else str(usage[name])
        table.add_row(name, str(removal_date(reason) or "no date"), escape(reason), uses)
    Console().print(table)


async def _uses(days: int) -> Counter[str]:
    found: Counter[str] = Counter()
    for counts in (await stored_field_usage(days_until_today(days))).values():
        for (name, _), count in counts.items():
            found[name] += count
    return found
