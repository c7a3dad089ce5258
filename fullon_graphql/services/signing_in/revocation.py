"""Revocation: every worker checks the open connections of an account again once its credentials have changed.

Our own changes are published over Redis, changes by other programs arrive as PostgreSQL notifications. Both are
best effort: connections are also checked periodically.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, Final

import asyncpg
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from fullon_graphql.cache import keys
from fullon_graphql.database import Database
from fullon_graphql.models import triggers

KEEPALIVE_SECONDS: Final = 15.0
"""Silence after which the connection is tested: a broken one may look idle."""
MAX_PENDING: Final = 10_000
"""Changed accounts that are kept until they are read; beyond that all accounts count as changed."""

_log = structlog.get_logger(__name__)


async def announce(redis: Redis, uid: int) -> None:
    """Ask every worker to check the open connections of account `uid`. Call it after the commit.

    A Redis error is logged and not raised: the change itself has been made.
    """
    try:
        await redis.publish(keys.credentials(uid), "")
    except (RedisError, OSError) as error:
        _log.warning("revocation_not_announced", uid=uid, error=repr(error))


async def credential_changes(database: Database) -> AsyncGenerator[int | None, None]:
    """The uid of each account that has changed, or whose API keys have; None if it may be any account.

    None comes first, because changes before the connection were missed.

    Raises:
        OSError, asyncpg.PostgresError, asyncpg.InterfaceError: the connection cannot be opened, or has broken.
    """
    async with database.dedicated_connection("credentials") as connection:
        async for uid in _notifications(connection):
            yield uid
    raise ConnectionError("the connection for changed credentials has broken")


async def _notifications(connection: asyncpg.Connection) -> AsyncGenerator[int | None, None]:
    """The same over one connection, until it breaks."""
    pending: set[int | None] = {None}
    wake_up = asyncio.Event()

    def on_notification(_connection: Any, _process: int, _channel: str, payload: object) -> None:
        uid = str(payload)
        if uid.isdecimal():
            pending.add(int(uid) if len(pending) < MAX_PENDING else None)
            wake_up.set()

    await connection.add_listener(triggers.CREDENTIALS_CHANNEL, on_notification)
    connection.add_termination_listener(lambda *_: wake_up.set())
    while not connection.is_closed():
        while pending:
            yield pending.pop()
        try:
            async with asyncio.timeout(KEEPALIVE_SECONDS):
                await wake_up.wait()
        except TimeoutError:
            await connection.execute("SELECT")
        wake_up.clear()
