"""How anything is changed: checked, in one transaction, audited, at most once per key, and not at all in a dry run.

A service that changes something is handed an open `Write` and answers the key of the row. It finds the row through
its own `visible`, and everything it does goes through the write's connection. `Writes.perform` does the rest, for
whichever face has asked:

    intent = Intent(caller, "createBot", {"name": "grid"}, request_id)
    bot = await writes.perform(intent, lambda write: bots.create(write, {"name": "grid"}), answer)
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

from fullon_graphql.auth.principal import Caller, Principal, Scope, signed_in
from fullon_graphql.config import Settings
from fullon_graphql.daemons.control.manager import ServiceManager
from fullon_graphql.database import Database
from fullon_graphql.errors import NotFound
from fullon_graphql.models.base import is_secret
from fullon_graphql.services import audit
from fullon_graphql.services.access import visible
from fullon_graphql.services.audit import Event
from fullon_graphql.services.signing_in.revocation import announce
from fullon_graphql.services.writing import idempotency
from fullon_graphql.services.writing.conflicts import explained
from fullon_graphql.services.writing.idempotency import Claim

T = TypeVar("T")
Key = int | str | list[int] | bool
"""What a change answers: the key of the row it is about, or True for one that is no more."""

SECRET_INPUTS = {"password", "current_password", "new_password", "code"}
"""Arguments of which even the digest must tell nothing."""

CREDENTIALS = {"User", "Session", "ApiKey"}
"""Entities that say who may do what."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ChangeRequest:
    """Somebody wants something changed."""

    caller: Caller
    operation: str
    """Name of the mutation, e.g. `createBot`; also where the wish came over REST."""
    arguments: Mapping[str, Any]
    """What was asked for, by Python names, as values that JSON can carry."""
    request_id: str
    idempotency_key: str | None = None
    dry_run: bool = False


