"""Indexes that lists below a parent lack in an existing database, with their gain.

PostgreSQL reads a page of the orders of a bot from an index on (bot_id, order_id). With an index on (bot_id) alone it
reads all orders of the bot and sorts them.
"""

# ruff: noqa: S608  # names are those of the models, values come quoted from PostgreSQL

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from fullon_graphql.models.migrate import connect

FEWEST_ROWS: Final = 1_000
"""Smaller tables need no index: reading them takes less than a millisecond."""

MOST_BYTES: Final = 64 * 2**20
"""The largest table whose index is built to measure it: writers wait for about a second at most."""

PAGE: Final = 50
RUNS: Final = 3
SMALLEST_GAIN: Final = 0.2
"""The part of the time that an index has to save."""


class AccessPath(NamedTuple):
    """A list below a parent: the rows of `table` with some values in the columns `equal`, in the order of `order`.

    `order` is None for an order that no index has, by times for example.
    """

    field: str
    """The field of the graph, e.g. `Bot.orders`."""
    table: str
    equal: tuple[str, ...]
    order: str | None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of an index that has a page of the list in one range."""
        return (*self.equal, self.order) if self.order else self.equal


class Index(NamedTuple):
    """The columns of an existing index over all rows of a table."""

    table: str
    is_unique: bool
    columns: list[str]


@dataclass(frozen=True)
class Proposal:
    """A missing index. Times are milliseconds for a page of the parent with the most rows; None if not measured."""

    path: AccessPath
    rows: int | None = None
    """Rows of that parent."""
    before: float | None = None
    after: float | None = None
    is_estimated: bool = False
    """True if `after` is computed from the numbers of rows, because the table is large or may not be altered."""

    @property
    def statement(self) -> str:
        """The statement that creates the index without blocking writers."""
        columns = ", ".join(f'"{column}"' for column in self.path.columns)
        name = f"{self.path.table}_{'_'.join(self.path.columns)}_idx"
        return f'CREATE INDEX CONCURRENTLY IF NOT EXISTS "{name}" ON "{self.path.table}" ({columns})'

    @property
    def gain(self) -> str:
        """The gain in words; empty if it was not measured."""
        if self.before is None or self.after is None:
            return ""
        kind = "estimated" if self.is_estimated else "measured"
        page = f"a page of {PAGE} of {self.rows} rows"
        return (
            f"{page} of {self.path.field} takes {self.before:.2f} ms, and {self.after:.2f} ms with the index ({kind})"
        )


def advise(
    url: str, paths: Sequence[AccessPath], *, measure: bool = True, fewest_rows: int = FEWEST_ROWS
) -> list[Proposal]:
    """The missing indexes of the database at `url`, those with the largest gain first. Nothing is changed.

    With `measure`, an index of a small table is built in a transaction that is rolled back, and those that do not make
    a page faster are left out. Tables of fewer than `fewest_rows` are left out too.
    """
    return asyncio.run(_advise(url, paths, measure, fewest_rows))


def apply(url: str, proposals: Sequence[Proposal]) -> None:
    """Create the indexes, without blocking writers.

    Raises:
        sqlalchemy.exc.DBAPIError: the role lacks the right, or the index cannot be created.
    """
    asyncio.run(_apply(url, proposals))


async def _apply(url: str, proposals: Sequence[Proposal]) -> None:
    async with connect(url) as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        for proposal in proposals:
            await connection.execute(text(proposal.statement))


async def _advise(url: str, paths: Sequence[AccessPath], measure: bool, fewest_rows: int) -> list[Proposal]:
    async with connect(url) as connection:
        indexes = [Index(*row) for row in await connection.execute(_INDEXES)]
        missing = [path for path in paths if not any(_serves(index, path) for index in indexes)]
        found = [Proposal(path) for path in missing if await _has_rows(connection, path, fewest_rows)]
        if measure:
            measured = [await _measured(connection, proposal) for proposal in found]
            found = [one for one in measured if _saved(one) >= SMALLEST_GAIN * (one.before or 0)]
        await connection.rollback()
    return sorted(found, key=_saved, reverse=True)


_INDEXES: Final = text("""
    SELECT c.relname, i.indisunique, ARRAY(
        SELECT CAST(a.attname AS text) FROM unnest(i.indkey) WITH ORDINALITY AS part (number, place)
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = part.number
        WHERE place <= i.indnkeyatts ORDER BY place
    )
    FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid
    JOIN pg_am m ON m.oid = x.relam
    WHERE c.relnamespace = to_regnamespace('public') AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
        AND m.amname = 'btree'
