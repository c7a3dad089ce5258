"""The database connection of a command, and its error messages."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import sqlalchemy.exc
import typer

from fullon_graphql.auth.tokens import InsecureSecretError
from fullon_graphql.config import Settings, load_settings
from fullon_graphql.database import Database
from fullon_graphql.errors import FullonError

T = TypeVar("T")


def with_database(work: Callable[[Database, Settings], Awaitable[T]]) -> T:
    """Run `work` on the platform's database and close it. An expected error is one line and exit code 1."""
    settings = load_settings()
    try:
        return asyncio.run(_run(work, settings))
    except (FullonError, InsecureSecretError) as error:
        _give_up(str(error))
    except (OSError, sqlalchemy.exc.OperationalError, sqlalchemy.exc.InterfaceError):
        _give_up("The database does not answer. Check DATABASE_URL, or start the demo first.")
    except sqlalchemy.exc.ProgrammingError:
        _give_up("The database lacks required tables. Create them with: fullon-graphql db init")
    raise typer.Exit(1)


async def _run(work: Callable[[Database, Settings], Awaitable[T]], settings: Settings) -> T:
    database = Database.connect(settings.database_url, "cli", settings)
    try:
        return await work(database, settings)
    finally:
        await database.close()


def _give_up(sentence: str) -> None:
    typer.secho(sentence, fg="red", err=True)
