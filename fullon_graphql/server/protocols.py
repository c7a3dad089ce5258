"""uvicorn's HTTP protocol with two additions: an orderly shutdown, and responses that can be aborted."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import unquote

from httptools import parse_url
from uvicorn.protocols.http.flow_control import service_unavailable
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from fullon_graphql.server.extension import EXTENSION, ConnectionExtension
from fullon_graphql.server.response_cycle import ResponseCycle
from fullon_graphql.server.shutdown import STATE_KEY, Shutdown, begin_shutdown


class HttpProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol. At shutdown, streams end in order; a response that is not read can be aborted.

    It does what uvicorn's does with each request, in less time.
    """

    _idle_since: float | None = None
    """When the last response was complete; None during a request."""
    _scope: dict[str, Any]
    """The scope of every request. A copy has room for the keys of one request, so it need not grow."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin a connection."""
        super().connection_made(transport)
        extension = ConnectionExtension(abort=transport.abort)
        self._scope = {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "root_path": self.root_path,
            "extensions": {EXTENSION: extension},
            "http_version": "",
            "method": "",
            "path": "",
            "raw_path": b"",
            "query_string": b"",
            "headers": [],
            "state": {},
        }

    def connection_lost(self, exc: Exception | None) -> None:
        """End a connection."""
        super().connection_lost(exc)
        if self.timeout_keep_alive_task:
            self.timeout_keep_alive_task.cancel()
            self.timeout_keep_alive_task = None

    def on_message_begin(self) -> None:
        """Begin a request."""
        self.url = b""
        self.expect_100_continue = False
        self.headers = []

    def on_headers_complete(self) -> None:
        """Start the application. In a shutdown the response is the last of its connection."""
        parser = self.parser
        version = parser.get_http_version()
        scope: Any = self._scope.copy()
        self.scope = scope
        scope["http_version"] = version
        scope["method"] = parser.get_method().decode()
        scope["headers"] = self.headers
        scope["state"] = self.app_state.copy()
        if parser.should_upgrade() and self._should_upgrade():
            return
        target = parse_url(self.url)
        raw_path = target.path
        path = raw_path.decode("ascii")
        scope["path"] = self.root_path + (unquote(path) if "%" in path else path)
        scope["raw_path"] = self.root_path.encode("ascii") + raw_path
        scope["query_string"] = target.query or b""
        shutdown: Shutdown | None = self.app_state.get(STATE_KEY)
        is_last = version == "1.0" or not parser.should_keep_alive() or (shutdown is not None and shutdown.has_begun)
        before, self.cycle = self.cycle, ResponseCycle(self, keep_alive=not is_last)
        app = service_unavailable if self._is_overloaded() else self.app
        if before is None or before.response_complete:
            self._start_asgi_task(self.cycle, app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, app))

    def on_response_complete(self) -> None:
        """Start the next request of the connection, or wait for one."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            return
        self._idle_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._close_if_idle_after(self.timeout_keep_alive)

    def timeout_keep_alive_handler(self) -> None:
        """Close the connection if it has been idle for long enough. One timer serves many requests."""
        self.timeout_keep_alive_task = None
        if self._idle_since is None:
            return
        remaining = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if remaining > 0:
            self._close_if_idle_after(remaining)
        else:
            super().timeout_keep_alive_handler()

    def shutdown(self) -> None:
        """Announce the shutdown, and close the connection after its response."""
        begin_shutdown(self.app_state)
        super().shutdown()

    def _unset_keepalive_if_required(self) -> None:
        self._idle_since = None

    def _close_if_idle_after(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def _is_overloaded(self) -> bool:
        most = self.limit_concurrency
        if most is None or (len(self.connections) < most and len(self.tasks) < most):
            return False
        self.logger.warning("Exceeded concurrency limit.")
        return True
