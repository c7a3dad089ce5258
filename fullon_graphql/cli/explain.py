"""`fullon-graphql explain`: the execution of a query, step by step."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from fullon_graphql.cli.connection import with_database
from fullon_graphql.config import Settings
from fullon_graphql.database import Database
from fullon_graphql.errors import BadUserInput, shortened


def explain(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A document with one query.")],
    mail: Annotated[str | None, typer.Option("--as", help="Mail of the caller; default ADMIN_MAIL.")] = None,
    variables: Annotated[str, typer.Option(help="Values of the variables, as a JSON object.")] = "{}",
) -> None:
    """Run a query and print its execution: plan or reference and the reason, SQL, Redis commands, time per step."""

    async def explained(database: Database, settings: Settings) -> dict[str, Any]:
        return await _explained(database, settings, mail or settings.admin_mail, file.read_text(), _read(variables))

    Console(highlight=False).print(_tree(with_database(explained)))


def _read(variables: str) -> dict[str, Any]:
    try:
        values = orjson.loads(variables)
    except orjson.JSONDecodeError as error:
        raise BadUserInput(f"--variables is not JSON: {error}.") from error
    if not isinstance(values, dict):
        raise BadUserInput(f"--variables must be a JSON object; got {shortened(variables)}.")
    return values


async def _explained(
    database: Database, settings: Settings, mail: str, query: str, variables: dict[str, Any]
) -> dict[str, Any]:
    """The report on a query that is run in this process on the stores of the settings."""
    from fullon_graphql.app import worker
    from fullon_graphql.context import Context
    from fullon_graphql.engine.operations import OperationExecutor, Request
    from fullon_graphql.graph import make_graph
    from fullon_graphql.services.user_admin import principal_of

    caller = await principal_of(database, settings, mail)
    async with worker(settings, serving=False) as parts:
        request = Request(query, variables=variables, read_only=True)
        response = await OperationExecutor(make_graph().core).run(request, Context(parts, caller), explain=True)
    if response.not_allowed:
        raise BadUserInput("Only queries can be explained: a mutation would be executed.")
    answer = orjson.loads(response.body)
    if "errors" in answer:
        raise BadUserInput(answer["errors"][0]["message"])
    report: dict[str, Any] = answer["extensions"]["explain"]
    return report


def _tree(report: dict[str, Any]) -> Tree:
    why = f", reason: {report['reason']}" if report["reason"] else ""
    tree = Tree(Text(f"{report['execution']}, {report['milliseconds']} ms{why}"))
    for step in report["steps"]:
        branch = tree.add(_line(step))
        for detail in (step.get("sql"), *step.get("statements", ()), *step.get("redis", ())):
            if detail:
                branch.add(Text(detail))
    return tree


def _line(step: dict[str, Any]) -> Text:
    shown = {"kind", "name", "milliseconds", "sql", "statements", "redis"}
    facts = [f"{name} {value}" for name, value in step.items() if name not in shown]
    title = f"{step['kind']} {step['name']}".rstrip()
    return Text(", ".join([f"{title}: {step['milliseconds']} ms", *facts]))
