"""Compares an existing database, perhaps older or newer than the models, with the models.

Constraints are compared by their effect, never by name: installations may name them differently.
"""

from __future__ import annotations

import asyncio
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    DefaultClause,
    Dialect,
    Index,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    UniqueConstraint,
    func,
    literal_column,
    make_url,
    select,
    text,
)
from sqlalchemy.exc import SAWarning
from sqlalchemy.schema import CreateColumn
from sqlalchemy.sql import ClauseElement
from sqlalchemy.types import Enum, NullType, TypeEngine

from fullon_graphql.errors import shortened
from fullon_graphql.models import OWN_SCHEMA, Base, triggers
from fullon_graphql.models.base import FOR_LISTS
from fullon_graphql.models.migrate import connect

DIALECT: Dialect = make_url("postgresql://").get_dialect()()


class Severity(IntEnum):
    """The effect of a difference, worst first."""

    BREAKS = 0
    """Something stops working."""
    DEGRADES = 1
    """Something works, but slower, less safely or not for every value."""
    HARMLESS = 2


@dataclass(frozen=True, slots=True, order=True)
class Difference:
    """One difference between the database and the models, and its consequence."""

    severity: Severity
    where: str
    """`table` or `table.column`."""
    what: str
    consequence: str


def inspect(url: str) -> list[Difference]:
    """All differences between the database at `url` and the models, worst first. Nothing is changed."""
    return asyncio.run(_inspect(url))


def examine(connection: Connection) -> list[Difference]:
    """`inspect` on an open connection."""
    actual = _reflect(connection)
    return sorted(
        [
            *_tables(Base.metadata, actual),
            *_feed(connection),
            *_sequences(connection),
            *_shared_candle_tables(connection, actual),
        ]
    )


async def _inspect(url: str) -> list[Difference]:
    async with connect(url) as connection:
        return await connection.run_sync(examine)


def _reflect(connection: Connection) -> MetaData:
    """The existing tables."""
    metadata = MetaData()
    with warnings.catch_warnings():
        # Columns of unknown types are reported below.
        warnings.filterwarnings("ignore", "Did not recognize type", SAWarning)
        metadata.reflect(connection, resolve_fks=False)
        metadata.reflect(connection, schema=OWN_SCHEMA, resolve_fks=False)
    return metadata


def _tables(expected: MetaData, actual: MetaData) -> Iterator[Difference]:
    for name, table in expected.tables.items():
        if name in actual.tables:
            yield from _table(table, actual.tables[name])
        else:
            consequence = "it can be neither read nor written; `db upgrade` creates it in a new database"
            yield Difference(Severity.BREAKS, name, "table is missing", consequence)
    for name, table in actual.tables.items():
        if name not in expected.tables and table.schema != OWN_SCHEMA:
            yield Difference(Severity.HARMLESS, name, "table is unknown here", "it is left alone")


_UNFED = "subscriptions to its rows are refused"
_UNTOLD = {
    triggers.qualified(model): "changes by other programs reach open connections late" for model in triggers.CREDENTIALS
}


def _feed(connection: Connection) -> Iterator[Difference]:
    for table in triggers.outdated(connection):
        consequence = "writing a row costs three times as much; fix it with `fullon-graphql db install-feed`"
        yield Difference(
            Severity.DEGRADES, table.removeprefix("public."), "has a change trigger of an older version", consequence
        )
    for table in triggers.unwatched(connection):
        consequence = f"{_UNTOLD.get(table, _UNFED)}; fix it with `fullon-graphql db install-feed`"
        yield Difference(Severity.DEGRADES, table.removeprefix("public."), "has no change trigger", consequence)


def _sequences(connection: Connection) -> Iterator[Difference]:
    """Sequences behind the rows they number, e.g. after a restore of the rows alone."""
    for table in Base.metadata.sorted_tables:
        column = table.autoincrement_column
        if table.schema or column is None:
            continue
        sequence = connection.scalar(_SEQUENCE, {"table": table.name, "column": column.name})
        if sequence is None:
            continue
        # `is_called` is false for a sequence that starts with its last value.
        newest = select(func.coalesce(func.max(column), 0)).scalar_subquery()
        next_value: ColumnElement[int] = literal_column("last_value + CAST(is_called AS int)")
        if connection.scalar(select(newest >= next_value).select_from(text(sequence))):
            what = f"sequence {sequence} is behind the rows"
            yield Difference(Severity.BREAKS, str(column), what, "new rows are refused until setval() moves it")


_SEQUENCE = text("""
    SELECT pg_get_serial_sequence(t.table_name, :column)
    FROM information_schema.columns t
    WHERE t.table_schema = current_schema() AND t.table_name = :table AND t.column_name = :column
""")


