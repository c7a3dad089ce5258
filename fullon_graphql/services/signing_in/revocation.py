"""Revocation: whoever ends a credential, or changes what an account may do, says so to all workers.

They look again at the open connections of that account. What we change ourselves is announced over Redis; what other
programs change, the database tells. Nobody depends on either alone: connections are looked at from time to time too.
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

PAUSE: Final = 1.0
"""Seconds between attempts to listen to the database."""
QUIET: Final = 15.0
"""Seconds of silence after which the connection is tried: a broken one may look like a silent one."""
MOST_TOLD: Final = 10_000
"""Accounts that are kept until somebody has looked at them; when more have changed, it may be any."""

_log = structlog.get_logger(__name__)


async def announce(redis: Redis, uid: int) -> None:
    """Have the open connections of account `uid` looked at, in every worker; after the change has been committed.

    A Redis that does not answer is logged, for the change has happened.
    """
    try:
        await redis.publish(keys.credentials(uid), "")
    except (RedisError, OSError) as error:
        _log.warning("revocation_not_announced", uid=uid, error=repr(error))


async def told(database: Database) -> AsyncGenerator[int | None, None]:
    """Each account of which the database says that it or an API key of it has changed; None where it may be any.

    That is so whenever a connection has been made, for nobody has listened before. It never ends of itself.
    """
    while True:
        try:
            async with database.connection_of_its_own("credentials") as connection:
                async for uid in _heard(connection):
                    yield uid
        except Exception as error:  # whatever it is, connections that should end depend on the next attempt
            _log.warning("revocations_untold", error=repr(error))
        await asyncio.sleep(PAUSE)


async def _heard(connection: asyncpg.Connection) -> AsyncGenerator[int | None, None]:
    """The same of one connection, until it breaks."""
    waiting: set[int | None] = {None}
    news = asyncio.Event()

    def hear(_connection: Any, _process: int, _channel: str, payload: object) -> None:
        uid = str(payload)
        if uid.isdecimal():
            waiting.add(int(uid) if len(waiting) < MOST_TOLD else None)
            news.set()

    await connection.add_listener(triggers.CREDENTIALS_CHANNEL, hear)
    connection.add_termination_listener(lambda *_: news.set())
    while not connection.is_closed():
        while waiting:
            yield waiting.pop()
        try:
            async with asyncio.timeout(QUIET):
                await news.wait()
        except TimeoutError:
            await connection.execute("SELECT")
        news.clear()
