"""The Redis client: a bounded pool, and a timeout on every command."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, Final, cast

import hiredis
import structlog
from redis.asyncio import BlockingConnectionPool, ConnectionPool, Redis, Sentinel
from redis.asyncio.connection import (
    AbstractConnection,
    Connection,
    SSLConnection,
    UnixDomainSocketConnection,
    parse_url,
)
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import SentinelManagedConnection, SentinelManagedSSLConnection
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from fullon_graphql.cache.cluster import Address, RoutedConnection, Slots
from fullon_graphql.circuit_breaker import CircuitBreaker
from fullon_graphql.config import DEFAULT_TICKER_MAX_AHEAD, Settings
from fullon_graphql.config.cluster_url import ClusterUrl, is_cluster_url, parse_cluster_url
from fullon_graphql.config.sentinel_url import SentinelUrl, is_sentinel_url, parse_sentinel_url
from fullon_graphql.joined_calls import JoinedCalls
from fullon_graphql.observability.metrics import count_limit
from fullon_graphql.observability.pools import PoolUse

log = structlog.get_logger(__name__)


class Client(Redis):
    """A client with the settings that its readers need."""

    ticker_max_ahead: float


def ticker_max_ahead(redis: Redis) -> float:
    """Seconds a ticker may be ahead of the clock: the setting of a client of ours, else the default."""
    return redis.ticker_max_ahead if isinstance(redis, Client) else DEFAULT_TICKER_MAX_AHEAD


def pool_use(redis: Redis) -> PoolUse:
    """The use of the connection pool of a client of ours."""
    return cast("_Pool", redis.connection_pool).use


def connect(url: str, settings: Settings, name: str, breaker: CircuitBreaker | None = None) -> Client:
    """A client for `url` (`redis://`, `rediss://`, `unix://`, `redis+sentinel://` or `redis+cluster://`).

    `name` is shown in Redis' client list.

    It connects at the first command. If all connections are busy, a command waits for one, up to the command timeout.
    Answers are text; bytes that are not UTF-8 become lone surrogates, which `reading.py` detects. Close the client with
    `await client.aclose()`. With a breaker, commands raise `RedisCircuitOpen` while Redis does not answer.
    """
    breaker = breaker or CircuitBreaker.never_opening("redis")
    if is_sentinel_url(url):
        address = parse_sentinel_url(url)
        pool: _Pool = _SentinelPool(breaker, address, **_options(settings, name), **address.options)
    elif is_cluster_url(url):
        pool = _ClusterPool(breaker, parse_cluster_url(url), **_options(settings, name))
    else:
        parts: dict[str, Any] = dict(parse_url(url))
        connection_class = _CONNECTION_CLASSES[parts.pop("connection_class", Connection)]
        pool = _Pool(breaker, connection_class=connection_class, **_options(settings, name), **parts)
    client = cast("Client", Client.from_pool(pool))
    client.ticker_max_ahead = settings.ticker_max_ahead
    return client


def _options(settings: Settings, name: str) -> dict[str, Any]:
    return {
        "max_connections": settings.redis_max_connections,
        "timeout": settings.redis_timeout,
        "socket_timeout": settings.redis_timeout,
        "socket_connect_timeout": settings.redis_timeout,
        # A connection that was closed while idle is reconnected. A timeout is not retried, or the command would take a
        # multiple of it.
        "retry": Retry(ExponentialBackoff(cap=0.2, base=0.02), retries=2, supported_errors=(RedisConnectionError,)),
        "health_check_interval": 15,
        "client_name": f"fullon_graphql:{name}",
        "decode_responses": True,
        "encoding_errors": "surrogateescape",
        # RESP2: hiredis parses its flat replies faster than maps, and it needs no HELLO.
        "protocol": 2,
    }


_HANDSHAKE = {b"AUTH", b"HELLO", b"CLIENT", b"SELECT", b"PING", b"SENTINEL"}
"""Commands that a connection sends by itself; one of them contains the password."""
SENTINEL_SECONDS: Final = 1.0
"""Longest wait for one Sentinel; the next one is asked then. Also the pause between two questions for the master."""

_recorded: ContextVar[list[str] | None] = ContextVar("recorded_redis_commands", default=None)


@contextmanager
def recorded_commands(commands: list[str]) -> Iterator[None]:
    """Append each command that is sent in the block to `commands`, with its key and without its values."""
    token = _recorded.set(commands)
    try:
        yield
    finally:
        _recorded.reset(token)


def _named(packed: bytes | str | list[bytes]) -> list[str]:
    reader = hiredis.Reader()
    for part in packed if isinstance(packed, list) else [packed]:
        reader.feed(part.encode() if isinstance(part, str) else part)
    commands = [command for command in iter(reader.gets, False) if command[0] not in _HANDSHAKE]
    return [b" ".join(command[:2]).decode(errors="replace") for command in commands]


class _Pool(BlockingConnectionPool):
    """A pool that reports to a circuit breaker: once per command or pipeline, repetitions included."""

    def __init__(self, breaker: CircuitBreaker, **options: Any) -> None:
        super().__init__(**options)
        self._breaker = breaker
        self._openings = 0
        self._waiting = 0

    @property
    def use(self) -> PoolUse:
        """Its use at this moment."""
        return PoolUse(self.max_connections, len(self._in_use_connections), self._waiting)

    async def get_connection(self, *_: Any, **__: Any) -> AbstractConnection:
        self._breaker.admit()
        if self._openings != self._breaker.openings:
            self._openings = self._breaker.openings
            await self._drop_idle()
        self._waiting += 1
        try:
            connection: AbstractConnection = await super().get_connection()  # type: ignore[no-untyped-call]  # redis-py has annotated it only in part
        finally:
            self._waiting -= 1
        return connection

    async def ensure_connection(self, connection: AbstractConnection) -> None:
        self._breaker.refuse_while_open()  # the caller may have waited for this connection
        await super().ensure_connection(connection)

    async def _drop_idle(self) -> None:
        """Close connections from before Redis stopped answering: their other ends may be gone."""
        for connection in list(self._available_connections):
            await connection.disconnect(nowait=True)

    async def release(self, connection: AbstractConnection) -> None:
        assert isinstance(connection, _OwnConnection), "the pool opens no others"
        outcome, connection.outcome = connection.outcome, None
        if isinstance(outcome, RedisTimeoutError):
            count_limit("REDIS_TIMEOUT")
        if isinstance(outcome, Exception):
            self._breaker.failed(outcome)
        elif outcome and not self._breaker.is_clear:
            self._breaker.succeeded()
        await super().release(connection)


class _OwnConnection(AbstractConnection):
    """Stores the outcome of its last exchange with Redis, and never loses a cancellation of its task.

    redis-py sends with `asyncio.wait_for`, which before Python 3.12 loses a cancellation that arrives while it returns.
    A loop of commands would then never end.
    """

    outcome: Exception | bool | None = None
    """True after an answer, an error after a failure of Redis, None if there was no exchange or it was cancelled."""

    async def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        if (recorded := _recorded.get()) is not None:
            recorded += _named(command)
        task = asyncio.current_task()
        before = task.cancelling() if task else 0
        try:
            await super().send_packed_command(command, check_health)
        except BaseException as error:
            self._note(error)
            raise
        if task and task.cancelling() > before:
            await self.disconnect(nowait=True)  # the answer will not be read
            raise asyncio.CancelledError

    async def connect(self) -> None:
        try:
            await super().connect()  # type: ignore[no-untyped-call]  # as above
        except BaseException as error:
            self._note(error)
            raise

    async def read_response(self, *arguments: Any, **options: Any) -> Any:
        try:
            response = await super().read_response(*arguments, **options)
        except BaseException as error:
            self._note(error)
            raise
        self.outcome = True
        return response

    def abort(self) -> None:
        """Break the connection as the server may, while it is in use: its user gets a connection error."""
        if self._writer:
            self._writer.transport.abort()

    def _note(self, error: BaseException) -> None:
        match error:
            case RedisConnectionError() | RedisTimeoutError():
                self.outcome = error
            case ResponseError():
                self.outcome = True
            case asyncio.CancelledError():
                self.outcome = None


class _CancellableTcp(_OwnConnection, Connection):
    pass


class _CancellableTls(_OwnConnection, SSLConnection):
    pass


class _CancellableUnix(_OwnConnection, UnixDomainSocketConnection):
    pass


class _MasterTcp(_OwnConnection, SentinelManagedConnection):
    """Asks a Sentinel for the master's address whenever it connects, and connects again to a new master."""

    connection_pool: _SentinelPool

    async def connect_to(self, address: tuple[str, int]) -> None:
        """Connect to the master.

        Raises:
            RedisConnectionError: another one became the master meanwhile; the retry asks for its address.
        """
        await super().connect_to(address)  # type: ignore[no-untyped-call]  # as above
        if not self.connection_pool.is_master_at(address):
            await self.disconnect(nowait=True)
            raise RedisConnectionError("the master was replaced while the connection was opened")

    async def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        if not self.is_connected:
            await self.connect()  # redis-py would open it to the last address: that of the former master
        await super().send_packed_command(command, check_health)


