"""Every error that a client can receive.

    FullonError
    ├── Unauthenticated      the credential is missing, invalid, expired or revoked
    ├── Forbidden            the caller lacks the role or scope
    ├── NotFound             the row does not exist or belongs to another user: both look alike
    │   └── InvalidRoute     no route has this path
    ├── BadUserInput         a value of the request is invalid
    ├── Conflict             the request contradicts the current state
    ├── TradingHalted        trading of the bot or account is halted; `halt_id` names the halt
    ├── CursorExpired        a stream cannot resume after this cursor
    ├── RateLimited          too many requests; `retry_after` in seconds
    ├── DocumentNotFound     no document is known by this id; send the document with it
    ├── DocumentNotTrusted   the server executes trusted documents only
    ├── QueryTooComplex      one operation exceeds a limit
    ├── Lagged               the client reads events too slowly; resume after `cursor`
    ├── ServiceUnavailable   a store or a daemon does not answer; `service` names it
    │   └── CircuitOpen      the same, without trying: it has not answered before; `retry_after` in seconds
    ├── Timeout              the work exceeded its time limit
    ├── Unrepresentable      a stored value has no form in the graph
    └── Internal             a bug; the message is masked, the log has the cause

Each leaf carries its GraphQL code and HTTP status. Transports render these only:
`as_fullon_error` turns any exception into one of them.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any, ClassVar, Final

import asyncpg
import redis.exceptions
import sqlalchemy.exc


class SettingsError(ValueError):
    """A setting, or a file of settings, is invalid. The message names it and its source, without secrets."""


class FullonError(Exception):
    """Base of the tree: a message for people, and fields for programs."""

    code: ClassVar[str]
    status: ClassVar[int]
    platform_code: ClassVar[str | None] = None
    """The platform's word for it, if it has one: over REST and the platform's sockets beside `code`."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    @property
    def extensions(self) -> dict[str, Any]:
        """The `extensions` of the GraphQL error."""
        return {"code": self.code}


class Unauthenticated(FullonError):
    """The credential is missing, malformed, forged, expired or revoked."""

    code = "UNAUTHENTICATED"
    status = 401
    platform_code = "AUTH_FAILED"

    def __init__(self, message: str = "Sign in first: this needs a valid access token or API key.") -> None:
        super().__init__(message)


class Forbidden(FullonError):
    """The caller lacks the role or scope."""

    code = "FORBIDDEN"
    status = 403


class NotFound(FullonError):
    """The row does not exist or belongs to another user."""

    code = "NOT_FOUND"
    status = 404


class InvalidRoute(NotFound):
    """No route has this path."""

    platform_code = "INVALID_ROUTE"


class BadUserInput(FullonError):
    """An argument has an invalid value; `field` names the argument if there is one."""

    code = "BAD_USER_INPUT"
    status = 422

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field

    @property
    def extensions(self) -> dict[str, Any]:
        return super().extensions | ({"field": self.field} if self.field else {})


class Conflict(FullonError):
    """The request contradicts the current state, e.g. a name already taken."""

    code = "CONFLICT"
    status = 409


class TradingHalted(FullonError):
    """Trading of the bot or account is halted by the halt `halt_id`."""

    code = "TRADING_HALTED"
    status = 409

    def __init__(self, message: str, *, halt_id: int) -> None:
        super().__init__(message)
        self.halt_id = halt_id

    @property
    def extensions(self) -> dict[str, Any]:
        return super().extensions | {"haltId": self.halt_id}


class CursorExpired(FullonError):
    """A stream cannot resume after this cursor: it is older than the retention, or from another database."""

    code = "CURSOR_EXPIRED"
    status = 410

    def __init__(self) -> None:
        super().__init__(
            "The events after this cursor are no longer kept. Subscribe without `after` and read the current state."
        )


