"""One PostgreSQL database: a bounded pool, a timeout on every statement, rows out.

Reads take a connection for one statement only, so that a request never holds one while it waits for something else.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

import asyncpg
import orjson
from sqlalchemy import Executable, Row, text
from sqlalchemy.dialects.postgresql.asyncpg import dialect
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from fullon_graphql.config import Settings
from fullon_graphql.database.read_pool import ReadPool

APPLICATION = "fullon_graphql"
"""How our connections call themselves in `pg_stat_activity`, before a colon and what each is for."""


class Database:
    """A pool of connections and the two ways to use it: read rows, or run one transaction."""

    def __init__(self, engine: AsyncEngine, driver: ReadPool) -> None:
        self.engine = engine
        self._driver = driver
        self._reading = engine.execution_options(isolation_level="AUTOCOMMIT")

    @classmethod
    def connect(cls, url: str, name: str, settings: Settings) -> Database:
        """A database at `url`; `name` shows in `pg_stat_activity`. Nothing is dialled before the first use."""
        server = {"application_name": f"{APPLICATION}:{name}", "timezone": "UTC", "jit": "off"}
        options = {
            "timeout": settings.db_timeout,
            "command_timeout": settings.db_timeout,
            "server_settings": server,
        }
        engine = create_async_engine(
            make_url(url).set(drivername="postgresql+asyncpg"),
            pool_size=settings.db_pool_size,
            max_overflow=settings.db_pool_max_overflow,
            pool_timeout=settings.db_timeout,
            pool_pre_ping=False,
            pool_recycle=3600,
            hide_parameters=True,  # or the text of an exception would carry password hashes into logs
            json_serializer=lambda value: orjson.dumps(value).decode(),
            json_deserializer=orjson.loads,
            connect_args=options,
        )
        address = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        # Where LIMIT is a parameter, PostgreSQL takes a plan made for one value to be better than the one for all, and
        # makes it anew each time: most of what a page of rows would cost.
        remembering = options | {"server_settings": server | {"plan_cache_mode": "force_generic_plan"}}
        return cls(engine, ReadPool(address, settings.db_pool_size, remembering))

    async def rows(self, statement: Executable, parameters: dict[str, Any] | None = None) -> Sequence[Row[Any]]:
        """All rows of one read statement. No transaction is left open."""
        _hear(statement)
        async with self._reading.connect() as connection:
            return (await connection.execute(statement, parameters)).all()

    async def row(self, statement: Executable, parameters: dict[str, Any] | None = None) -> Row[Any] | None:
        """The first row of one read statement, or None."""
        _hear(statement)
        async with self._reading.connect() as connection:
            return (await connection.execute(statement, parameters)).first()

    async def text(self, sql: str, *values: Any) -> str | None:
        """The one value of one read statement, through the driver itself: for statements compiled beforehand."""
        async with self._driver.connection() as connection:
            found: str | None = await connection.fetchval(sql, *values)
        return found

    async def records(self, sql: str, *values: Any) -> list[asyncpg.Record]:
        """All rows of one read statement, through the driver itself."""
        async with self._driver.connection() as connection:
            found: list[asyncpg.Record] = await connection.fetch(sql, *values)
        return found

    async def named_records(self, sql: str, parameters: dict[str, Any]) -> list[asyncpg.Record]:
        """The same for a statement with `:named` parameters."""
        numbered, names = _numbered(sql)
        _hear(numbered)
        return await self.records(numbered, *(parameters[name] for name in names))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """One unit of work: committed when the block ends, rolled back when it raises."""
        async with self.engine.begin() as connection:
            yield connection

    @asynccontextmanager
    async def connection_of_its_own(self, name: str) -> AsyncIterator[asyncpg.Connection]:
        """A connection outside the pools, for whoever listens for notifications."""
        connection = await self._driver.dedicated(f"{APPLICATION}:{name}")
        try:
            yield connection
        finally:
            connection.terminate()  # there is nothing to end in order,
            await asyncio.sleep(0)  # and its socket is closed in the loop's next turn

    async def close(self) -> None:
        """Give every connection back. Safe to call more than once."""
        await self._driver.close()
        await self.engine.dispose()


_dialect = dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy's dialects have no annotations


_overheard: ContextVar[list[str] | None] = ContextVar("sql_overheard", default=None)


@contextmanager
def overheard(statements: list[str]) -> Iterator[None]:
    """Add the text of each read statement within the block to `statements`, without its values.

    Those that were compiled beforehand (`text`, `records`) are known to whoever has them, and left out.
    """
    token = _overheard.set(statements)
    try:
        yield
    finally:
        _overheard.reset(token)


def _hear(statement: Executable | str) -> None:
    if (heard := _overheard.get()) is not None:
        compiled = statement if isinstance(statement, str) else str(_compiled(statement))
        heard.append(compiled.strip())


def _compiled(statement: Any) -> Any:
    return statement.compile(dialect=_dialect)


@lru_cache(maxsize=1_000)
def _numbered(sql: str) -> tuple[str, tuple[str, ...]]:
    """The statement with `$1`, `$2` and so on, and the names in that order."""
    compiled = text(sql).compile(dialect=_dialect)
    return str(compiled), tuple(compiled.positiontup or ())
