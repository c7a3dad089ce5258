"""One PostgreSQL database: bounded pools and a timeout on every statement.

A read holds a connection for one statement only, so a request never holds one while it waits for something else.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any, Final, TypeVar, cast

import asyncpg
import orjson
from sqlalchemy import Executable, Row, text
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi, dialect
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry

from fullon_graphql.circuit_breaker import CircuitBreaker
from fullon_graphql.config import Settings
from fullon_graphql.database.failures import connect, ended_before_answer, report_statements
from fullon_graphql.database.json import read_json
from fullon_graphql.database.pooler import adapted, open_connection
from fullon_graphql.database.precompiled import Statement
from fullon_graphql.database.read_pool import ReadPool
from fullon_graphql.database.repeating import repeated
from fullon_graphql.database.shared_reads import MOST_SECONDS, PLACE, Found, SharedReads
from fullon_graphql.joined_calls import KeyedCalls, Outcome
from fullon_graphql.lru import remembered
from fullon_graphql.observability.metrics import TEXT_READS
from fullon_graphql.observability.pools import PoolUse

T = TypeVar("T")

APPLICATION = "fullon_graphql"
"""Prefix of `application_name` of our connections, before a colon and their purpose."""


SESSION: Final = {
    "timezone": "UTC",
    "jit": "off",
    "default_transaction_isolation": "read committed",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "IntervalStyle": "postgres",
    "DateStyle": "ISO",
}
"""Settings on which results depend, so that those of the server or the role do not change them."""


STATEMENTS = 50
"""The most prepared statements of one connection; the server keeps a plan for each."""
STATEMENT_BYTES = 16_384
"""The longest statement that stays prepared."""
SILENCE_SECONDS: Final = 1.0
"""Seconds after `DB_TIMEOUT`, at which the server cancels a statement, until a server without an answer is given up."""
COMPILED_STATEMENTS = 100
"""The most statements of the reference execution that SQLAlchemy keeps compiled; each takes about 100 kB."""


class Database:
    """Read rows, or run one transaction, over pooled connections."""

    def __init__(
        self,
        engine: AsyncEngine,
        driver: ReadPool,
        breaker: CircuitBreaker,
        *,
        dedicated: Callable[[str], Awaitable[asyncpg.Connection]] | None = None,
        autocommit: bool = True,
    ) -> None:
        self.engine = engine
        self._breaker = breaker
        self._driver = driver
        self._dedicated = dedicated
        self.shared_reads = SharedReads(driver)
        """Reads of single rows by key, shared by concurrent requests."""
        self._texts = KeyedCalls(self._text, MOST_SECONDS)
        """By statement and parameters."""
        self._reading = engine.execution_options(isolation_level="AUTOCOMMIT") if autocommit else engine

    @classmethod
    def connect(cls, url: str, name: str, settings: Settings, breaker: CircuitBreaker | None = None) -> Database:
        """A database at `url`; `name` shows in `pg_stat_activity`. Connects at the first use.

        With a breaker the server cancels statements, so that a slow one is not taken for a server without an answer.
        `DB_POOLER` is the pooler at `url`; dedicated connections use `DATABASE_DIRECT_URL` if it is set.
        """
        server = {"application_name": f"{APPLICATION}:{name}"} | SESSION
        statement_timeout = settings.db_timeout
        if breaker:
            server["statement_timeout"] = str(math.ceil(settings.db_timeout * 1_000))
            statement_timeout += SILENCE_SECONDS
        breaker = breaker or CircuitBreaker.never_opening(name)
        options = {
            "timeout": settings.db_timeout,
            "command_timeout": statement_timeout,
            "server_settings": server,
            "statement_cache_size": STATEMENTS,
            "max_cacheable_statement_size": STATEMENT_BYTES,
        }
        pooled = adapted(settings.db_pooler, options)
        by_transaction = settings.db_pooler == "transaction"
        # `str` makes an empty name, which the driver does not keep.
        unnamed = {"prepared_statement_cache_size": 0, "prepared_statement_name_func": str} if by_transaction else {}
        engine = create_async_engine(
            make_url(url).set(drivername="postgresql+asyncpg"),
            poolclass=_Pool,
            pool_size=settings.db_pool_size,
            max_overflow=settings.db_pool_max_overflow,
            pool_timeout=settings.db_timeout,
            pool_pre_ping=False,
            pool_recycle=3600,
            query_cache_size=COMPILED_STATEMENTS,
            hide_parameters=True,  # an exception's text would carry password hashes into logs
            json_serializer=lambda value: orjson.dumps(value).decode(),
            json_deserializer=read_json,
            connect_args=pooled | unnamed | {"async_creator_fn": partial(connect, breaker)},
        )
        report_statements(engine, breaker)
        address = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        # With LIMIT as a parameter PostgreSQL prefers a custom plan and would plan each execution again, which is most
        # of the cost of a page of rows.
        generic_plans = options | {"server_settings": server | {"plan_cache_mode": "force_generic_plan"}}
        reads = ReadPool(address, settings.db_pool_size, adapted(settings.db_pooler, generic_plans), breaker)
        is_direct = url == settings.database_url and bool(settings.database_direct_url)

        async def dedicated(purpose: str) -> asyncpg.Connection:
            named = options | {"server_settings": server | {"application_name": f"{APPLICATION}:{purpose}"}}
            if is_direct:
                return await open_connection(settings.database_direct_url, **named)
            return await open_connection(address, **adapted(settings.db_pooler, named))

        return cls(engine, reads, breaker, dedicated=dedicated, autocommit=not by_transaction)

    @property
    def use(self) -> PoolUse:
        """The use of both pools together."""
        pool = cast("_Pool", self.engine.pool)
        return PoolUse(pool.most, pool.checkedout(), pool.waiting).plus(self._driver.use)

    async def rows(self, statement: Executable, parameters: dict[str, Any] | None = None) -> Sequence[Row[Any]]:
        """All rows of one read statement, in autocommit mode."""
        record_statement(statement)
        try:
            return await self._read(statement, parameters)
        except DBAPIError as error:
            # Another program may have altered a table since the statement was prepared.
            is_outdated = isinstance(error.orig, AsyncAdapt_asyncpg_dbapi.InvalidCachedStatementError)
            if not (is_outdated or ended_before_answer(error)):
                raise
        return await self._read(statement, parameters)

    async def row(self, statement: Executable, parameters: dict[str, Any] | None = None) -> Row[Any] | None:
        """The first row of one read statement, or None."""
        return next(iter(await self.rows(statement, parameters)), None)

    async def _read(self, statement: Executable, parameters: dict[str, Any] | None) -> Sequence[Row[Any]]:
        self._breaker.admit()
        async with self._reading.connect() as connection:
            return (await connection.execute(statement, parameters)).all()

    async def text(self, sql: str, *values: Any) -> Outcome[str | None]:
        """The single value of a precompiled read statement, which equal reads of concurrent requests share.

        Reads are equal if their parameters are: the text of the statement determines the types. None is read before it
        came. A request waits for the read of another at most `MOST_SECONDS`.
        """
        hashable = tuple([tuple(value) if isinstance(value, list) else value for value in values])
        outcome = await self._texts.counted((sql, hashable))
        TEXT_READS.add("shared" if outcome.calls > 1 else "alone")
        return outcome

    def _text(self, read: tuple[str, tuple[Any, ...]]) -> Coroutine[Any, Any, str | None]:
        return self._driver.run(asyncpg.Connection.fetchval, *read)

    def records(self, sql: str, *values: Any) -> Coroutine[Any, Any, list[asyncpg.Record]]:
        """All rows of a precompiled read statement."""
        return self._driver.run(asyncpg.Connection.fetch, sql, values)

    async def objects(self, statement: Statement, **given: Any) -> list[dict[str, Any]]:
        """All rows of a compiled read statement by column name; `given` are its parameters."""
        return statement.objects(await self.records(statement.text, *statement.values(given)))

    def found(self, sql: str, *values: Any) -> Awaitable[Found]:
        """The first row of a precompiled statement that reads one row by key; none of `values` is an array."""
        return self.shared_reads.row(sql, values)

    async def one(self, statement: Statement, **given: Any) -> dict[str, Any] | None:
        """The first row of a compiled statement that reads one row by key, by column name; None without one."""
        record, _ = await self.found(statement.text, *statement.values(given))
        if record is None:
            return None
        [row] = statement.objects([record])
        row.pop(PLACE, None)
        return row

    async def named_records(self, sql: str, parameters: dict[str, Any]) -> list[asyncpg.Record]:
        """All rows of a read statement with `:named` parameters."""
        numbered, names = _numbered(sql)
        record_statement(numbered)
        return await self.records(numbered, *map(parameters.__getitem__, names))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """One transaction: committed when the block ends, rolled back when it raises.

        Raises:
            CircuitOpen: the database does not answer.
        """
        self._breaker.admit()
        async with self.engine.begin() as connection:
            yield connection

    async def in_transaction(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """The result of `work` in one transaction, which is repeated if it loses against concurrent ones."""

        async def attempt() -> T:
            async with self.transaction() as connection:
                return await work(connection)

        return await repeated(attempt)

    def connection(self) -> AsyncConnection:
        """A connection as a context manager; it is rolled back unless the caller commits. Raises as `transaction`."""
        self._breaker.admit()
        return self.engine.connect()

    @asynccontextmanager
    async def dedicated_connection(self, name: str) -> AsyncIterator[asyncpg.Connection]:
        """A connection outside the pools and the breaker, for loops that reconnect by themselves.

        It bypasses a pooler if `DATABASE_DIRECT_URL` is set. `name` shows in `pg_stat_activity`.

        Raises:
            TimeoutError, OSError, asyncpg.PostgresError: the connection could not be opened.
        """
        assert self._dedicated is not None, "made by `connect`"
        connection = await self._dedicated(name)
        try:
            yield connection
        finally:
            connection.terminate()
            await asyncio.sleep(0)  # the socket is closed in the next iteration of the loop

    async def close(self) -> None:
        """Close all pooled connections. May be called more than once."""
        await self._texts.close()
        await self.shared_reads.close()
        await self._driver.close()
        await self.engine.dispose()


class _Pool(AsyncAdaptedQueuePool):
    """SQLAlchemy's pool, with the number of callers that wait for a connection."""

    waiting = 0

    @property
    def most(self) -> int:
        """The number of connections that it may open."""
        return self.size() + self._max_overflow

    def _do_get(self) -> ConnectionPoolEntry:
        self.waiting += 1
        try:
            return super()._do_get()
        finally:
            self.waiting -= 1


