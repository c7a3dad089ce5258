"""uvicorn's HTTP protocol with two additions: an orderly shutdown, and responses that can be aborted."""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from fullon_graphql.server.extension import EXTENSION, ConnectionExtension
from fullon_graphql.server.shutdown import STATE_KEY, begin_shutdown


class HttpProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol. At shutdown, streams end in order; a response that is not read can be aborted."""

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        extension: Any = ConnectionExtension(abort=self.transport.abort)
        self.scope["extensions"] = {EXTENSION: extension}

    def on_headers_complete(self) -> None:
        """Begin the response. In a shutdown it is the last of its connection, so the next one is another server's."""
        super().on_headers_complete()
        shutdown = self.app_state.get(STATE_KEY)
        if shutdown is not None and shutdown.has_begun and self.cycle:
            self.cycle.keep_alive = False

    def shutdown(self) -> None:
        """Announce the shutdown, and close the connection after its response."""
        begin_shutdown(self.app_state)
        super().shutdown()
