"""The Redis client: bounded, with a timeout on everything."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import hiredis
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import (
    AbstractConnection,
    Connection,
    SSLConnection,
    UnixDomainSocketConnection,
    parse_url,
)
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError

from fullon_graphql.config import Settings


def connect(url: str, settings: Settings, name: str) -> Redis:
    """A client for `url` (`redis://`, `rediss://` or `unix://`); `name` shows in Redis' client list.

    Nothing is dialled before the first use. Who finds all connections busy waits for one, as long as for a command.
    The caller closes it with `await client.aclose()`.
    """
    address: dict[str, Any] = dict(parse_url(url))
    pool = BlockingConnectionPool(
        connection_class=_HEEDFUL[address.pop("connection_class", Connection)],
        max_connections=settings.redis_max_connections,
        timeout=settings.redis_timeout,
        socket_timeout=settings.redis_timeout,
        socket_connect_timeout=settings.redis_timeout,
        # A connection that went stale while idle is dialled anew; a timeout is final, or it would take several times
        # as long as it promises.
        retry=Retry(ExponentialBackoff(cap=0.2, base=0.02), retries=2, supported_errors=(RedisConnectionError,)),
        health_check_interval=15,
        client_name=f"fullon_graphql:{name}",
        decode_responses=True,
        # RESP2: hiredis hands over its flat replies faster than maps, and there is no HELLO to wait for.
        protocol=2,
        **address,
    )
    return Redis.from_pool(pool)


_GREETINGS = {b"AUTH", b"HELLO", b"CLIENT", b"SELECT", b"PING"}
"""What a connection says for itself: nobody has asked for it, and one of them names the password."""

_recorded: ContextVar[list[str] | None] = ContextVar("recorded_redis_commands", default=None)


@contextmanager
def recorded_commands(commands: list[str]) -> Iterator[None]:
    """Add each command that is sent within the block to `commands`, with its key and without its values."""
    token = _recorded.set(commands)
    try:
        yield
    finally:
        _recorded.reset(token)


def _named(packed: bytes | str | list[bytes]) -> list[str]:
    reader = hiredis.Reader()
    for part in packed if isinstance(packed, list) else [packed]:
        reader.feed(part.encode() if isinstance(part, str) else part)
    commands = [command for command in iter(reader.gets, False) if command[0] not in _GREETINGS]
    return [b" ".join(command[:2]).decode(errors="replace") for command in commands]


class _Heedful(AbstractConnection):
    """Heeds its task's cancellation at every moment.

    redis-py sends with `asyncio.wait_for`, which before Python 3.12 forgets a cancellation that comes while it is
    about to return. A loop of commands would then never end, and whoever waits for it neither.
    """

    async def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        if (recorded := _recorded.get()) is not None:
            recorded += _named(command)
        task = asyncio.current_task()
        before = task.cancelling() if task else 0
        await super().send_packed_command(command, check_health)
        if task and task.cancelling() > before:
            await self.disconnect(nowait=True)  # nobody will read the answer
            raise asyncio.CancelledError


class _HeedfulTcp(_Heedful, Connection):
    pass


class _HeedfulTls(_Heedful, SSLConnection):
    pass


class _HeedfulUnix(_Heedful, UnixDomainSocketConnection):
    pass


_HEEDFUL: dict[type[AbstractConnection], type[AbstractConnection]] = {
    Connection: _HeedfulTcp,
    SSLConnection: _HeedfulTls,
    UnixDomainSocketConnection: _HeedfulUnix,
}