_dialect = dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy's dialects have no annotations


_recorded: ContextVar[list[str] | None] = ContextVar("recorded_sql_statements", default=None)


@contextmanager
def recorded_statements(statements: list[str]) -> Iterator[None]:
    """Append the text of each read statement of the block to `statements`, without parameter values.

    Precompiled statements (`text`, `records`, `objects`) are left out: their callers know them.
    """
    token = _recorded.set(statements)
    try:
        yield
    finally:
        _recorded.reset(token)


def record_statement(statement: Executable | str) -> None:
    """Append a statement to those of the enclosing `recorded_statements`, if there is one."""
    if (recorded := _recorded.get()) is not None:
        compiled = statement if isinstance(statement, str) else str(_compiled(statement))
        recorded.append(compiled.strip())


def _compiled(statement: Any) -> Any:
    return statement.compile(dialect=_dialect)


def _numbered_bytes(found: tuple[str, tuple[str, ...]]) -> int:
    return 2 * len(found[0])  # the key and the result


@remembered("numbered_statements", 2**20, _numbered_bytes)
def _numbered(sql: str) -> tuple[str, tuple[str, ...]]:
    """The statement with `$1`, `$2` and so on, and the names in that order."""
    compiled = text(sql).compile(dialect=_dialect)
    return str(compiled), tuple(compiled.positiontup or ())