def _shared_candle_tables(connection: Connection, actual: MetaData) -> Iterator[Difference]:
    """Symbols of one exchange whose candle tables have the same names (`ohlcv/naming.py`)."""
    symbols = actual.tables.get("symbols")
    if symbols is None or not {"symbol", "cat_ex_id"} <= {*symbols.columns.keys()}:
        return
    for (names,) in connection.execute(_SHARED):
        what = f"symbols of one exchange have the same candle tables: {shortened(names)}"
        yield Difference(
            Severity.BREAKS, "symbols.symbol", what, "their prices overwrite each other; remove all but one"
        )


_SHARED = text("""
    SELECT string_agg(CAST(symbol AS text), ', ' ORDER BY symbol) FROM symbols
    GROUP BY cat_ex_id, translate(lower(CAST(symbol AS text)), '/:-', '___') HAVING count(*) > 1 ORDER BY 1
""")


def _table(expected: Table, actual: Table) -> Iterator[Difference]:
    for column in expected.columns:
        if column.name in actual.columns:
            yield from _column(column, actual.columns[column.name])
        else:
            yield _missing_column(column)
    for column in actual.columns:
        if column.name not in expected.columns:
            yield _extra_column(column)
    yield from _unique_keys(expected, actual)
    yield from _foreign_keys(expected, actual)
    yield from _indexes(expected, actual)


def _missing_column(column: Column[Any]) -> Difference:
    consequence = f"every read of {column.table.fullname} fails, because it selects this column"
    if column.nullable or column.server_default is not None:
        definition = CreateColumn(column).compile(dialect=DIALECT)
        consequence += f"; fix it with ALTER TABLE {column.table.fullname} ADD COLUMN {definition}"
    return Difference(Severity.BREAKS, str(column), "column is missing", consequence)


def _extra_column(column: Column[Any]) -> Difference:
    if column.nullable or column.server_default is not None:
        return Difference(Severity.HARMLESS, str(column), "column is unknown here", "it is neither shown nor written")
    consequence = f"rows of {column.table.fullname} cannot be created, because its value is unknown"
    return Difference(Severity.BREAKS, str(column), "column is unknown here, and required", consequence)


def _column(expected: Column[Any], actual: Column[Any]) -> Iterator[Difference]:
    where = str(expected)
    if (was := _type_name(actual.type)) != (wanted := _type_name(expected.type)):
        severity, consequence = _type_consequence(where, expected.type, actual.type)
        yield Difference(severity, where, f"is {was}, expected {wanted}", consequence)
    if actual.nullable and not expected.nullable:
        yield Difference(Severity.DEGRADES, where, "may be null", "a row without a value cannot be shown")
    if expected.nullable and not actual.nullable:
        yield Difference(Severity.DEGRADES, where, "may not be null", "rows without a value cannot be written")
    yield from _default(expected, actual)


# ---------------------------------------------------------------- types

WIDENING = (("SMALLINT", "INTEGER", "BIGINT"), ("REAL", "DOUBLE PRECISION", "NUMERIC"))
"""Compatible types; each holds all values of those before it."""

EQUIVALENT = {
    "JSON": "JSONB",
    "TIMESTAMP WITHOUT TIME ZONE": "TIMESTAMP WITH TIME ZONE",  # our sessions are in UTC
}
"""Types that are read and written exactly as the expected type."""

_BEYOND_INT = (
    "GraphQL's Int ends at 2147483647: a value beyond it is null with an error in a field that may be null, and in one"
    " that may not be, its row is left out of lists with an error; the row's `id` and the cursors stay valid"
)

LENGTH_NEEDED = {
    "users.password": 60,  # a bcrypt hash
    "api_keys.key": 71,  # sha256$ and 64 digits
}
"""The length that is really needed, where the models have a longer one."""


def _type_consequence(where: str, expected: TypeEngine[Any], actual: TypeEngine[Any]) -> tuple[Severity, str]:
    if _is_text(expected) and _is_text(actual):
        return _text_consequence(where, expected, actual)
    wanted, was = _type_name(expected).split("(")[0], _type_name(actual).split("(")[0]
    if EQUIVALENT.get(wanted) == was:
        return Severity.HARMLESS, "both are read and written in the same way"
    for names in WIDENING:
        if wanted in names and was in names:
            is_bounded = "(" in _type_name(actual)  # NUMERIC(10, 2)
            if wanted != "BIGINT" and was == "BIGINT":
                return Severity.DEGRADES, _BEYOND_INT
            if names.index(was) >= names.index(wanted) and not is_bounded:
                return Severity.HARMLESS, "it holds every value we write"
            return Severity.DEGRADES, "larger or finer values are refused or rounded"
    return Severity.BREAKS, "reading, comparing or writing it fails"


def _text_consequence(where: str, expected: TypeEngine[Any], actual: TypeEngine[Any]) -> tuple[Severity, str]:
    needed, room = LENGTH_NEEDED.get(where, _length(expected)), _length(actual)
    if room < needed:
        severity = Severity.BREAKS if where in LENGTH_NEEDED else Severity.DEGRADES
        return severity, f"values longer than {room} characters are refused"
    if _type_name(actual).startswith("CHAR") and not _type_name(expected).startswith("CHAR"):
        return Severity.DEGRADES, "values come back padded with blanks"
    return Severity.HARMLESS, "it holds every value we write"


