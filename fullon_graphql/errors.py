"""Every error a client can meet.

    FullonError
    ├── Unauthenticated      who are you? no credential, or one that is no longer good
    ├── Forbidden            we know you, and you may not
    ├── NotFound             no such row, or not yours: the two answer alike
    ├── BadUserInput         the request says something that cannot be
    ├── Conflict             true a moment ago, no longer
    ├── CursorExpired        a stream cannot go on from there: too much of it is gone
    ├── RateLimited          too often; `retry_after` says when to come back
    ├── QueryTooComplex      one operation asks for too much
    ├── Lagged               the client did not keep up with a stream of events; `cursor` says where to go on
    ├── ServiceUnavailable   a store or a daemon does not answer; `service` names it
    ├── Timeout              it took too long and was given up
    └── Internal             our fault; the message is masked, the log knows more

Each leaf carries its GraphQL code and HTTP status. Faces render these and nothing else:
`as_fullon_error` turns any exception into one of them.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

import asyncpg
import redis.exceptions
import sqlalchemy.exc


class FullonError(Exception):
    """Base of the tree: a sentence for the client, and what a program can act on."""

    code: ClassVar[str]
    status: ClassVar[int]

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    @property
    def extensions(self) -> dict[str, Any]:
        """What goes into a GraphQL error's `extensions`."""
        return {"code": self.code}


class Unauthenticated(FullonError):
    """No credential came, or it is malformed, forged, expired or revoked."""

    code = "UNAUTHENTICATED"
    status = 401

    def __init__(self, message: str = "Sign in first: this needs a valid access token or API key.") -> None:
        super().__init__(message)


class Forbidden(FullonError):
    """The caller is known and lacks the role or scope for this."""

    code = "FORBIDDEN"
    status = 403


class NotFound(FullonError):
    """The row does not exist or belongs to somebody else."""

    code = "NOT_FOUND"
    status = 404


class BadUserInput(FullonError):
    """An argument has a value that cannot be served; `field` names it where one is to blame."""

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


class CursorExpired(FullonError):
    """A stream cannot go on after this cursor: what follows is no longer kept, or it is from another database."""

    code = "CURSOR_EXPIRED"
    status = 410

    def __init__(self) -> None:
        super().__init__("What follows this cursor is no longer kept. Listen without `after`, and read the state anew.")


class RateLimited(FullonError):
    """Too many attempts; come back after `retry_after` seconds."""

    code = "RATE_LIMITED"
    status = 429

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after

    @property
    def extensions(self) -> dict[str, Any]:
        return super().extensions | {"retryAfter": self.retry_after}


class QueryTooComplex(FullonError):
    """The operation is deeper or larger than one request may be."""

    code = "QUERY_TOO_COMPLEX"
    status = 400


class Lagged(FullonError):
    """The client reads a stream of events more slowly than they happen; `cursor` is where to go on."""

    code = "LAGGED"
    status = 503

    def __init__(self, cursor: str) -> None:
        super().__init__("Too many events are waiting for you to read them; subscribe again with `after: cursor`.")
        self.cursor = cursor

    @property
    def extensions(self) -> dict[str, Any]:
        return super().extensions | {"cursor": self.cursor}


class ServiceUnavailable(FullonError):
    """A part behind the graph (postgres, redis, a daemon) does not answer."""

    code = "SERVICE_UNAVAILABLE"
    status = 503

    def __init__(self, service: str, message: str | None = None) -> None:
        super().__init__(message or f"{service} does not answer at the moment; try again shortly.")
        self.service = service

    @property
    def extensions(self) -> dict[str, Any]:
        return super().extensions | {"service": self.service}


class Timeout(FullonError):
    """The work took longer than its limit and was given up."""

    code = "TIMEOUT"
    status = 504


class Internal(FullonError):
    """An error of ours. The client sees only the request id; the cause is in the log under it."""

    code = "INTERNAL"
    status = 500

    def __init__(self, request_id: str) -> None:
        super().__init__(f"Internal error. Please report it with request id {request_id}.")
        self.request_id = request_id

    @property
    def extensions(self) -> dict[str, Any]:
        return super().extensions | {"requestId": self.request_id}


def as_fullon_error(exception: BaseException, request_id: str) -> FullonError:
    """The leaf a client sees for `exception`: itself, a store that is down, a timeout, or a masked `Internal`."""
    match exception:
        case FullonError():
            return exception
        case asyncio.TimeoutError() | TimeoutError() | redis.exceptions.TimeoutError():
            return Timeout("The request took too long and was given up.")
        case redis.exceptions.ConnectionError():
            return ServiceUnavailable("redis")
        case sqlalchemy.exc.TimeoutError():
            return ServiceUnavailable("postgres")
        case sqlalchemy.exc.DBAPIError() | asyncpg.PostgresError() if _sqlstate(exception) == _QUERY_CANCELED:
            return Timeout("The database took too long and the query was given up.")
        case sqlalchemy.exc.DBAPIError() | asyncpg.PostgresError() if _sqlstate(exception)[:2] in _DOWN:
            return ServiceUnavailable("postgres")
        case sqlalchemy.exc.OperationalError() | sqlalchemy.exc.InterfaceError() | asyncpg.InterfaceError():
            return ServiceUnavailable("postgres")
        case asyncpg.InternalClientError():  # the connection ended between two messages, and the driver lost count
            return ServiceUnavailable("postgres")
        case sqlalchemy.exc.DBAPIError() if exception.connection_invalidated:
            return ServiceUnavailable("postgres")
        case ConnectionError() | OSError():
            return ServiceUnavailable("postgres")
        case _:
            return Internal(request_id)


_QUERY_CANCELED = "57014"
_DOWN = {"08", "28", "3D", "53", "57"}
"""Classes of SQLSTATE that mean nobody can be served: no connection, no access, no database, no room, shutting down."""


def _sqlstate(exception: BaseException) -> str:
    """PostgreSQL's own code for what went wrong, from the driver's exception or from SQLAlchemy's around it."""
    return getattr(getattr(exception, "orig", exception), "sqlstate", None) or ""
