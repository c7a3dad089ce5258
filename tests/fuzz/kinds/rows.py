"""Rows that other programs write to PostgreSQL: unexpected values that the columns accept."""

from __future__ import annotations

from typing import Any, Final

from hypothesis import strategies as st
from sqlalchemy import Column, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError

from fullon_graphql.models import Base
from tests.fuzz.harness import Kind
from tests.fuzz.hostile import TEXTS
from tests.fuzz.listening import listening
from tests.fuzz.reading import documents, reading_complaints, rest_paths
from tests.fuzz.world import World

UNTOUCHED: Final = {"sessions", "changes", "changes_floor", "idempotency_keys", "audit_log"}
"""Tables that only this project writes."""
KEPT: Final = {("users", name) for name in ("uid", "active", "mail", "role")}
"""Columns on which the tokens of the cases depend."""

VALUES: Final = {
    "TIMESTAMP": ("infinity", "-infinity", "4713-01-01 00:00:00 BC", "294276-12-31 23:59:59", "0001-01-01 00:00:00",
                  "9999-12-31 23:59:59.999999", "10000-01-01 00:00:00", "1969-12-31 23:59:59.999999"),
    "DOUBLE": ("NaN", "Infinity", "-Infinity", "1e308", "-1e308", "5e-324", "-0", "0"),
    "NUMERIC": ("NaN", "1e400", "-1e400", "0." + "0" * 300 + "1", "Infinity"),
    "INTEGER": ("2147483647", "-2147483648", "0", "-1", "99"),
    "SMALLINT": ("32767", "-32768", "0"),
    "BOOLEAN": ("true", "false"),
    "JSON": (r'"\ud800"', r'{"a": "\udfff", "\ud800": 1}', "1e999", "[" * 1500 + "]" * 1500, "{" + '"a":{' * 200 + "}" * 201,
             '{"a": 1, "a": 2}', "123456789012345678901234567890", "null", "[]", r'"\u0001"', '"x"'),
}  # fmt: skip
"""By the beginning of a column's type."""
WORDS: Final = ("hold", "BUY ", "Sell", "ADMIN", "\u2028", *(one for one in TEXTS if "\0" not in one))

Case = tuple[str, str, int, str | None, list[str], list[str]]
"""Table, column, number of the row, value, and the reads that follow: root fields and paths."""


def cases(world: World) -> st.SearchStrategy[Case]:
    columns = [
        (table.name, column)
        for table in Base.metadata.sorted_tables if table.name not in UNTOUCHED
        for column in table.columns if (table.name, column.name) not in KEPT
    ]  # fmt: skip
    paths = [path for path in rest_paths(world) if "/orm/" in path or "users" in path]
    return st.sampled_from(columns).flatmap(
        lambda chosen: st.tuples(
            st.just(chosen[0]),
            st.just(chosen[1].name),
            st.integers(0, 5),
            _values(chosen[1]),
            st.lists(st.sampled_from(sorted(documents())), min_size=1, max_size=3),
            st.lists(st.sampled_from(paths), min_size=1, max_size=3),
        )
    )


def _values(column: Column[Any]) -> st.SearchStrategy[str | None]:
    type_ = column.type.compile(dialect=postgresql.dialect())  # type: ignore[no-untyped-call]  # SQLAlchemy's dialects have no annotations
    known = next((some for name, some in VALUES.items() if type_.startswith(name)), WORDS)
    return st.sampled_from((*known, None) if column.nullable else known)


async def play(world: World, case: Case) -> list[str]:
    table, column, number, value, roots, paths = case
    changed = await _update(
        world, table, column, f"(SELECT ctid FROM {table} ORDER BY ctid OFFSET {number} LIMIT 1)", value
    )
    if changed is None:
        return []  # a constraint refuses the value, or there is no such row
    place, before = changed
    try:
        return await reading_complaints(world, [*_roots(table), *roots], paths)
    finally:
        await _update(world, table, column, f"'{place}'", before)


async def _update(world: World, table: str, column: str, row: str, value: str | None) -> tuple[str, str | None] | None:
    """Set a column of one row; returns the row's new place and the value before."""
    type_ = f"SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attname = '{column}'"
    try:
        async with world.database.transaction() as connection:
            name = await connection.scalar(text(type_.replace(":", "\\:")))
            statement = f"""
                WITH old AS (SELECT ctid AS place, CAST("{column}" AS text) AS value FROM {table} WHERE ctid = {row})
                UPDATE {table} AS stored SET "{column}" = CAST(CAST(:value AS text) AS {name})
                FROM old WHERE stored.ctid = old.place
                RETURNING CAST(stored.ctid AS text), old.value
            """
            found = (await connection.execute(text(statement), {"value": value})).first()
    except DBAPIError:
        return None
    return None if found is None else (found[0], found[1])


def _roots(table: str) -> list[str]:
    """The root field of the rows of a table, if one is named like it."""
    first, *rest = table.split("_")
    name = first + "".join(part.capitalize() for part in rest)
    return [name] if name in documents() else []


KIND: Final = Kind("rows", cases, play, listening)
