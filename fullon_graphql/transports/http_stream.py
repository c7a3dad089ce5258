"""Subscriptions as the body of an HTTP response, which lasts until the stream, the client or the server ends it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

import structlog
from starlette.types import Receive, Scope, Send

from fullon_graphql.auth.principal import Principal, reader
from fullon_graphql.context import Context
from fullon_graphql.engine.operations import GraphQLErrors, Request
from fullon_graphql.errors import FullonError, Internal, ServiceUnavailable, Unauthenticated, as_fullon_error
from fullon_graphql.observability.metrics import count_graph_errors
from fullon_graphql.observability.request_record import operation_name, record_of
from fullon_graphql.server.extension import extension_of
from fullon_graphql.server.response_headers import response_headers
from fullon_graphql.server.shutdown import retry_seconds, shutdown_of
from fullon_graphql.streaming.backlog import Frame
from fullon_graphql.streaming.connections import Connection, ConnectionRegistry
from fullon_graphql.streaming.registry import ENDED_BY_SERVER, StreamRegistry
from fullon_graphql.transports.admission import Admission, connection_context, connection_credential
from fullon_graphql.transports.framing import Framing
from fullon_graphql.transports.websocket_session import graphql_error

log = structlog.get_logger(__name__)

CLOSE_TIMEOUT: Final = 2.0
"""Seconds in which the client must take the last chunk; then the connection is dropped without it."""


class HttpStreams:
    """Answers subscriptions over HTTP. A heartbeat is sent after `heartbeat` seconds of silence."""

    def __init__(
        self, streams: StreamRegistry, connections: ConnectionRegistry, admission: Admission, heartbeat: float
    ) -> None:
        self._streams = streams
        self._connections = connections
        self._admission = admission
        self._heartbeat = heartbeat

    async def serve(self, request: Request, framing: Framing, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a subscription whose request has been read.

        Raises:
            Unauthenticated, Forbidden, RateLimited: nothing has been sent yet.
        """
        context, credential, shutdown = connection_context(scope), connection_credential(scope), shutdown_of(scope)
        context.caller = await context.worker.authenticator.identify(credential)
        if record := record_of(scope):
            record.operation = operation_name(request.operation_name, request.query)
            record.is_stream = True
            record.uid = context.caller.uid if isinstance(context.caller, Principal) else None
        context.worker.rate_limits.spend(context.caller, context.address, response_headers(scope))
        last_chunk: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        def on_end(reason: str) -> None:
            _set(last_chunk, framing.ending([graphql_error(Unauthenticated(reason))]))

        def on_shutdown() -> None:
            seconds = retry_seconds()
            error = ServiceUnavailable(
                "server", f"The server shuts down; subscribe again in {seconds} s.", retry_after=seconds
            )
            _set(last_chunk, framing.interruption(graphql_error(error), seconds))

        connection = Connection(credential, reader(context.caller), _ignore_warning, on_end)
        with self._admission.admitted(scope, framing.name), self._connections.registered(connection):
            shutdown.add(on_shutdown)
            try:
                response = _Response(framing, send)
                await response.open()
                stream = self._stream(request, context, _last_event_id(scope), response)
                last = await _first_result(stream, last_chunk, _until_disconnect(receive))
                if not await response.close(last):
                    await _abort(scope, receive)
            finally:
                shutdown.discard(on_shutdown)

    async def _stream(self, request: Request, context: Context, after: str | None, response: _Response) -> bytes:
        """Send the frames, and return the last chunk of the response."""
        try:
            async with self._streams.subscribe(request, context, after, transport=response.framing.name) as frames:
                await self._send_frames(frames, response)
        except GraphQLErrors as error:
            count_graph_errors(error.errors)
            return response.framing.ending(error.errors)
        except Exception as error:
            return response.framing.ending([graphql_error(_to_fullon_error(error, context))])
        return response.framing.ending()

    async def _send_frames(self, frames: AsyncIterator[Frame], response: _Response) -> None:
        framing = response.framing
        while True:
            try:
                async with asyncio.timeout(self._heartbeat) as silence:
                    frame = await anext(frames)
            except StopAsyncIteration:
                return
            except TimeoutError:
                if not silence.expired():
                    raise
                await response.send(framing.heartbeat)
            else:
                await response.send(framing.event(frame.body, frame.cursor))


class _Response:
    """The response to one request, chunk by chunk."""

    def __init__(self, framing: Framing, send: Send) -> None:
        self.framing = framing
        self._transmit = send

    async def open(self) -> None:
        headers = [
            (b"content-type", self.framing.media_type),
            (b"cache-control", b"no-store"),
            (b"x-accel-buffering", b"no"),  # nginx would collect events before it passes them on
        ]
        await self._transmit({"type": "http.response.start", "status": 200, "headers": headers})
        await self.send(self.framing.opening)

    async def send(self, chunk: bytes) -> None:
        with suppress(OSError):  # `_until_disconnect` notices that the client has gone
            await self._transmit({"type": "http.response.body", "body": chunk, "more_body": True})

    async def close(self, last: bytes | None) -> bool:
        """Send the last chunk, if the client is still there. False if the client does not take it in time."""
        if last is None:
            return True
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self._transmit({"type": "http.response.body", "body": last})
        except TimeoutError:
            return False
        except OSError:
            pass
        return True


async def _abort(scope: Scope, receive: Receive) -> None:
    if abort := extension_of(scope).get("abort"):
        abort()
        await _until_disconnect(receive)


async def _first_result(stream: Any, last_chunk: asyncio.Future[bytes], disconnect: Any) -> bytes | None:
    """The result of the first to finish; the others are cancelled. A disconnect outranks all."""
    tasks = [asyncio.ensure_future(result) for result in (stream, last_chunk, disconnect)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        result: bytes | None = next(task.result() for task in reversed(tasks) if task.done())
        return result
    finally:
        reason = ENDED_BY_SERVER if last_chunk.done() else None
        for task in tasks:
            task.cancel(reason)
        await asyncio.wait(tasks)


async def _until_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _set(future: asyncio.Future[bytes], chunk: bytes) -> None:
    if not future.done():
        future.set_result(chunk)


def _ignore_warning(_expires_at: datetime) -> None:
    """A stream over HTTP cannot renew its token."""


def _last_event_id(scope: Scope) -> str | None:
    value = dict(scope["headers"]).get(b"last-event-id", b"").decode("latin-1")
    return value or None


def _to_fullon_error(error: Exception, context: Context) -> FullonError:
    found = as_fullon_error(error, context.request_id)
    if isinstance(found, Internal):
        log.error("stream.failed", request_id=context.request_id, exc_info=error)
    return found
