"""Presence: who holds a connection open, and that nobody does with a credential that is no longer good.

For every transport. A connection ends with its token unless a fresh one of the same account is presented on it; with
its session or API key; and when what the account may do changes.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from fullon_graphql.auth.credentials import Credential
from fullon_graphql.auth.principal import Anonymous, Principal
from fullon_graphql.cache import keys
from fullon_graphql.cache.hub import Mailbox, Topic
from fullon_graphql.config import Settings
from fullon_graphql.context import Worker
from fullon_graphql.errors import FullonError, RateLimited, Unauthenticated, as_fullon_error
from fullon_graphql.services.signing_in.revocation import credential_changes

log = structlog.get_logger(__name__)

PAUSE: Final = 1.0
"""Seconds before listening again where Redis did not answer."""


class Connection:
    """One open connection. `warn` is told the end of its token some time before, `end` why it must close."""

    def __init__(
        self,
        credential: Credential,
        principal: Principal,
        warn: Callable[[datetime], None],
        end: Callable[[str], None],
    ) -> None:
        self.credential = credential
        self.principal = principal
        self._warn = warn
        self._end = end
        self._timer: asyncio.TimerHandle | None = None

    def end(self, reason: str) -> None:
        """Have the connection closed."""
        self._end(reason)

    def renew(self, credential: Credential, principal: Principal) -> None:
        """Go on with a fresh credential.

        Raises:
            Unauthenticated: it is somebody else's, or of other rights than what was opened with the former one.
        """
        if _rights(principal) != _rights(self.principal):
            raise Unauthenticated("This credential is of another account, or of other rights; open a new connection.")
        self.credential, self.principal = credential, principal

    def watch_clock(self, warning: float) -> None:
        """Warn so many seconds before the end of the credential, and end the connection then."""
        self.stop_clock()
        if expires_at := self.principal.expires_at:
            self._wait_for(expires_at - timedelta(seconds=warning), self._warn_and_wait, expires_at)

    def stop_clock(self) -> None:
        """Neither warn nor end."""
        if self._timer:
            self._timer.cancel()

    def _warn_and_wait(self, expires_at: datetime) -> None:
        self._wait_for(expires_at, self._end, "The token has expired.")
        self._warn(expires_at)

    def _wait_for(self, moment: datetime, call: Callable[..., None], argument: object) -> None:
        left = (moment - datetime.now(UTC)).total_seconds()
        self._timer = asyncio.get_running_loop().call_later(max(0.0, left), call, argument)


class ConnectionRegistry:
    """Everybody who is connected to this process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._by_uid: dict[int, set[Connection]] = defaultdict(set)
        self._look = asyncio.Event()

    @contextmanager
    def present(self, presence: Connection) -> Iterator[None]:
        """Count a connection for one block, and watch over it.

        Raises:
            RateLimited: the account has as many as it may.
        """
        self.enter(presence)
        try:
            yield
        finally:
            self.leave(presence)

    def enter(self, presence: Connection) -> None:
        """Begin what `present` does; whoever calls this calls `leave` in the end."""
        uid, limit = presence.principal.uid, self._settings.sockets_per_user
        if len(self._by_uid[uid]) >= limit:
            raise RateLimited(f"You have {limit} connections open, as many as you may; close some.", retry_after=1)
        self._by_uid[uid].add(presence)
        presence.watch_clock(self._settings.token_warning)

    def leave(self, presence: Connection) -> None:
        """End what `present` does."""
        uid = presence.principal.uid
        presence.stop_clock()
        self._by_uid[uid].discard(presence)
        if not self._by_uid[uid]:
            del self._by_uid[uid]

    async def renew(self, worker: Worker, presence: Connection, credential: Credential) -> Principal:
        """Go on with a fresh credential, and say whose it is.

        Raises:
            Unauthenticated: it is no good, somebody else's, or of other rights.
        """
        caller = await worker.authenticator.identify(credential, fresh=True)
        if isinstance(caller, Anonymous):
            raise Unauthenticated(caller.reason) if caller.reason else Unauthenticated()
        presence.renew(credential, caller)
        presence.watch_clock(self._settings.token_warning)
        return caller

    @asynccontextmanager
    async def watched(self, worker: Worker) -> AsyncIterator[None]:
        """Look at connections whenever something was revoked, and from time to time, while the block runs."""
        tasks = [
            asyncio.create_task(self._listen(worker), name="revocations"),
            asyncio.create_task(self._listen_to_database(worker), name="revocations by others"),
            asyncio.create_task(self._look_round(worker), name="credentials"),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _listen(self, worker: Worker) -> None:
        while True:
            try:
                async with worker.hub.listen([Topic(keys.CREDENTIALS, pattern=True)]) as mailbox:
                    await self._hear(worker, mailbox)
            except FullonError as error:
                log.warning("revocations.unheard", error=repr(error))
                await asyncio.sleep(PAUSE)

    async def _hear(self, worker: Worker, mailbox: Mailbox) -> None:
        while True:
            news = await mailbox.news()
            if news.reset:
                self._look.set()
            for channel in news.messages:
                uid = channel.rpartition(":")[2]
                if uid.isdecimal():
                    await self._check(worker, self._by_uid.get(int(uid), ()))

    async def _listen_to_database(self, worker: Worker) -> None:
        async with aclosing(credential_changes(worker.database)) as accounts:
            async for uid in accounts:
                if uid is None:
                    self._look.set()
                else:
                    await self._check(worker, self._by_uid.get(uid, ()))

    async def _look_round(self, worker: Worker) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._settings.socket_recheck_interval):
                    await self._look.wait()
            self._look.clear()
            for uid in list(self._by_uid):
                await self._check(worker, self._by_uid.get(uid, ()))

    async def _check(self, worker: Worker, presences: Collection[Connection]) -> None:
        """End those of one account whose credential is no good any more, each credential looked up once."""
        by_credential: dict[Credential, list[Connection]] = defaultdict(list)
        for presence in presences:
            by_credential[presence.credential].append(presence)
        for credential, found in by_credential.items():
            try:
                caller = await worker.authenticator.identify(credential, fresh=True)
            except Exception as error:  # a store that does not answer says nothing about anybody
                log.warning("credential.unchecked", error=repr(as_fullon_error(error, "")))
                continue
            for presence in found:
                if presence.credential != credential:
                    continue  # renewed meanwhile
                if isinstance(caller, Anonymous):
                    presence.end(caller.reason or "Sign in again.")
                elif _rights(caller) != _rights(presence.principal):
                    presence.end("What you may do has changed; connect again.")


def _rights(principal: Principal) -> tuple[object, ...]:
    return principal.uid, principal.is_admin, principal.scopes