""")
_COLUMNS: Final = text("""
    SELECT count(*) FROM information_schema.columns c
    JOIN pg_class t ON t.oid = to_regclass(format('public.%I', c.table_name)) AND t.relkind IN ('r', 'p')
    WHERE c.table_schema = 'public' AND c.table_name = :table AND c.column_name = ANY(:columns)
""")


def _serves(index: Index, path: AccessPath) -> bool:
    """True if the index has the list of a parent in one range, in order, or allows it one row at most."""
    if index.table != path.table:
        return False
    if index.is_unique and set(index.columns) <= set(path.equal):
        return True
    count = len(path.equal)
    leads = set(index.columns[:count]) == set(path.equal)
    ordered = path.order is None or index.columns[count : count + 1] == [path.order]
    return leads and ordered


async def _has_rows(connection: AsyncConnection, path: AccessPath, fewest: int) -> bool:
    columns = {"table": path.table, "columns": list(path.columns)}
    if await connection.scalar(_COLUMNS, columns) != len(path.columns):
        return False  # `db doctor` reports missing tables and columns
    rows = f'SELECT count(*) FROM (SELECT FROM "{path.table}" LIMIT {fewest}) AS part'
    return bool(await connection.scalar(text(rows)) == fewest)


async def _measured(connection: AsyncConnection, proposal: Proposal) -> Proposal:
    path = proposal.path
    equal = [f'"{column}"' for column in path.equal]
    values = ", ".join(f"quote_literal(CAST({column} AS text))" for column in equal)
    present = " AND ".join(f"{column} IS NOT NULL" for column in equal)
    parent = f"""
        SELECT count(*), {values} FROM "{path.table}" WHERE {present}
        GROUP BY {", ".join(equal)} ORDER BY count(*) DESC LIMIT 1
    """
    row = (await connection.execute(text(parent))).first()
    if row is None:
        return proposal
    rows, *literals = row
    condition = " AND ".join(f"{column} = {value}" for column, value in zip(equal, literals, strict=True))
    order = f'ORDER BY "{path.order}" LIMIT {PAGE}' if path.order else ""
    page = f'SELECT * FROM "{path.table}" WHERE {condition} {order}'
    before = await _time(connection, page)
    after = await _time_with_index(connection, path, page)
    is_estimated = after is None
    if after is None:
        after = before * min(1.0, PAGE / rows)
    return Proposal(path, rows, before, after, is_estimated)


async def _time_with_index(connection: AsyncConnection, path: AccessPath, page: str) -> float | None:
    """The time of a page with an index that is built and rolled back; None if it cannot be built."""
    if (await connection.scalar(text(f"SELECT pg_table_size('\"{path.table}\"')")) or 0) > MOST_BYTES:
        return None
    columns = ", ".join(f'"{column}"' for column in path.columns)
    attempt = await connection.begin_nested()
    try:
        await connection.execute(text("SET LOCAL lock_timeout = '1s'"))
        await connection.execute(text(f'CREATE INDEX ON "{path.table}" ({columns})'))
        return await _time(connection, page)
    except DBAPIError:
        return None
    finally:
        await attempt.rollback()
        await connection.rollback()  # releases the lock of the table


async def _time(connection: AsyncConnection, statement: str) -> float:
    """The shortest execution time of several, in milliseconds."""
    times = []
    for _ in range(RUNS):
        plan: Any = (await connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}")).scalar()
        [report] = json.loads(plan) if isinstance(plan, str) else plan
        times.append(float(report["Execution Time"]))
    return min(times)


def _saved(proposal: Proposal) -> float:
    return (proposal.before or 0.0) - (proposal.after or 0.0)
