"""Subscriptions as the body of an HTTP response that goes on until the stream ends, or either side does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

import structlog
from starlette.types import Receive, Scope, Send

from fullon_graphql.auth.principal import signed_in
from fullon_graphql.context import Context
from fullon_graphql.engine.operations import GraphQLErrors, Request
from fullon_graphql.errors import FullonError, Internal, ServiceUnavailable, Unauthenticated, as_fullon_error
from fullon_graphql.server.extension import extension_of
from fullon_graphql.streaming.broadcast import Frame
from fullon_graphql.streaming.connections import Connection, ConnectionRegistry
from fullon_graphql.streaming.registry import StreamRegistry
from fullon_graphql.transports.admission import Admission, context_of, credential_of
from fullon_graphql.transports.framing import Framing
from fullon_graphql.transports.websocket_session import formatted

log = structlog.get_logger(__name__)

FAREWELL: Final = 2.0
"""Seconds in which a client must have room for the end of its stream; then it goes without."""


class HttpStreams:
    """Streams over HTTP. `scope["state"]["ending"]` is the `asyncio.Event` that says that the server ends."""

    def __init__(
        self, streams: StreamRegistry, presences: ConnectionRegistry, door: Admission, heartbeat: float
    ) -> None:
        self._streams = streams
        self._presences = presences
        self._door = door
        self._heartbeat = heartbeat

    async def serve(self, request: Request, wording: Framing, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a subscription whose request has been read.

        Raises:
            Unauthenticated, Forbidden, RateLimited: nothing has been sent yet.
        """
        context, credential, loop = context_of(scope), credential_of(scope), asyncio.get_running_loop()
        context.caller = await context.worker.authenticator.identify(credential, fresh=True)
        ended: asyncio.Future[bytes] = loop.create_future()
        presence = Connection(
            credential, signed_in(context.caller), _unheard, lambda reason: _end(ended, wording, reason)
        )
        with self._door.passed(scope), self._presences.present(presence):
            response = _Response(wording, send)
            await response.open()
            flow = self._flow(request, context, _last_event(scope), response)
            last = await _first(flow, ended, _shut(scope["state"]["ending"], wording), _gone(receive))
            if not await response.close(last):
                await _cut_off(scope, receive)

    async def _flow(self, request: Request, context: Context, after: str | None, response: _Response) -> bytes:
        """Send the stream to its end, which is returned."""
        try:
            async with self._streams.listen(request, context, after) as frames:
                await self._send(frames, response)
        except GraphQLErrors as error:
            return response.wording.ending(error.errors)
        except Exception as error:
            return response.wording.ending([formatted(_known(error, context))])
        return response.wording.ending()

    async def _send(self, frames: AsyncIterator[Frame], response: _Response) -> None:
        wording = response.wording
        while True:
            try:
                async with asyncio.timeout(self._heartbeat) as silence:
                    frame = await anext(frames)
            except StopAsyncIteration:
                return
            except TimeoutError:
                if not silence.expired():
                    raise
                await response.send(wording.heartbeat)
            else:
                await response.send(wording.event(frame.body, frame.cursor))


class _Response:
    """The response to one request, chunk by chunk."""

    def __init__(self, wording: Framing, send: Send) -> None:
        self.wording = wording
        self._transmit = send

    async def open(self) -> None:
        headers = [
            (b"content-type", self.wording.media_type),
            (b"cache-control", b"no-store"),
            (b"x-accel-buffering", b"no"),  # nginx would hold events back until it has some more
        ]
        await self._transmit({"type": "http.response.start", "status": 200, "headers": headers})
        await self.send(self.wording.opening)

    async def send(self, chunk: bytes) -> None:
        with suppress(OSError):  # nobody is there any more, which is noticed elsewhere
            await self._transmit({"type": "http.response.body", "body": chunk, "more_body": True})

    async def close(self, last: bytes | None) -> bool:
        """Send the last chunk, unless nobody is there to be told; False where a client has no room for it."""
        if last is None:
            return True
        try:
            async with asyncio.timeout(FAREWELL):
                await self._transmit({"type": "http.response.body", "body": last})
        except TimeoutError:
            return False
        except OSError:
            pass
        return True


async def _cut_off(scope: Scope, receive: Receive) -> None:
    if abort := extension_of(scope).get("abort"):
        abort()
        await _gone(receive)


async def _first(flow: Any, ended: asyncio.Future[bytes], *others: Any) -> bytes | None:
    """What the first of these comes to that ends; the others are ended."""
    tasks = [asyncio.ensure_future(ending) for ending in (flow, ended, *others)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        result: bytes | None = next(task.result() for task in reversed(tasks) if task.done())
        return result
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def _shut(ending: asyncio.Event, wording: Framing) -> bytes:
    await ending.wait()
    return wording.interruption(formatted(ServiceUnavailable("server", "This server ends; subscribe again.")))


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _end(ended: asyncio.Future[bytes], wording: Framing, reason: str) -> None:
    if not ended.done():
        ended.set_result(wording.ending([formatted(Unauthenticated(reason))]))


def _unheard(_expires_at: datetime) -> None:
    """Nobody can answer a warning here."""


def _last_event(scope: Scope) -> str | None:
    value = dict(scope["headers"]).get(b"last-event-id", b"").decode("latin-1")
    return value or None


def _known(error: Exception, context: Context) -> FullonError:
    found = as_fullon_error(error, context.request_id)
    if isinstance(found, Internal):
        log.error("stream.failed", request_id=context.request_id, exc_info=error)
    return found
