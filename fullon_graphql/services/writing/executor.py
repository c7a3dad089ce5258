"""Changes: checked, in one transaction, audited, at most once per idempotency key, without effect in a dry run.

A service function that changes something receives an open `UnitOfWork` and returns the key of the row. It finds rows
with `find`, which applies the access rules, and executes everything on the unit's connection.
`ChangeExecutor.perform` does the rest, for GraphQL and REST alike:

    request = ChangeRequest(caller, "createBot", {"name": "grid"}, request_id)
    bot = await writes.perform(request, lambda write: bots.create(write, {"name": "grid"}), answer)
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import orjson
import redis.exceptions
import structlog
from redis.asyncio import Redis
from sqlalchemy import ColumnElement, Row, and_, delete, insert, inspect, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from fullon_graphql.auth.principal import Caller, Principal
from fullon_graphql.config import Settings
from fullon_graphql.daemons.control.manager import ServiceManager
from fullon_graphql.database import Database, repeated
from fullon_graphql.errors import NotFound, ServiceUnavailable, Timeout, as_fullon_error, shortened
from fullon_graphql.models.base import is_secret
from fullon_graphql.services import audit, halt_blocks
from fullon_graphql.services.access import may_change, visible
from fullon_graphql.services.audit import Event
from fullon_graphql.services.own_writes import OwnWrites
from fullon_graphql.services.signing_in.revocation import announce
from fullon_graphql.services.writing import idempotency
from fullon_graphql.services.writing.conflicts import explained
from fullon_graphql.services.writing.idempotency import Claim

T = TypeVar("T")
Key = int | str | list[int] | bool
"""The result of a change: the key of the changed row, or True for a deleted one."""

SECRET_INPUTS = {"password", "current_password", "new_password", "code"}
"""Arguments that enter the input digest as a keyed hash only."""

CREDENTIALS = {"User", "Session", "ApiKey"}
"""Entities whose changes affect what a caller may do."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ChangeRequest:
    """A requested change."""

    caller: Caller
    operation: str
    """Name of the mutation, e.g. `createBot`, also for requests over REST."""
    arguments: Mapping[str, Any]
    """The input by Python names, as JSON values."""
    request_id: str
    idempotency_key: str | None = None
    dry_run: bool = False


