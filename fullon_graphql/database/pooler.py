"""Connections through a pooler such as PgBouncer, which passes one server connection from client to client.

PgBouncer refuses most start-up parameters, so settings are made in another way:

- In session mode a client has the server connection for as long as its own. Settings are made once, after connecting.
- In transaction mode a client has it for one transaction. Each transaction makes its settings, and every statement is
  in one. Nothing is prepared under a name, because the name would be unknown to the next server connection, or known
  to it already for another statement.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Literal, TypeAlias

import asyncpg

Pooler: TypeAlias = Literal["none", "session", "transaction"]

_ADMITTED: Final = frozenset({"application_name", "timezone", "DateStyle"})
"""Start-up parameters that PgBouncer restores whenever it assigns a server connection to a client."""
_OF_THE_TRANSACTION: Final = "default_transaction_isolation"
"""Part of `BEGIN`: in a transaction that runs it has no effect."""
_OF_PREPARED_STATEMENTS: Final = "plan_cache_mode"

SESSION_SETTINGS: Final = "session_settings"
"""Option of `open_connection`: settings that the pooler does not admit at the start."""


class TransactionConnection(asyncpg.Connection):
    """A connection through a pooler in transaction mode."""

    settings = ""
    """The statements that make the settings of a transaction."""

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:  # noqa: ASYNC109  # asyncpg's signature
        """As asyncpg's. A transaction that begins makes its settings in the same message."""
        if not args and query.startswith("BEGIN"):
            begin = query.removesuffix(";")
            query = f"{'BEGIN ISOLATION LEVEL READ COMMITTED' if begin == 'BEGIN' else begin}; {self.settings}"
        status: str = await super().execute(query, *args, timeout=timeout)
        return status

    async def prepare(self, query: str, *, name: str | None = "", **options: Any) -> Any:
        """As asyncpg's, without a name by default."""
        return await super().prepare(query, name=name or "", **options)

    async def _execute(self, *args: Any, **options: Any) -> Any:
        """Execute a statement, in a transaction of its own unless one runs. asyncpg's fetching methods call this."""
        execute: Callable[..., Awaitable[Any]] = super()._execute  # type: ignore[misc]  # absent in asyncpg's stubs
        if self.is_in_transaction():
            return await execute(*args, **options)
        await self.execute("BEGIN")
        try:
            found = await execute(*args, **options)
        except asyncpg.PostgresError:
            await self.execute("ROLLBACK")
            raise  # after any other error the caller closes the connection
        await self.execute("COMMIT")
        return found


def adapted(pooler: Pooler, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a direct connection, changed for one through a pooler; for `open_connection`."""
    if pooler == "none":
        return dict(options)
    given: Mapping[str, str] = options["server_settings"]
    changed: dict[str, Any] = {
        **options,
        "server_settings": {name: value for name, value in given.items() if name in _ADMITTED},
        SESSION_SETTINGS: {name: value for name, value in given.items() if name not in _ADMITTED},
    }
    if pooler == "transaction":
        for name in (_OF_THE_TRANSACTION, _OF_PREPARED_STATEMENTS):
            changed[SESSION_SETTINGS].pop(name, None)
        changed |= {"statement_cache_size": 0, "connection_class": TransactionConnection}
    return changed


async def open_connection(*arguments: Any, **options: Any) -> asyncpg.Connection:
    """`asyncpg.connect` with options that `adapted` may have changed."""
    settings: Mapping[str, str] = options.pop(SESSION_SETTINGS, {})
    connection: asyncpg.Connection = await asyncpg.connect(*arguments, **options)
    if type(connection) is TransactionConnection:  # asyncpg's metaclass makes `isinstance` true for all connections
        connection.settings = _statements("SET LOCAL", settings)
    elif settings:
        try:
            await connection.execute(_statements("SET", settings))
        except BaseException:
            connection.terminate()
            raise
    return connection


def _statements(command: str, settings: Mapping[str, str]) -> str:
    return "; ".join(f"{command} {name} = '{value}'" for name, value in settings.items())
