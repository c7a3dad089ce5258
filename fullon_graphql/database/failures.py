"""Outcomes of calls that show that PostgreSQL does not answer, and their reports to the circuit breaker.

A failure is a connection that is refused, lost or not opened in time, a server that starts, stops or has no connection
left, and a statement without any answer. Workers let the server cancel slow statements (`statement_timeout`), so a
client's slow statement gets an answer. Errors of a statement, invalid input, a wait for a connection of the pool, and a
cancelled call are no failures.
"""

from __future__ import annotations

from typing import Any, Final

import asyncpg
from sqlalchemy import event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError, InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncEngine

from fullon_graphql.circuit_breaker import CircuitBreaker
from fullon_graphql.database.pooler import open_connection
from fullon_graphql.errors import STORE
from fullon_graphql.observability.metrics import count_limit

DRIVER_ERRORS: Final = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""All exceptions of the driver, for `except`. The last one has no class in common with the others."""

_CONNECTION_CLASS: Final = "08"
_SHUTDOWN: Final = "57P"
"""Shutdown by an administrator or after a crash, start-up."""
_QUERY_CANCELED: Final = "57014"
_TOO_MANY_CONNECTIONS: Final = "53300"


def report(breaker: CircuitBreaker, error: BaseException | None) -> None:
    """Report the outcome of a statement: `error`, or None after success. Unknown outcomes are not reported."""
    if isinstance(error, TimeoutError) or _sqlstate(error) == _QUERY_CANCELED:
        count_limit("DB_TIMEOUT")
    if error is None:
        if not breaker.is_clear:
            breaker.succeeded()
    elif is_failure(error):
        fail(breaker, error)
    elif _sqlstate(error):
        breaker.succeeded()


def fail(breaker: CircuitBreaker, error: BaseException) -> None:
    """Report a failure, and store the name of the failed database in it, for `as_fullon_error`."""
    breaker.failed(error)
    error.__dict__[STORE] = breaker.service


def is_failure(error: BaseException) -> bool:
    """True if `error`, of the driver or of SQLAlchemy's adapter, means that PostgreSQL does not answer."""
    if isinstance(error, OSError | asyncpg.TargetServerAttributeNotMatched):
        return True  # refused, unreachable, reset, or no primary among several hosts; `TimeoutError` is an OSError
    state = _sqlstate(error)
    return state.startswith((_CONNECTION_CLASS, _SHUTDOWN)) or state == _TOO_MANY_CONNECTIONS


def has_lost_connection(error: BaseException) -> bool:
    """True if `error` says nothing about its statement: it is a failure, or the driver cannot use the connection."""
    return is_failure(_of_driver(error)) or ended_before_answer(error)


def ended_before_answer(error: BaseException) -> bool:
    """True if the connection ended without any answer to the statement. A read is then repeated on another one.

    The server's last message and the end of a connection arrive one after the other. A statement between them gets an
    `InternalClientError` of the driver.
    """
    found = _of_driver(error)
    if isinstance(found.__cause__, asyncpg.PostgresError):
        return False  # the server has ended it, e.g. because an administrator has terminated the statement
    if isinstance(found, ConnectionError | asyncpg.InterfaceError | asyncpg.InternalClientError):
        return True
    return _sqlstate(found).startswith(_CONNECTION_CLASS)


def _of_driver(error: BaseException) -> BaseException:
    return error.driver_exception if isinstance(error, DBAPIError) else error


async def connect(breaker: CircuitBreaker, *arguments: Any, **options: Any) -> asyncpg.Connection:
    """`open_connection`, with a report if it fails.

    Raises:
        CircuitOpen: the circuit has opened while the caller waited for its turn.
        TimeoutError, OSError, asyncpg.PostgresError: the connection could not be opened.
    """
    breaker.refuse_while_open()
    try:
        return await open_connection(*arguments, **options)
    except Exception as error:
        if is_failure(error):
            fail(breaker, error)
        raise


def report_statements(engine: AsyncEngine, breaker: CircuitBreaker) -> None:
    """Report the outcome of every statement of an engine, and replace connections from before the circuit opened."""

    @event.listens_for(engine.sync_engine, "after_cursor_execute")
    def on_success(*_: Any) -> None:
        if not breaker.is_clear:
            breaker.succeeded()

    @event.listens_for(engine.sync_engine, "handle_error")
    def on_error(context: ExceptionContext) -> None:
        if context.connection is None:
            return  # `connect` has reported it
        report(breaker, context.original_exception)
        if is_failure(context.original_exception):
            context.is_disconnect = True  # the statement may still be running

    @event.listens_for(engine.sync_engine, "connect")
    def on_connect(_: Any, record: Any) -> None:
        record.info["openings"] = breaker.openings

    @event.listens_for(engine.sync_engine, "checkout")
    def on_checkout(_: Any, record: Any, __: Any) -> None:
        if record.info["openings"] != breaker.openings:
            raise InvalidatePoolError


def _sqlstate(error: BaseException | None) -> str:
    return getattr(error, "sqlstate", None) or ""
