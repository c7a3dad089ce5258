"""`fullon-graphql documents`: the documents of clients, extracted, checked, and how often they are used."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, NamedTuple, NoReturn

import orjson
import typer
from graphql import Undefined
from redis.exceptions import RedisError
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from fullon_graphql.cache import documents as stored
from fullon_graphql.cache.client import connect
from fullon_graphql.cache.documents import Names
from fullon_graphql.config import load_settings
from fullon_graphql.engine.trusted.identifiers import hash_of
from fullon_graphql.engine.trusted.manifests import Manifest, ManifestError, read_manifest

app = typer.Typer(help="Documents of clients: extract, check, and count their use.", no_args_is_help=True)


@app.command()
def extract(
    sources: Annotated[list[Path], typer.Argument(exists=True, help="Files and folders of a front end's source.")],
    out: Annotated[Path, typer.Option(help="File for the manifest.")] = Path("manifest.json"),
    typename: Annotated[bool, typer.Option("--typename", help="Add __typename, as Apollo Client does.")] = False,
) -> None:
    """Write a manifest of all operations in the source of a front end, in the format of Apollo."""
    from fullon_graphql.engine.trusted.extraction import ExtractionError
    from fullon_graphql.engine.trusted.extraction import extract as extracted

    try:
        found = extracted(sources, typename=typename)
    except ExtractionError as error:
        _give_up(str(error))
    if not found:
        _give_up("No operation was found.")
    operations = [operation._asdict() for operation in found]
    manifest = {"format": "apollo-persisted-query-manifest", "version": 1, "operations": operations}
    out.write_bytes(orjson.dumps(manifest, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    typer.echo(f"{out}: {len(found)} documents.")


@app.command()
def check(
    path: Annotated[Path | None, typer.Argument(help="Manifest or folder; default TRUSTED_DOCUMENTS_PATH.")] = None,
) -> None:
    """Check each document against the schema and the limits, COST_LIMIT included. Exits with 1 if one fails.

    The cost is estimated with the default values of variables.
    """
    manifest = _manifest(path)
    findings = asyncio.run(_checked(manifest))
    table = Table(_id_column(), "operation", "cost", "problem", "deprecated fields")
    for found in findings:
        style = "red" if found.problem else None
        name, problem, deprecated = map(escape, (found.operation, found.problem, "\n".join(found.deprecated)))
        table.add_row(found.id, name, f"{found.cost:,}", problem, deprecated, style=style)
    Console().print(table)
    if failed := sum(bool(found.problem) for found in findings):
        _give_up(f"{failed} of {len(findings)} operations cannot be executed.")


@app.command()
def usage(
    field: Annotated[str | None, typer.Option(help="One field, e.g. Bot.name, by client and document.")] = None,
    days: Annotated[int, typer.Option(min=1, max=stored.USAGE_DAYS, help="Days, today included.")] = 30,
) -> None:
    """Print how often documents, or a field, were used. TRUSTED_DOCUMENTS must be `log` or `only` to count it."""
    period = days_until_today(days)
    try:
        documents = asyncio.run(_stored_document_usage(period))
        fields = asyncio.run(stored_field_usage(period)) if field else {}
    except (RedisError, OSError):
        _give_up("Redis does not answer. Check REDIS_URL, or start the demo first.")
    if field:
        _print("client", _of_field(fields, field))
        documents = _using(documents, field)
    _print("document operation client", documents)


def days_until_today(count: int) -> list[date]:
    """The last `count` days in UTC, today included."""
    today = datetime.now(UTC).date()
    return [today - timedelta(days=back) for back in reversed(range(count))]


async def stored_field_usage(days: Iterable[date]) -> dict[date, Counter[Names]]:
    """The uses of fields on each of these days, by coordinate and client, as Redis has them."""
    settings = load_settings()
    async with connect(settings.redis_url, settings, "cli") as redis:
        return await stored.field_usage(redis, days)


async def _stored_document_usage(days: Iterable[date]) -> dict[date, Counter[Names]]:
    settings = load_settings()
    async with connect(settings.redis_url, settings, "cli") as redis:
        return await stored.document_usage(redis, days)


class _Finding(NamedTuple):
    id: str
    operation: str
    cost: int
    problem: str
    deprecated: list[str]
    fields: tuple[str, ...]


async def _checked(manifest: Manifest) -> list[_Finding]:
    """The result of each operation of the manifest."""
    from fullon_graphql.engine.documents import DocumentCache
    from fullon_graphql.engine.limits import Limits
    from fullon_graphql.engine.trace import Trace
    from fullon_graphql.engine.trusted.coordinates import deprecated_fields
    from fullon_graphql.graph import make_graph

    schema, limits = make_graph().core, Limits.from_settings(load_settings())
    documents, reasons, found = DocumentCache(schema, limits, usage=True), deprecated_fields(schema), []
    for text, id_ in manifest.ids.items():
        document = await documents.read(text, Trace())
        if document.errors or not document.operations:
            problem = document.errors[0]["message"] if document.errors else "It has no operation."
            found.append(_Finding(id_, "", 0, problem, [], ()))
        for operation in document.operations.values():
            defaults = {name: default for name, _, default in operation.variables or () if default is not Undefined}
            cost = operation.estimate.total(defaults)
            problem = "" if limits.cost is None or cost <= limits.cost else f"The cost exceeds {limits.cost:,}."
            deprecated = [f"{name}: {reasons[name]}" for name in operation.fields if name in reasons]
            found.append(_Finding(id_, operation.name or "", cost, problem, deprecated, operation.fields))
    return found


def _of_field(usage: Mapping[date, Counter[Names]], field: str) -> dict[date, Counter[Names]]:
    """The uses of one field by client."""
    return {
        day: Counter({(client,): count for (name, client), count in counts.items() if name == field})
        for day, counts in usage.items()
    }


def _using(usage: Mapping[date, Counter[Names]], field: str) -> dict[date, Counter[Names]]:
    """The uses of those documents of the manifest that select the field."""
    if not load_settings().trusted_documents_path:
        typer.echo("Set TRUSTED_DOCUMENTS_PATH to see the documents that select the field.")
        return {}
    manifest = _manifest(None)
    ids = {found.id for found in asyncio.run(_checked(manifest)) if field in found.fields}
    wanted = {hash_of(manifest.documents[id_]) for id_ in ids}
    return {
        day: Counter({names: count for names, count in counts.items() if names[0] in wanted})
        for day, counts in usage.items()
    }


def _print(columns: str, usage: Mapping[date, Counter[Names]]) -> None:
    totals: Counter[Names] = Counter()
    last: dict[Names, date] = {}
    for day, counts in usage.items():
        totals.update(counts)
        last |= dict.fromkeys(counts, day)
    if not totals:
        typer.echo(f"No use by {columns.partition(' ')[0]} was counted.")
        return
    table = Table(*(_id_column() if name == "document" else name for name in columns.split()), "uses", "last day")
    for names, count in totals.most_common():
        table.add_row(*(escape(name or "-") for name in names), f"{count:,}", str(last[names]))
    Console().print(table)


def _id_column() -> Column:
    """A column of ids, which must be complete to be copied."""
    return Column("document", overflow="fold", min_width=16)


def _manifest(path: Path | None) -> Manifest:
    configured = load_settings().trusted_documents_path
    if path is None and not configured:
        _give_up("Name a manifest, or set TRUSTED_DOCUMENTS_PATH.")
    try:
        return read_manifest(path or Path(configured))
    except ManifestError as error:
        _give_up(str(error))


def _give_up(sentence: str) -> NoReturn:
    typer.secho(sentence, fg="red", err=True)
    raise typer.Exit(1)
