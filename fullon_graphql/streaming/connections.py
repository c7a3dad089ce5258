"""Open connections and their credentials: a connection ends when its credential is no longer valid.

For all transports. A connection ends with its token, unless it presents a fresh token of the same account; with its
session or API key; and when the rights of its account change.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from functools import partial

import structlog

from fullon_graphql.auth.credentials import Credential
from fullon_graphql.auth.principal import Anonymous, Principal
from fullon_graphql.background import Ready
from fullon_graphql.cache import keys
from fullon_graphql.cache.hub import Mailbox, Topic
from fullon_graphql.config import Settings
from fullon_graphql.context import Worker
from fullon_graphql.errors import RateLimited, Unauthenticated, as_fullon_error
from fullon_graphql.observability.metrics import count_limit
from fullon_graphql.services.signing_in.revocation import credential_changes
from fullon_graphql.timers import TimerQueue, Wait

log = structlog.get_logger(__name__)


class Connection:
    """One open connection.

    `on_expiring` is called with the end of the token some time before it, `on_end` with the reason why the connection
    must close.
    """

    __slots__ = ("_on_end", "_on_expiring", "_timer", "credential", "principal")

    def __init__(
        self,
        credential: Credential,
        principal: Principal,
        on_expiring: Callable[[datetime], None],
        on_end: Callable[[str], None],
    ) -> None:
        self.credential = credential
        self.principal = principal
        self._on_expiring = on_expiring
        self._on_end = on_end
        self._timer: Wait | None = None

    def end(self, reason: str) -> None:
        """Have the connection closed."""
        self._on_end(reason)

    def renew(self, credential: Credential, principal: Principal) -> None:
        """Replace the credential.

        Raises:
            Unauthenticated: the new one belongs to another account, or has other rights.
        """
        if _rights(principal) != _rights(self.principal):
            raise Unauthenticated("This credential has another account or other rights; open a new connection.")
        self.credential, self.principal = credential, principal

    def start_timer(self, timers: TimerQueue, warning: float) -> None:
        """Warn this many seconds before the end of the credential, and end the connection with it."""
        self.stop_timer(timers)
        if expires_at := self.principal.expires_at:
            self._timer = timers.add(_seconds_until(expires_at) - warning, self._warn)

    def stop_timer(self, timers: TimerQueue) -> None:
        """Cancel the warning and the end that `start_timer` scheduled."""
        if self._timer:
            timers.cancel(self._timer)

    def _warn(self, timers: TimerQueue) -> None:
        expires_at = self.principal.expires_at
        assert expires_at is not None, "as when the timer was started"
        self._timer = timers.add(_seconds_until(expires_at), self._expire)
        self._on_expiring(expires_at)

    def _expire(self, _: TimerQueue) -> None:
        self._on_end("The token has expired.")


def _seconds_until(moment: datetime) -> float:
    return (moment - datetime.now(UTC)).total_seconds()


class ConnectionRegistry:
    """The authenticated connections of a worker."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._by_uid: dict[int, set[Connection]] = defaultdict(set)
        self._timers = TimerQueue()
        self._recheck = asyncio.Event()

    @contextmanager
    def registered(self, connection: Connection) -> Iterator[None]:
        """Register a connection for one block.

        Raises:
            RateLimited: the account has reached its limit of connections.
        """
        self.add(connection)
        try:
            yield
        finally:
            self.remove(connection)

    def add(self, connection: Connection) -> None:
        """Register a connection until `remove`. Raises as `registered` does."""
        uid, limit = connection.principal.uid, self._settings.sockets_per_user
        if len(self._by_uid.get(uid, ())) >= limit:
            count_limit("SOCKETS_PER_USER")
            raise RateLimited(f"Your account has {limit} connections, the limit; close some.", retry_after=1)
        self._by_uid[uid].add(connection)
        connection.start_timer(self._timers, self._settings.token_warning)

    def remove(self, connection: Connection) -> None:
        """Forget a connection."""
        uid = connection.principal.uid
        connection.stop_timer(self._timers)
        self._by_uid[uid].discard(connection)
        if not self._by_uid[uid]:
            del self._by_uid[uid]

    async def renew(self, worker: Worker, connection: Connection, credential: Credential) -> Principal:
        """Replace the credential of a connection, and return its principal.

        Raises:
            Unauthenticated: the new one is invalid, of another account, or has other rights.
        """
        caller = await worker.authenticator.identify(credential)
        if isinstance(caller, Anonymous):
            raise Unauthenticated(caller.reason) if caller.reason else Unauthenticated()
        connection.renew(credential, caller)
        connection.start_timer(self._timers, self._settings.token_warning)
        return caller

    @asynccontextmanager
    async def watch_credentials(self, worker: Worker) -> AsyncIterator[None]:
        """Check credentials after each revocation, and periodically, while the block runs."""
        work = {
            "revocations": partial(self._follow_redis, worker),
            "revocations by other programs": partial(self._follow_database, worker),
            "credentials": partial(self._recheck_all, worker),
        }
        async with worker.background.running(work):
            yield

    async def _follow_redis(self, worker: Worker, ready: Ready) -> None:
        async with worker.hub.listen([Topic(keys.CREDENTIALS, pattern=True)]) as mailbox:
            ready()
            await self._check_revoked(worker, mailbox)

    async def _check_revoked(self, worker: Worker, mailbox: Mailbox) -> None:
        while True:
            news = await mailbox.news()
            if news.reset:
                self._recheck.set()
            for channel in news.messages:
                uid = channel.rpartition(":")[2]
                if uid.isdecimal():
                    await self._check(worker, self._by_uid.get(int(uid), ()))

    async def _follow_database(self, worker: Worker, ready: Ready) -> None:
        async with aclosing(credential_changes(worker.database)) as accounts:
            async for uid in accounts:
                ready()
                if uid is None:
                    self._recheck.set()
                else:
                    await self._check(worker, self._by_uid.get(uid, ()))

    async def _recheck_all(self, worker: Worker, ready: Ready) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._settings.socket_recheck_interval):
                    await self._recheck.wait()
            self._recheck.clear()
            try:
                for uid in list(self._by_uid):
                    await self._check(worker, self._by_uid.get(uid, ()))
            except Exception:
                self._recheck.set()  # the restarted task checks all of them
                raise
            ready()

    async def _check(self, worker: Worker, connections: Collection[Connection]) -> None:
        """End the connections of one account whose credential is no longer valid; look up each credential once."""
        by_credential: dict[Credential, list[Connection]] = defaultdict(list)
        for connection in connections:
            by_credential[connection.credential].append(connection)
        for credential, found in by_credential.items():
            try:
                caller = await worker.authenticator.identify(credential)
            except Exception as error:  # an unavailable store does not invalidate a credential
                log.warning("credential.not_checked", error=repr(as_fullon_error(error, "")))
                continue
            for connection in found:
                if connection.credential != credential:
                    continue  # the connection was renewed meanwhile
                if isinstance(caller, Anonymous):
                    connection.end(caller.reason or "Sign in again.")
                elif _rights(caller) != _rights(connection.principal):
                    connection.end("The rights of your account have changed; connect again.")


def _rights(principal: Principal) -> tuple[object, ...]:
    return principal.uid, principal.is_admin, principal.scopes
