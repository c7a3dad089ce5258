"""Bring databases into being and up to date. The platform's tables are created where absent and never altered.

A change of our own tables is one more file in `migrations/versions`, numbered on from the last.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from alembic import command
from alembic.config import Config
from asyncpg import InvalidCatalogNameError
from sqlalchemy import URL, Connection, NullPool, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from fullon_graphql.models import triggers
from fullon_graphql.models.base import OWN_SCHEMA

CONNECT_TIMEOUT = 15.0
"""Seconds until a server that does not answer is given up."""

LOCK_TIMEOUT = "60s"
"""How long an upgrade waits for another upgrade, or for whoever holds a table, before it gives up."""

SHORT_LOCK_TIMEOUT = "3s"
"""The same on a table in use, for all who want to write to it wait behind us."""


def create_databases(*urls: str) -> list[str]:
    """Create each database that is absent on its server; return the names of those created."""
    return asyncio.run(_create_databases(urls))


def upgrade(url: str) -> None:
    """Bring the database at `url` to the newest revision, in one transaction: all of it happens, or nothing.

    Several processes may call this at once: one works, the others wait and find it done.
    """
    asyncio.run(_upgrade(url))


def install_feed(url: str) -> list[str]:
    """Have the changes of every watched table told; return the names of those that had no trigger before.

    Each table is a transaction of its own, so what is done stays done when a later one is too busy.

    Raises:
        sqlalchemy.exc.DBAPIError: somebody held a table for too long, or the role may not do this.
    """
    return asyncio.run(_install_feed(url))


@asynccontextmanager
async def connect(url: str | URL) -> AsyncIterator[AsyncConnection]:
    """One connection for a piece of administration, closed with the block; the transaction is the caller's to begin."""
    engine = create_async_engine(
        make_url(url).set(drivername="postgresql+asyncpg"),
        poolclass=NullPool,
        connect_args={
            "timeout": CONNECT_TIMEOUT,
            # The platform's tables are in `public`, even where the role's own search path says otherwise.
            "server_settings": {"search_path": "public", "timezone": "UTC", "lock_timeout": LOCK_TIMEOUT},
        },
    )
    async with engine.connect() as connection:
        yield connection


async def _upgrade(url: str) -> None:
    async with connect(url) as connection, connection.begin():
        await _wait_for_our_turn(connection)
        await connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {OWN_SCHEMA}"))
        there = await connection.run_sync(triggers.tables)
        await connection.run_sync(_run_migrations)
        await connection.run_sync(triggers.renew_functions)
        for table in triggers.CALLS.keys() - there:  # what we have made ourselves; the platform's is not altered
            await connection.run_sync(triggers.watch, table)


async def _install_feed(url: str) -> list[str]:
    await _upgrade(url)
    async with connect(url) as connection:
        async with connection.begin():
            tables = await connection.run_sync(triggers.unwatched)
        for table in tables:
            async with connection.begin():
                await connection.execute(text(f"SET LOCAL lock_timeout = '{SHORT_LOCK_TIMEOUT}'"))
                await connection.run_sync(triggers.watch, table)
    return tables


async def _wait_for_our_turn(connection: AsyncConnection) -> None:
    await connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('fullon_graphql migrations'))"))


def _run_migrations(connection: Connection) -> None:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", "fullon_graphql.models:migrations")
    command.upgrade(config, "head")


async def _create_databases(urls: tuple[str, ...]) -> list[str]:
    return [name for url in urls if (name := await _create_database(make_url(url)))]


async def _create_database(url: URL) -> str | None:
    try:
        # Looked at first: where it exists, the role may well lack the right to look elsewhere or to create.
        async with connect(url):
            return None
    except DBAPIError as error:
        if not isinstance(error.driver_exception, InvalidCatalogNameError):
            raise
    async with connect(url.set(database="postgres")) as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        name = connection.dialect.identifier_preparer.quote_identifier(url.database or "")
        await connection.execute(text(f"CREATE DATABASE {name}"))
    return url.database