@dataclass
class UnitOfWork:
    """A change in progress: its principal, its open transaction and the rows changed so far."""

    principal: Principal
    connection: AsyncConnection
    settings: Settings
    redis: Redis
    services: ServiceManager
    dry_run: bool
    request_id: str = ""
    shown_once: str | None = None
    """A secret that only the first response to this change may contain."""
    stale: set[str] = field(default_factory=set)
    """Keys of the platform's own cache that this change invalidates."""
    stale_patterns: set[str] = field(default_factory=set)
    """Patterns of such keys, for keys that cannot be derived from the row."""
    halts_changed: bool = False
    """True if a halt of trading begins or ends with this change."""
    images: list[tuple[str, str, Mapping[str, Any] | None, Mapping[str, Any] | None]] = field(default_factory=list)
    """Every changed row: entity, key, before and after."""

    async def find(self, table: type[Any], *key: Any, lock: bool = True) -> Row[Any]:
        """The row of `table` with `key`, locked against other writers until the transaction ends unless `lock` is off.

        Raises:
            NotFound: there is no such row that the caller may read.
        """
        query = visible(table, self.principal).where(_identified(table, key))
        found: Row[Any] | None = (await self.connection.execute(query.with_for_update() if lock else query)).first()
        if found is None:
            raise NotFound(f"No {table.__name__} with key {', '.join(map(shortened, key))}.")
        return found

    async def insert(self, table: type[Any], values: Mapping[str, Any]) -> Row[Any]:
        """Insert a row; returns it with its defaults."""
        row: Row[Any] = (await self.connection.execute(insert(table).values(**values).returning(table))).one()
        self._record(table, None, row)
        return row

    async def update(self, table: type[Any], row: Row[Any], values: Mapping[str, Any]) -> Row[Any]:
        """Update a row; returns it. Without `values` the row is only recorded in the audit log."""
        if not values:
            self._record(table, row, row)
            return row
        changed = update(table).where(_identified(table, _key(table, row))).values(**values).returning(table)
        new: Row[Any] = (await self.connection.execute(changed)).one()
        self._record(table, row, new)
        return new

    async def delete(self, table: type[Any], row: Row[Any]) -> None:
        """Delete a row, with all rows that PostgreSQL deletes by cascade."""
        await self.connection.execute(delete(table).where(_identified(table, _key(table, row))))
        self._record(table, row, None)

    def record(self, entity: str, key: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> None:
        """Record a change for the audit log."""
        self.images.append((entity, key, before, after))

    def _record(self, table: type[Any], before: Row[Any] | None, after: Row[Any] | None) -> None:
        row = after if after is not None else before
        assert row is not None, "before and after are not both None"
        key = ", ".join(map(str, _key(table, row)))
        self.record(table.__name__, key, image(table, before), image(table, after))


class ChangeExecutor:
    """Executes the changes of one installation."""

    def __init__(
        self,
        database: Database,
        redis: Redis,
        services: ServiceManager,
        settings: Settings,
        own_writes: OwnWrites | None = None,
    ) -> None:
        self._database = database
        self._own_writes = own_writes
        self._redis = redis
        self._services = services
        self._settings = settings

    async def perform(
        self,
        request: ChangeRequest,
        change: Callable[[UnitOfWork], Awaitable[Key]],
        answer: Callable[[UnitOfWork, Key], Awaitable[T]],
    ) -> T:
        """Run `change` and commit it; the result is what `answer` reads for its key in the same transaction.

        A repetition with the same idempotency key changes nothing and reads the row again. A failed change and a dry
        run leave nothing behind but gaps in sequences.

        Raises:
            Unauthenticated: the caller is not signed in.
            Forbidden: the credential may not write.
            Conflict: a constraint of the database is violated, or the key was used for a different change.
            FullonError: as raised by `change` and `answer`.
        """
        principal = may_change(request.caller, request.operation)
        digest = self._digest(request)
        claim = _claim(request, principal, digest)
        response, write = await repeated(lambda: self._attempt(request, principal, digest, claim, change, answer))
        if not request.dry_run:
            if self._own_writes:
                await self._own_writes.record(principal.uid)
            await self._invalidate_cache(write)
            await self._announce(write)
            if write.halts_changed:
                await self._write_blocks()
        return response

    async def _attempt(
        self,
        request: ChangeRequest,
        principal: Principal,
        digest: str,
        claim: Claim | None,
        change: Callable[[UnitOfWork], Awaitable[Key]],
        answer: Callable[[UnitOfWork, Key], Awaitable[T]],
    ) -> tuple[T, UnitOfWork]:
        """Perform the change in one transaction."""
        async with self._database.connection() as connection:
            write = UnitOfWork(
                principal, connection, self._settings, self._redis, self._services, request.dry_run, request.request_id
            )
            try:
                if claim and (result := await idempotency.acquire(connection, claim, self._expiry())) is not None:
                    return await answer(write, result), write
                key = await change(write)
                response = await answer(write, key)
                if not request.dry_run:
                    await self._complete(request, write, digest, claim, key)
            except IntegrityError as error:
                # Without its cause: the failed statement may contain secrets.
                raise (explained(error) or error) from None
        return response, write

    async def _complete(
        self, request: ChangeRequest, write: UnitOfWork, digest: str, claim: Claim | None, key: Key
    ) -> None:
        """Record and commit the change. The lock of the audit log comes last, which rules out deadlocks."""
        if claim:
            await idempotency.store_result(write.connection, claim, key)
        entity, row_key, before, after = _audit_images(write)
        principal = write.principal
        event = Event(
            principal.uid, principal.credential, request.operation, entity, row_key, digest, before, after,
            request.request_id,
        )  # fmt: skip
        await audit.append(write.connection, event)
        await write.connection.commit()

    async def _invalidate_cache(self, write: UnitOfWork) -> None:
        """Delete the stale keys of the platform's own cache, so that its programs read the rows again."""
        try:
            stale = set(write.stale)
            for pattern in write.stale_patterns:
                stale |= {key async for key in self._redis.scan_iter(pattern)}
            if stale:
                await self._redis.delete(*stale)
        except (redis.exceptions.RedisError, OSError) as error:
            _log.warning(
                "cache.not_invalidated", keys=sorted(write.stale | write.stale_patterns), error=type(error).__name__
            )

    async def _write_blocks(self) -> None:
        """Let the blocks in Redis follow the halts. On failure a background task does it later."""
        try:
            await halt_blocks.write_blocks(self._database, self._redis)
        except Exception as error:
            if not isinstance(as_fullon_error(error, ""), ServiceUnavailable | Timeout):
                raise
            _log.warning("halts.blocks_not_written", error=repr(error))

    async def _announce(self, write: UnitOfWork) -> None:
        """Ask for a check of open connections if the change may affect what their credentials may do."""
        rows = [before or after or {} for entity, _, before, after in write.images if entity in CREDENTIALS]
        for uid in {row["uid"] for row in rows}:
            await announce(self._redis, uid)

    def _digest(self, request: ChangeRequest) -> str:
        """SHA-256 over the operation and its input. Secrets enter as a keyed hash: short ones could be guessed."""
        secret = self._settings.jwt_secret_key.get_secret_value().encode()

        def hidden(name: str, value: Any) -> Any:
            if isinstance(value, Mapping):
                return {inner: hidden(inner, part) for inner, part in value.items()}
            if name in SECRET_INPUTS and isinstance(value, str):
                return hmac.new(secret, value.encode(errors="surrogatepass"), hashlib.sha256).hexdigest()
            return value

        facts = [request.operation, hidden("", request.arguments)]
        return hashlib.sha256(orjson.dumps(facts, option=orjson.OPT_SORT_KEYS)).hexdigest()

    def _expiry(self) -> datetime:
        return datetime.now(UTC) + timedelta(hours=self._settings.idempotency_hours)


def image(table: type[Any], row: Row[Any] | None) -> dict[str, Any] | None:
    """A row as stored in the audit log: every column that is not secret."""
    if row is None:
        return None
    columns = inspect(table).columns
    # Names of clamped times are a subclass of str, which orjson does not take as a key.
    return {str(name): value for name, value in row._mapping.items() if not is_secret(columns[name])}


def _claim(request: ChangeRequest, principal: Principal, digest: str) -> Claim | None:
    if request.idempotency_key is None:
        return None
    claim = Claim(principal.uid, request.idempotency_key, request.operation, digest)
    return None if request.dry_run else claim


def _audit_images(write: UnitOfWork) -> tuple[str, str, Mapping[str, Any] | None, Mapping[str, Any] | None]:
    """The images of a change for the audit log: its first row, and further rows under the name of their entity."""
    (entity, key, before, after), *others = write.images
    for kind, *_ in others:
        rows = [(old, new) for other, _, old, new in others if other == kind]
        before = before and {**before, kind: [old for old, _ in rows if old is not None]}
        after = after and {**after, kind: [new for _, new in rows if new is not None]}
    return entity, key, before, after


def _identified(table: type[Any], key: tuple[Any, ...]) -> ColumnElement[bool]:
    return and_(*(column == value for column, value in zip(inspect(table).primary_key, key, strict=True)))


def _key(table: type[Any], row: Row[Any]) -> tuple[Any, ...]:
    return tuple(getattr(row, column.name) for column in inspect(table).primary_key)