class _MasterTls(_MasterTcp, SentinelManagedSSLConnection):
    pass


class _SentinelPool(_Pool):
    """A pool of connections to the master of a service.

    A master that was replaced while it runs accepts writes for ten seconds more, until a Sentinel demotes it, and loses
    them. So the pool asks for the address all the time while it is in use, and leaves a former master at once.
    """

    is_master = True
    check_connection = False
    OMIT_REPR_KEYS = _Pool.OMIT_REPR_KEYS | {"connection_pool"}  # itself

    def __init__(self, breaker: CircuitBreaker, address: SentinelUrl, **options: Any) -> None:
        own = weakref.proxy(self)  # redis-py's connections ask their pool
        super().__init__(
            breaker, connection_class=_MasterTls if address.tls else _MasterTcp, connection_pool=own, **options
        )
        self._service = address.service
        self._master: tuple[str, int] | None = None
        # redis-py's Sentinel reorders its list after each answer, and loses a Sentinel if two questions overlap.
        self._asking = JoinedCalls(self._ask_sentinels)
        self._watching: asyncio.Task[None] | None = None
        self._sentinel = Sentinel([])  # type: ignore[no-untyped-call]  # as above
        seconds = min(SENTINEL_SECONDS, options["socket_timeout"])
        self._sentinel.sentinels = [
            Redis.from_pool(
                ConnectionPool(
                    connection_class=_CancellableTls if address.tls else _CancellableTcp,
                    host=host,
                    port=port,
                    socket_timeout=seconds,
                    socket_connect_timeout=seconds,
                    retry=Retry(NoBackoff(), 0),
                    decode_responses=True,
                    protocol=2,
                    **address.sentinel_options,
                )
            )
            for host, port in address.sentinels
        ]

    async def get_master_address(self) -> tuple[str, int]:
        """The address that the first Sentinel that answers has; called by connections.

        Raises:
            MasterNotFoundError: no Sentinel knows a master that is up. It is a connection error.
        """
        found = await self._asking()
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch(), name="master of Redis")
        return found

    def is_master_at(self, address: tuple[str, int]) -> bool:
        """Whether the newest answer of a Sentinel has this address."""
        return address == self._master

    async def _ask_sentinels(self) -> tuple[str, int]:
        found: tuple[str, int] = await self._sentinel.discover_master(self._service)
        if found != self._master:
            if self._master:
                log.info("redis.master_changed", service=self._service, master=f"{found[0]}:{found[1]}")
            self._master = found
            await self._leave_former_master()
        return found

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(SENTINEL_SECONDS)
            with suppress(RedisError, OSError):  # asked again in a second, and by every new connection
                await self.get_master_address()

    async def _leave_former_master(self) -> None:
        """Close the connections to any other server; commands on their way are repeated on the new master."""
        await self._drop_idle()
        for connection in list(self._in_use_connections):
            assert isinstance(connection, _MasterTcp), "the pool opens no others"
            if not self.is_master_at((connection.host, connection.port)):
                connection.abort()

    async def disconnect(self, inuse_connections: bool = True) -> None:
        if self._watching:
            self._watching.cancel()
            await asyncio.wait([self._watching])
            self._watching = None
        await super().disconnect(inuse_connections)
        await self._sentinel.aclose()


class _ClusterConnection(_OwnConnection, RoutedConnection):
    """Connections to all nodes of a cluster that one command or pipeline needs."""


class _ClusterPool(_Pool):
    """A pool of connections to a cluster. Each may connect to every node."""

    def __init__(self, breaker: CircuitBreaker, address: ClusterUrl, **options: Any) -> None:
        of_nodes = {name: value for name, value in options.items() if name not in ("max_connections", "timeout")}
        of_nodes |= {"retry": Retry(NoBackoff(), 0), **address.options}

        def connection(node: Address) -> AbstractConnection:
            host, port = node
            return (SSLConnection if address.tls else Connection)(host=host, port=port, **of_nodes)

        slots = Slots(address.nodes, connection)
        options |= {"health_check_interval": 0}  # the connections to the nodes are checked
        super().__init__(breaker, connection_class=_ClusterConnection, slots=slots, **options)


_CONNECTION_CLASSES: dict[type[AbstractConnection], type[AbstractConnection]] = {
    Connection: _CancellableTcp,
    SSLConnection: _CancellableTls,
    UnixDomainSocketConnection: _CancellableUnix,
}