class RateLimited(FullonError):
    """Too many requests, attempts or connections, or too much cost; retry after `retry_after` seconds.

    `limit` is the allowed number or cost, and `cost` the cost of the refused operation.
    """

    code = "RATE_LIMITED"
    status = 429
    platform_code = "RATE_LIMIT_EXCEEDED"

    def __init__(self, message: str, *, retry_after: int, limit: int | None = None, cost: int | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.limit, self.cost = limit, cost

    @property
    def extensions(self) -> dict[str, Any]:
        return super().extensions | {"retryAfter": self.retry_after} | _present(limit=self.limit, cost=self.cost)


class DocumentNotFound(FullonError):
    """The server does not know the document of an id. Clients then send the document with its id.

    Code and message are Apollo's: some clients react to the one, some to the other.
    """

    code = "PERSISTED_QUERY_NOT_FOUND"
    status = 404

    def __init__(self) -> None:
        super().__init__("PersistedQueryNotFound")


class DocumentNotTrusted(FullonError):
    """The server executes the documents of its manifest only, and this is not one of them."""

    code = "DOCUMENT_NOT_TRUSTED"
    status = 403

    def __init__(self, document: str) -> None:
        super().__init__(
            f"This server executes trusted documents only, and {document} is not one of them. Send the id of a document"
            " that was extracted when the client was built, and deploy its manifest to the server first."
        )


class QueryTooComplex(FullonError):
    """The operation is deeper or larger than one request may be; `cost` and `limit` if its cost is the reason."""

    code = "QUERY_TOO_COMPLEX"
    status = 400

    def __init__(self, message: str, *, cost: int | None = None, limit: int | None = None) -> None:
        super().__init__(message)
        self.cost, self.limit = cost, limit

    @property
    def extensions(self) -> dict[str, Any]:
        return super().extensions | _present(cost=self.cost, limit=self.limit)


class Lagged(FullonError):
    """The client reads events more slowly than they happen; resume after `cursor`."""

    code = "LAGGED"
    status = 503

    def __init__(self, cursor: str) -> None:
        super().__init__("Too many events wait to be read. Subscribe again with `after` set to `cursor`.")
        self.cursor = cursor

    @property
    def extensions(self) -> dict[str, Any]:
        return super().extensions | {"cursor": self.cursor}


class ServiceUnavailable(FullonError):
    """A store or daemon (postgres, redis, …) does not answer; `service` names it."""

    code = "SERVICE_UNAVAILABLE"
    status = 503

    def __init__(self, service: str, message: str | None = None, *, retry_after: int | None = None) -> None:
        super().__init__(message or f"{service} does not answer. Try again later.")
        self.service = service
        self.retry_after = retry_after

    @property
    def extensions(self) -> dict[str, Any]:
        retry = {} if self.retry_after is None else {"retryAfter": self.retry_after}
        return super().extensions | {"service": self.service} | retry


class CircuitOpen(ServiceUnavailable):
    """The store has not answered the last requests, and is not tried again before `retry_after` seconds."""

    platform_code = "CIRCUIT_BREAKER_OPEN"

    def __init__(self, service: str, *, retry_after: int) -> None:
        message = f"{service} has not answered and is not tried again yet. Retry in {retry_after} seconds."
        super().__init__(service, message, retry_after=retry_after)


class RedisCircuitOpen(CircuitOpen, redis.exceptions.ConnectionError):
    """The same from the Redis client: callers that work without Redis treat it as a lost connection."""


class Timeout(FullonError):
    """The work exceeded its time limit and was cancelled."""

    code = "TIMEOUT"
    status = 504
    platform_code = "PROXY_TIMEOUT"


class Unrepresentable(FullonError):
    """A stored value has no form in its GraphQL type, e.g. infinity, or a text that is no value of an enum.

    The message does not contain the value. In a list, the row is left out and the other rows stay.
    """

    code = "INTERNAL"
    status = 500


class Internal(FullonError):
    """A bug. The client sees only the request id, under which the log has the cause."""

    code = "INTERNAL"
    status = 500

    def __init__(self, request_id: str) -> None:
        super().__init__(f"Internal error. Please report it with request id {request_id}.")
        self.request_id = request_id

    @property
    def extensions(self) -> dict[str, Any]:
        return super().extensions | {"requestId": self.request_id}


PLATFORM_CODES: Final = {
    error.code: error.platform_code for error in (Unauthenticated, RateLimited, Timeout) if error.platform_code
}
"""The platform's word for a code. `SERVICE_UNAVAILABLE` has one only while a circuit is open."""


def _present(**values: int | None) -> dict[str, int]:
    return {name: value for name, value in values.items() if value is not None}


def as_fullon_error(exception: BaseException, request_id: str) -> FullonError:
    """The error a client receives for `exception`: itself, `ServiceUnavailable`, `Timeout` or a masked `Internal`."""
    match exception:
        case FullonError():
            return exception
        case asyncio.TimeoutError() | TimeoutError() | redis.exceptions.TimeoutError():
            return Timeout("The request took too long and was cancelled.")
        case redis.exceptions.ConnectionError():
            return ServiceUnavailable("redis")
        case redis.exceptions.ResponseError() if _is_refused_by_redis(exception):
            return ServiceUnavailable("redis", "redis cannot execute this command at the moment; try again later.")
        case sqlalchemy.exc.TimeoutError():
            return ServiceUnavailable(_database(exception))
        case sqlalchemy.exc.DBAPIError() | asyncpg.PostgresError() if known := _by_sqlstate(exception):
            return known
        case sqlalchemy.exc.OperationalError() | sqlalchemy.exc.InterfaceError() | asyncpg.InterfaceError():
            return ServiceUnavailable(_database(exception))
        case sqlalchemy.exc.DBAPIError() if exception.connection_invalidated:
            return ServiceUnavailable(_database(exception))
        # The connection ended between two messages, and the driver lost its state; or no host accepts writes.
        case asyncpg.InternalClientError():
            return ServiceUnavailable(_database(exception))
        case sqlalchemy.exc.DBAPIError() if isinstance(exception.driver_exception, asyncpg.InternalClientError):
            return ServiceUnavailable(_database(exception))
        case ConnectionError() | OSError():
            return ServiceUnavailable(_database(exception))
        case _:
            return Internal(request_id)


def is_transient(exception: BaseException) -> bool:
    """True if a store did not answer, or not in time, so that the same may succeed later."""
    return isinstance(as_fullon_error(exception, ""), ServiceUnavailable | Timeout)


def _by_sqlstate(exception: BaseException) -> FullonError | None:
    sqlstate, database = _sqlstate(exception), _database(exception)
    if sqlstate == _QUERY_CANCELED:
        return Timeout("The database took too long and the query was cancelled.")
    if sqlstate == _READ_ONLY:
        message = "PostgreSQL accepts no writes at the moment. Retry later."
        return ServiceUnavailable(database, message, retry_after=_RETRY_READ_ONLY)
    if sqlstate in _LOST:
        return ServiceUnavailable(database, "Concurrent changes prevented this one. Retry it.", retry_after=1)
    return ServiceUnavailable(database) if sqlstate[:2] in _DOWN else None


def shortened(value: object) -> str:
    """`repr(value)`, cut to 80 characters, for error messages."""
    text = repr(value)
    return text if len(text) <= _LONGEST_INPUT else text[: _LONGEST_INPUT - 1] + "…"


def shorten_quotes(message: str) -> str:
    """A message of a library in which every quoted input is cut to 80 characters."""
    return _LONG_QUOTE.sub(r"\1\2…\1", message)


_LONGEST_INPUT = 80
_LONG_QUOTE = re.compile(rf"""(['"])((?:(?!\1).){{{_LONGEST_INPUT}}})(?:(?!\1).)+\1""", re.DOTALL)
_QUERY_CANCELED = "57014"
_READ_ONLY = "25006"
_RETRY_READ_ONLY = 5
"""Seconds; a failover takes longer, and each attempt is cheap."""
_LOST = {"40001", "40P01", "55P03"}
"""Serialization failure, deadlock, lock timeout."""
_DOWN = {"08", "28", "3D", "53", "57"}
"""Classes of SQLSTATE that mean the database is unavailable: connection, access, database, resources, shutdown."""


def lost_to_concurrency(exception: BaseException) -> bool:
    """True if a transaction failed only because of concurrent ones, and may succeed when it is repeated."""
    return _sqlstate(exception) in _LOST


_REDIS_REFUSALS = (
    redis.exceptions.OutOfMemoryError,
    redis.exceptions.ReadOnlyError,
    redis.exceptions.ClusterError,
    redis.exceptions.TryAgainError,
    redis.exceptions.NoPermissionError,
)
_REDIS_REFUSAL = re.compile(r"(?:^|-)(?:OOM|READONLY|NOREPLICAS|MISCONF|MASTERDOWN|CLUSTERDOWN|BUSY|NOAUTH|NOPERM) ")
"""Codes that redis-py has no class for, and codes inside the message of a script's error."""


def _is_refused_by_redis(error: redis.exceptions.ResponseError) -> bool:
    """Whether the state of the server refuses a command: memory is exhausted, it is a replica, and the like."""
    return isinstance(error, _REDIS_REFUSALS) or bool(_REDIS_REFUSAL.search(str(error)))


STORE = "fullon_graphql_store"
"""Attribute of a driver's exception: the name of the database that has failed."""


def _database(exception: BaseException) -> str:
    name: str = getattr(getattr(exception, "orig", exception), STORE, "postgres")
    return name


def _sqlstate(exception: BaseException) -> str:
    """PostgreSQL's error code, from the driver's exception or from SQLAlchemy's around it."""
    return getattr(getattr(exception, "orig", exception), "sqlstate", None) or ""