def _is_text(type_: TypeEngine[Any]) -> bool:
    return isinstance(type_, String) and not isinstance(type_, Enum)


def _length(type_: TypeEngine[Any]) -> float:
    return getattr(type_, "length", None) or float("inf")


def _type_name(type_: TypeEngine[Any]) -> str:
    if isinstance(type_, Enum):
        return f"ENUM {type_.name}"
    return "of an unknown type" if isinstance(type_, NullType) else type_.compile(dialect=DIALECT)


# ---------------------------------------------------------------- defaults


def _default(expected: Column[Any], actual: Column[Any]) -> Iterator[Difference]:
    where, wanted, was = str(expected), _default_text(expected), _default_text(actual)
    is_serial = expected is expected.table.autoincrement_column
    if was is None and (is_serial or wanted is not None):
        if actual.nullable:
            yield Difference(Severity.DEGRADES, where, "has no default", "new rows have no value")
        else:
            yield Difference(Severity.BREAKS, where, "has no default", "rows created without a value are refused")
    elif was != wanted and not is_serial:
        what = f"default is {was}, expected {wanted or 'none'}"
        yield Difference(Severity.HARMLESS, where, what, "new rows may start with a different value")


def _default_text(column: Column[Any]) -> str | None:
    """The default as normalised SQL, without casts and quotes."""
    match column.server_default:
        case None:
            return None
        case DefaultClause(arg=ClauseElement() as expression):
            sql = str(expression.compile(dialect=DIALECT))
        case DefaultClause(arg=literal):
            sql = str(literal)
        case _:
            return "generated"
    without_casts = re.sub(r"::[a-z ]+(\(\d+\))?(\[\])?", "", sql.lower())
    return re.sub(r"[\s'()]", "", without_casts).replace("current_timestamp", "now")


# ---------------------------------------------------------------- keys and indexes


def _unique_keys(expected: Table, actual: Table) -> Iterator[Difference]:
    there = _unique_columns(actual)
    for columns in _unique_columns(expected):
        # A key over fewer columns is stricter: unique (bot_id) implies unique (bot_id, name).
        if not any(set(fewer) <= set(columns) for fewer in there):
            what = f"({', '.join(columns)}) is not unique"
            consequence = "two rows may have the same values, and a look-up returns either"
            yield Difference(Severity.DEGRADES, expected.fullname, what, consequence)


def _indexes(expected: Table, actual: Table) -> Iterator[Difference]:
    there = _unique_columns(actual) + [index.columns.keys() for index in _plain_indexes(actual)]
    for index in expected.indexes:
        if FOR_LISTS in index.info:
            continue  # `db advise` proposes it if it is faster
        columns = index.columns.keys()
        if not any(longer[: len(columns)] == columns for longer in there):
            what = f"no index on ({', '.join(columns)})"
            yield Difference(Severity.DEGRADES, expected.fullname, what, "reads by these columns scan the whole table")


def _unique_columns(table: Table) -> list[list[str]]:
    constraints = [c for c in table.constraints if isinstance(c, PrimaryKeyConstraint | UniqueConstraint)]
    indexes = [index for index in _plain_indexes(table) if index.unique]
    return [columns for key in (*constraints, *indexes) if (columns := key.columns.keys())]


def _plain_indexes(table: Table) -> list[Index]:
    """The indexes over plain columns and all rows: neither partial nor over expressions."""
    return [
        index
        for index in table.indexes
        if index.dialect_options["postgresql"]["where"] is None and len(index.columns) == len(index.expressions)
    ]


def _foreign_keys(expected: Table, actual: Table) -> Iterator[Difference]:
    wanted, there = _references(expected), _references(actual)
    for reference in wanted.keys() - there.keys():
        consequence = "a row may refer to a missing row, and stays when that is deleted"
        yield Difference(Severity.DEGRADES, expected.fullname, f"no foreign key from {reference}", consequence)
    for reference in there.keys() - wanted.keys():
        what = f"foreign key from {reference}, unknown here"
        consequence = f"deleting the other row has the effect of ON DELETE {there[reference]}, which is not expected"
        yield Difference(Severity.DEGRADES, expected.fullname, what, consequence)
    for reference in wanted.keys() & there.keys():
        if wanted[reference] != there[reference]:
            what = f"foreign key from {reference} is ON DELETE {there[reference]}, expected {wanted[reference]}"
            yield Difference(
                Severity.DEGRADES, expected.fullname, what, "deleting the other row has a different effect"
            )


def _references(table: Table) -> dict[str, str]:
    """The foreign keys and their ON DELETE actions."""
    return {
        f"{', '.join(key.column_keys)} to {', '.join(e.target_fullname for e in key.elements)}": key.ondelete
        or "NO ACTION"
        for key in table.foreign_key_constraints
    }