@dataclass
class UnitOfWork:
    """A change under way: the open transaction, in whose name, and what has been done so far."""

    principal: Principal
    connection: AsyncConnection
    settings: Settings
    redis: Redis
    services: ServiceManager
    dry_run: bool
    shown_once: str | None = None
    """A secret that only the first answer to this change may carry."""
    stale: set[str] = field(default_factory=set)
    """Keys of the platform's own cache that this change makes untrue."""
    stale_patterns: set[str] = field(default_factory=set)
    """Patterns of such keys, where nobody knows which ones there are."""
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
            raise NotFound(f"No {table.__name__} with key {', '.join(map(str, key))}.")
        return found

    async def insert(self, table: type[Any], values: Mapping[str, Any]) -> Row[Any]:
        """The new row, as PostgreSQL has completed it."""
        row: Row[Any] = (await self.connection.execute(insert(table).values(**values).returning(table))).one()
        self._note(table, None, row)
        return row

    async def update(self, table: type[Any], row: Row[Any], values: Mapping[str, Any]) -> Row[Any]:
        """The row with new values; without any it stays as it is."""
        if not values:
            self._note(table, row, row)
            return row
        changed = update(table).where(_identified(table, _key(table, row))).values(**values).returning(table)
        new: Row[Any] = (await self.connection.execute(changed)).one()
        self._note(table, row, new)
        return new

    async def delete(self, table: type[Any], row: Row[Any]) -> None:
        """Delete the row, with everything that PostgreSQL deletes together with it."""
        await self.connection.execute(delete(table).where(_identified(table, _key(table, row))))
        self._note(table, row, None)

    def note(self, entity: str, key: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> None:
        """Let the audit log know of a change: what it was, and what it is now."""
        self.images.append((entity, key, before, after))

    def _note(self, table: type[Any], before: Row[Any] | None, after: Row[Any] | None) -> None:
        row = after if after is not None else before
        assert row is not None, "one of them is there"
        key = ", ".join(map(str, _key(table, row)))
        self.note(table.__name__, key, image(table, before), image(table, after))


class ChangeExecutor:
    """The way to change what one installation stores."""

    def __init__(self, database: Database, redis: Redis, services: ServiceManager, settings: Settings) -> None:
        self._database = database
        self._redis = redis
        self._services = services
        self._settings = settings

    async def perform(
        self,
        intent: ChangeRequest,
        change: Callable[[UnitOfWork], Awaitable[Key]],
        answer: Callable[[UnitOfWork, Key], Awaitable[T]],
    ) -> T:
        """Run `change` and commit it; the result is what `answer` reads for its key, in the same transaction.

        A repetition, by its key, changes nothing and is answered anew. Nothing is left of a change that fails, nor of
        a dry run, except that the numbers it drew for new rows are used up.

        Raises:
            Unauthenticated: nobody is signed in.
            Forbidden: the credential may not write.
            Conflict: a constraint of the database stands against it, or the key was used for something else.
            FullonError: whatever `change` and `answer` refuse.
        """
        principal = signed_in(intent.caller, Scope.WRITE)
        digest = self._digest(intent)
        claim = _claim(intent, principal, digest)
        async with self._database.engine.connect() as connection:
            write = UnitOfWork(principal, connection, self._settings, self._redis, self._services, intent.dry_run)
            try:
                if claim and (known := await idempotency.take(connection, claim, self._expiry())) is not None:
                    return await answer(write, known)
                key = await change(write)
                answered = await answer(write, key)
                if not intent.dry_run:
                    await self._seal(intent, write, digest, claim, key)
            except IntegrityError as error:
                # Without its cause: the failed statement may carry what no log should.
                raise (explained(error) or error) from None
        if not intent.dry_run:
            await self._forget_stale(write)
            await self._announce(write)
        return answered

    async def _seal(self, intent: ChangeRequest, write: UnitOfWork, digest: str, claim: Claim | None, key: Key) -> None:
        """Everything that makes it final, in an order that cannot wait in a circle: the audit log's lock comes last."""
        if claim:
            await idempotency.settle(write.connection, claim, key)
        entity, row_key, before, after = _as_one(write)
        principal = write.principal
        event = Event(
            principal.uid, principal.credential, intent.operation, entity, row_key, digest, before, after,
            intent.request_id,
        )  # fmt: skip
        await audit.append(write.connection, event)
        await write.connection.commit()

    async def _forget_stale(self, write: UnitOfWork) -> None:
        """Make the platform's programs read anew what has changed; see the cache in the platform's own library."""
        try:
            stale = set(write.stale)
            for pattern in write.stale_patterns:
                stale |= {key async for key in self._redis.scan_iter(pattern)}
            if stale:
                await self._redis.delete(*stale)
        except (redis.exceptions.RedisError, OSError) as error:
            _log.warning(
                "stale_cache_left", keys=sorted(write.stale | write.stale_patterns), error=type(error).__name__
            )

    async def _announce(self, write: UnitOfWork) -> None:
        """Have open connections looked at, where what their credentials may do could have changed."""
        rows = [before or after or {} for entity, _, before, after in write.images if entity in CREDENTIALS]
        for uid in {row["uid"] for row in rows}:
            await announce(self._redis, uid)

    def _digest(self, intent: ChangeRequest) -> str:
        """SHA-256 over the operation and its input. Secrets enter as a keyed hash, for short ones could be guessed."""
        secret = self._settings.jwt_secret_key.get_secret_value().encode()

        def hidden(name: str, value: Any) -> Any:
            if isinstance(value, Mapping):
                return {inner: hidden(inner, part) for inner, part in value.items()}
            if name in SECRET_INPUTS and isinstance(value, str):
                return hmac.new(secret, value.encode(errors="surrogatepass"), hashlib.sha256).hexdigest()
            return value

        facts = [intent.operation, hidden("", intent.arguments)]
        return hashlib.sha256(orjson.dumps(facts, option=orjson.OPT_SORT_KEYS)).hexdigest()

    def _expiry(self) -> datetime:
        return datetime.now(UTC) + timedelta(hours=self._settings.idempotency_hours)


def image(table: type[Any], row: Row[Any] | None) -> dict[str, Any] | None:
    """A row as the audit log keeps it: every column but the secret ones."""
    if row is None:
        return None
    columns = inspect(table).columns
    return {name: value for name, value in row._mapping.items() if not is_secret(columns[name])}


def _claim(intent: ChangeRequest, principal: Principal, digest: str) -> Claim | None:
    if intent.idempotency_key is None:
        return None
    claim = Claim(principal.uid, intent.idempotency_key, intent.operation, digest)
    return None if intent.dry_run else claim


def _as_one(write: UnitOfWork) -> tuple[str, str, Mapping[str, Any] | None, Mapping[str, Any] | None]:
    """What the audit log says of a change: its first row, and what else was changed under the name of its kind."""
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
