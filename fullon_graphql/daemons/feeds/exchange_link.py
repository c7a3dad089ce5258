"""The connections to one exchange: one ccxt client, its sessions, and the pauses between them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import structlog

from fullon_graphql.daemons.control.state import backoff
from fullon_graphql.daemons.feeds.ccxt_client import errors
from fullon_graphql.daemons.feeds.requests import jittered
from fullon_graphql.daemons.feeds.timing import FeedTiming
from fullon_graphql.observability.redaction import reason

log = structlog.get_logger(__name__)

CLOCK_CHANGE: Final = 5_000
"""A ticker that is older than the one before by more milliseconds is not late: the clock of the exchange changed."""


class SessionLostError(Exception):
    """The connections to an exchange are broken or useless, and are to be made again."""


class Session:
    """The life of the connections from one connection to the next. Its streams subscribe once."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.started = time.monotonic()
        self.connected_at: float | None = None
        """Unix seconds of the first message."""
        self.heard_at: float | None = None
        """Unix seconds of the newest message of any kind, also one without data."""
        self.failure: str | None = None
        self._wakes: set[asyncio.Event] = set()

    def heard(self) -> None:
        """Record a message from the exchange."""
        self.heard_at = time.time()
        self.connected_at = self.connected_at or self.heard_at
        self.wake()

    def fail(self, failure: str) -> None:
        """Mark the session as lost; its streams end."""
        self.failure = self.failure or failure
        self.wake()

    def wake(self) -> None:
        """Wake the streams."""
        for event in self._wakes:
            event.set()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[asyncio.Event]:
        """An event that is set with each message."""
        event = asyncio.Event()
        self._wakes.add(event)
        try:
            yield event
        finally:
            self._wakes.remove(event)


class ExchangeLink:
    """The connections to an exchange while something uses them. All streams and requests share one client.

    After a failure the next session begins after a random part of a backoff that grows with each failure in a row.
    """

    def __init__(self, exchange: str, open_client: Callable[[], Awaitable[Any]], timing: FeedTiming) -> None:
        self.exchange = exchange
        self.timing = timing
        self.reconnects = 0
        self.error: str | None = None
        """The reason of the last failure; None once there has been a message after it."""
        self._open_client = open_client
        self._client: Any = None
        self._session: Session | None = None
        self._failures = 0
        self._lock = asyncio.Lock()
        self._users = 0
        self._closing: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def used(self) -> AsyncIterator[None]:
        """Keep the connections while the block runs. They are closed at the end of the last block."""
        self._users += 1
        try:
            yield
        finally:
            self._users -= 1
            if not self._users:
                await self._close()

    @property
    def current(self) -> Session | None:
        """The session, if there is one."""
        return self._session

    async def session(self) -> Session:
        """The session. Without one, try to begin one until that succeeds.

        Raises:
            ExchangesNotInstalledError, UnknownExchangeError: it never will.
        """
        async with self._lock:
            while self._session is None:
                await asyncio.sleep(self._pause())
                try:
                    client = await self._loaded_client()
                except (errors().BaseError, OSError, TimeoutError) as error:
                    self._failed(reason(error))
                else:
                    self._session = Session(client)
            return self._session

    def lost(self, session: Session, failure: str) -> None:
        """End a session; the next call of `session` begins another. Later calls with the same session do nothing."""
        session.fail(failure)
        if session is not self._session:
            return
        self._session = None
        self.reconnects += 1
        if session.heard_at and time.monotonic() - session.started > self.timing.healthy:
            self._failures = 0
        self._failed(failure)
        self._drop_sockets()

    def heard(self, session: Session) -> None:
        """Record a message from the exchange."""
        self.error = None
        session.heard()

    def _failed(self, failure: str) -> None:
        self._failures += 1
        self.error = failure
        log.warning("feed.lost", exchange=self.exchange, error=failure, failures=self._failures)

    def _pause(self) -> float:
        if not self._failures:
            return 0.0
        return jittered(backoff(self._failures, self.timing))

    async def _loaded_client(self) -> Any:
        """The client, with the exchange's markets."""
        if self._client is None:
            self._client = await self._open_client()
            self._client.tickers = _NewestTickers()
            self._watch_sockets(self._client)
        await self._client.load_markets()
        return self._client

    def _watch_sockets(self, client: Any) -> None:
        """Learn of each message and failure of the client's sockets, whatever they are subscribed to."""
        handle, open_socket, on_error, on_close = (
            client.handle_message,
            client.client,
            client.on_error,
            client.on_close,
        )

        def handle_message(socket: Any, message: Any) -> None:
            if self._session:
                self.heard(self._session)
            try:
                handle(socket, message)
            except Exception as error:  # ccxt would read no more messages
                log.warning("feed.message_left_out", exchange=self.exchange, error=reason(error))

        def socket_failed(socket: Any, error: Any) -> None:
            on_error(socket, error)
            if self._session:
                self.lost(self._session, reason(error))

        def socket_closed(socket: Any, code: Any) -> None:
            on_close(socket, code)
            if self._session:
                self.lost(self._session, f"The exchange closed the connection (code {code}).")

        def quiet_socket(url: str) -> Any:
            socket = open_socket(url)
            if not isinstance(socket.futures, _Futures):
                socket.futures = _Futures(socket.futures)
            return socket

        client.handle_message, client.client = handle_message, quiet_socket
        client.on_error, client.on_close = socket_failed, socket_closed

    def _drop_sockets(self) -> None:
        """Close all sockets of the client. Their late callbacks must not touch the sockets of the next session."""
        sockets, self._client.clients = list((self._client.clients or {}).values()), {}
        for socket in sockets:
            socket.on_message_callback = socket.on_error_callback = socket.on_close_callback = _ignore
            task = asyncio.create_task(_close_socket(socket))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def _close(self) -> None:
        session, self._session = self._session, None
        client, self._client = self._client, None
        if session:
            session.fail("The feed has been closed.")
        if client is not None:
            for socket in (client.clients or {}).values():
                socket.on_message_callback = socket.on_error_callback = socket.on_close_callback = _ignore
            await client.close()
        await asyncio.gather(*self._closing, return_exceptions=True)


class _NewestTickers(dict[str, Any]):
    """The client's cache of tickers. A ticker that arrives after a newer one does not replace it."""

    def __setitem__(self, symbol: str, ticker: Any) -> None:
        known = self.get(symbol) or {}
        if known.get("timestamp") and ticker.get("timestamp"):
            late = known["timestamp"] - ticker["timestamp"]
            if 0 < late <= CLOCK_CHANGE:
                return
        super().__setitem__(symbol, ticker)


class _Futures(dict[str, Any]):
    """Futures of a socket whose failures are not reported as forgotten: the link learns of them by itself."""

    def __setitem__(self, name: str, future: Any) -> None:
        future.add_done_callback(_retrieve)
        super().__setitem__(name, future)


def _retrieve(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()


async def _close_socket(socket: Any) -> None:
    with suppress(Exception):
        await socket.close()


def _ignore(*_: Any) -> None:
    pass
