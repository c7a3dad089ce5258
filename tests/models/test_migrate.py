from __future__ import annotations

import asyncio
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Constraint, Index, MetaData, Table, make_url
from sqlalchemy.exc import DBAPIError

from fullon_graphql.config import Settings
from fullon_graphql.models import OWN_SCHEMA, Base
from fullon_graphql.models.migrate import connect, create_databases, install_feed, upgrade
from tests.fixtures.eventually import eventually
from tests.fixtures.temporary_databases import absent_database, execute, fetch

# A platform database of another version: additional and missing columns, other types and names, and rows.
FOREIGN = (
    """
    CREATE TABLE users (
        uid serial PRIMARY KEY, mail varchar(80) NOT NULL UNIQUE, password varchar(255) NOT NULL, nickname text
    )""",
    "INSERT INTO users (mail, password, nickname) VALUES ('a@b', 'secret', 'ab'), ('c@d', 'secret', NULL)",
    "CREATE TABLE orders (order_id bigserial PRIMARY KEY, symbol text, volume numeric(10, 2))",
    "INSERT INTO orders (symbol, volume) VALUES ('BTC/USD', 1.25)",
    "CREATE TABLE other_program (id int)",
)
FOREIGN_TABLES = ("users", "orders", "other_program")


def test_upgrade_creates_every_table_in_an_empty_database(empty_database: str) -> None:
    upgrade(empty_database)

    assert _tables(empty_database) == {*Base.metadata.tables, "fullon_graphql.alembic_version"}


def test_migrations_equal_the_models(migrated_database: str) -> None:
    async def differences() -> list[Any]:
        async with connect(migrated_database) as connection:
            return await connection.run_sync(_autogenerate)

    assert asyncio.run(differences()) == []


def test_constraints_and_indexes_have_the_names_of_the_models(migrated_database: str) -> None:
    assert asyncio.run(_reflected_names(migrated_database)) == _names(Base.metadata)


def test_upgrade_leaves_the_tables_of_a_newer_version(migrated_database: str) -> None:
    execute(
        migrated_database,
        "UPDATE fullon_graphql.alembic_version SET version_num = '9000'",
        "CREATE OR REPLACE FUNCTION fullon_graphql.newer() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "ALTER TABLE fullon_graphql.changes ADD COLUMN newer int",
    )
    before = _shape(migrated_database)

    assert upgrade(migrated_database) == "9000"
    assert install_feed(migrated_database) == []
    assert _shape(migrated_database) == before


def test_second_upgrade_changes_nothing(migrated_database: str) -> None:
    before = _shape(migrated_database)

    upgrade(migrated_database)

    assert _shape(migrated_database) == before


def test_upgrade_alters_no_existing_table_or_row(empty_database: str) -> None:
    execute(empty_database, *FOREIGN)
    shape, rows = _shape(empty_database), _rows(empty_database)

    upgrade(empty_database)

    assert [fact for fact in _shape(empty_database) if fact["table"] in FOREIGN_TABLES] == shape
    assert _rows(empty_database) == rows
    assert _tables(empty_database) == {*Base.metadata.tables, "other_program", "fullon_graphql.alembic_version"}


def test_failed_upgrade_leaves_nothing_behind(empty_database: str) -> None:
    execute(empty_database, "CREATE TABLE users (uid int)")  # without the key that other tables refer to

    with pytest.raises(DBAPIError, match="no unique constraint"):
        upgrade(empty_database)

    assert _tables(empty_database) == {"users"}


def test_concurrent_upgrades_do_not_collide(empty_database: str) -> None:
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:

        async def start_both_at_one_moment() -> None:
            holder = await asyncpg.connect(empty_database)
            # Both wait for the lock, so both continue when it is released.
            await holder.execute("SELECT pg_advisory_lock(hashtext('fullon_graphql migrations'))")
            upgrades = [asyncio.wrap_future(pool.submit(upgrade, empty_database)) for _ in range(2)]

            async def all_wait() -> bool:
                assert not any(each.done() for each in upgrades), "an upgrade did not wait for its turn"
                return bool(await holder.fetchval(WAITING) == len(upgrades))

            await eventually(all_wait, seconds=60)
            await holder.close()
            await asyncio.gather(*upgrades)

        asyncio.run(start_both_at_one_moment())

    assert set(Base.metadata.tables) <= _tables(empty_database)


WAITING = """
    SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database
    WHERE locktype = 'advisory' AND NOT granted AND datname = current_database()
"""


def test_only_absent_databases_are_created(settings: Settings) -> None:
    with absent_database(settings) as first, absent_database(settings) as second:
        names = [make_url(url).database for url in (first, second)]

        assert create_databases(first) == names[:1]
        assert create_databases(first, second) == names[1:]
        assert create_databases(first, second) == []


def test_platform_tables_are_in_public_for_any_search_path(empty_database: str) -> None:
    name = make_url(empty_database).database
    execute(
        empty_database,
        "CREATE SCHEMA fullon_graphql",
        f'ALTER DATABASE "{name}" SET search_path = fullon_graphql, public',
    )

    upgrade(empty_database)

    assert "users" in _tables(empty_database)


def _autogenerate(connection: Connection) -> list[Any]:
    """The changes with which Alembic would turn the database into the models."""
    options = {
        "include_schemas": True,
        "include_name": lambda name, kind, _: kind != "schema" or name in (None, OWN_SCHEMA),
        "version_table_schema": OWN_SCHEMA,
        "compare_type": True,
        "compare_server_default": True,
    }
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata))


async def _reflected_names(url: str) -> set[str]:
    metadata = MetaData()
    async with connect(url) as connection:
        for schema in (None, OWN_SCHEMA):
            await connection.run_sync(metadata.reflect, schema)
    return _names(metadata)


def _names(metadata: MetaData) -> set[str]:
    tables = [table for table in metadata.tables.values() if table.name != "alembic_version"]
    return {name for table in tables for name in _key_names(table)}


def _key_names(table: Table) -> set[str]:
    keys: list[Constraint | Index] = [*table.constraints, *table.indexes]
    if not table.primary_key.columns:  # SQLAlchemy adds an empty key to a table without one
        keys.remove(table.primary_key)
    return {f"{table.fullname}: {key.name}" for key in keys}


def _tables(url: str) -> set[str]:
    rows = fetch(
        url,
        "SELECT CASE schemaname WHEN 'public' THEN tablename ELSE schemaname || '.' || tablename END AS name "
        "FROM pg_tables WHERE schemaname IN ('public', 'fullon_graphql')",
    )
    return {row["name"] for row in rows}


def _shape(url: str) -> list[asyncpg.Record]:
    """Columns, constraints and indexes of the tables from the catalogue, each as one line."""
    return fetch(
        url,
        """
        SELECT table_name AS "table", concat_ws(' ', ordinal_position, column_name, data_type, character_maximum_length,
               numeric_precision, numeric_scale, is_nullable, column_default) AS fact
        FROM information_schema.columns WHERE table_schema IN ('public', 'fullon_graphql')
        UNION ALL
        SELECT conrelid::regclass::text, conname || ' ' || pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace IN ('public'::regnamespace) AND contype <> 'n'
        UNION ALL
        SELECT tablename, indexdef FROM pg_indexes WHERE schemaname IN ('public', 'fullon_graphql')
        ORDER BY 1, 2
        """,
    )


def _rows(url: str) -> list[asyncpg.Record]:
    return fetch(url, "SELECT * FROM users ORDER BY uid") + fetch(url, "SELECT * FROM orders ORDER BY order_id")
