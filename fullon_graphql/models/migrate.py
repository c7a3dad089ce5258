"""Creates and upgrades databases. The platform's tables are created if absent and never altered.

A change of our own tables is a new file in `migrations/versions` with the next number.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from asyncpg import InvalidCatalogNameError
from sqlalchemy import URL, Connection, NullPool, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from fullon_graphql.models import triggers
from fullon_graphql.models.base import OWN_SCHEMA

CONNECT_TIMEOUT = 15.0
"""Seconds before an attempt to connect fails."""

LOCK_TIMEOUT = "60s"
"""How long an upgrade waits for another upgrade, or for a lock on a table."""

SHORT_LOCK_TIMEOUT = "3s"
"""How long `install_feed` waits for the lock on a table in use: writers wait behind it."""


def create_databases(*urls: str) -> list[str]:
    """Create the databases that are absent on their server; returns the names of those created."""
    return asyncio.run(_create_databases(urls))


def upgrade(url: str) -> str | None:
    """Upgrade the database at `url` to the newest revision, in one transaction.

    Concurrent calls are serialised; the later ones find nothing to do. A database of a newer version of the package is
    left alone, because a previous version works with it; returns its revision then.
    """
    return asyncio.run(_upgrade(url))


def install_feed(url: str, *, replicated: bool = False) -> list[str]:
    """Install or renew the trigger of every watched table; returns the names of the tables that were altered.

    With `replicated` the triggers also fire for rows that arrive by logical replication. Each table is altered in a
    transaction of its own, so a failure leaves the earlier ones installed.

    Raises:
        sqlalchemy.exc.DBAPIError: a table was locked for too long, or the role lacks the right.
    """
    return asyncio.run(_install_feed(url, replicated=replicated))


@asynccontextmanager
async def connect(url: str | URL) -> AsyncIterator[AsyncConnection]:
    """One connection for administration, closed with the block. The caller begins transactions."""
    engine = create_async_engine(
        make_url(url).set(drivername="postgresql+asyncpg"),
        poolclass=NullPool,
        connect_args={
            "timeout": CONNECT_TIMEOUT,
            # The platform's tables are in `public`, whatever the search path of the role.
            "server_settings": {"search_path": "public", "timezone": "UTC", "lock_timeout": LOCK_TIMEOUT},
        },
    )
    async with engine.connect() as connection:
        yield connection


async def _upgrade(url: str) -> str | None:
    async with connect(url) as connection, connection.begin():
        await _acquire_lock(connection)
        if newer := await connection.run_sync(_newer_revision):
            return newer
        await connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {OWN_SCHEMA}"))
        there = await connection.run_sync(triggers.tables)
        await connection.run_sync(_run_migrations)
        await connection.run_sync(triggers.renew_functions)
        # The tables created above, and our own. Existing tables of the platform are not altered.
        for table in await connection.run_sync(partial(_to_install, replicated=False)):
            if table not in there or table.startswith(f"{OWN_SCHEMA}."):
                await connection.run_sync(triggers.watch, table)
        return None


async def _install_feed(url: str, *, replicated: bool) -> list[str]:
    if await _upgrade(url):
        return []  # the triggers of the newer version stay
    async with connect(url) as connection:
        async with connection.begin():
            tables = await connection.run_sync(partial(_to_install, replicated=replicated))
        for table in tables:
            async with connection.begin():
                await connection.execute(text(f"SET LOCAL lock_timeout = '{SHORT_LOCK_TIMEOUT}'"))
                await connection.run_sync(partial(triggers.watch, table=table, replicated=replicated))
    return tables


def _to_install(connection: Connection, *, replicated: bool) -> list[str]:
    needed = {*triggers.unwatched(connection), *triggers.outdated(connection)}
    if replicated:
        needed.update(triggers.unreplicated(connection))
    return [table for table in triggers.FUNCTIONS if table in needed]


async def _acquire_lock(connection: AsyncConnection) -> None:
    await connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('fullon_graphql migrations'))"))


def _newer_revision(connection: Connection) -> str | None:
    """The revision of the database if it comes after all that this version of the package knows."""
    current = MigrationContext.configure(connection, opts={"version_table_schema": OWN_SCHEMA}).get_current_revision()
    newest = ScriptDirectory.from_config(_config()).get_current_head() or ""
    return current if current and current > newest else None


def _run_migrations(connection: Connection) -> None:
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "fullon_graphql.models:migrations")
    return config


async def _create_databases(urls: tuple[str, ...]) -> list[str]:
    return [name for url in urls if (name := await _create_database(make_url(url)))]


async def _create_database(url: URL) -> str | None:
    try:
        # Checked first: if the database exists, the role may lack the right to connect elsewhere or to create one.
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
