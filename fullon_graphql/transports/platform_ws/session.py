"""One connection that speaks a plain protocol: who it is, what it asks for, what it listens to."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from time import perf_counter
from typing import Any, Final

import orjson
from starlette.types import Receive, Send

from fullon_graphql.auth.credentials import Credential, credential_in_payload
from fullon_graphql.auth.principal import Anonymous
from fullon_graphql.engine.operations import GraphQLErrors
from fullon_graphql.errors import FullonError, RateLimited
from fullon_graphql.streaming.connections import Connection, ConnectionRegistry
from fullon_graphql.transports.platform_ws.graph_client import GraphClient, Result, Source, Stream
from fullon_graphql.transports.platform_ws.protocol import (
    UNSUBSCRIBE,
    InvalidRequest,
    PlatformProtocol,
    PlatformRequest,
)
from fullon_graphql.transports.websocket_session import POLICY, TRY_AGAIN, ClientGone, WebSocketSession

MISSING_TOKEN: Final = "Missing authentication token"  # noqa: S105  # a sentence
INVALID_TOKEN: Final = "Invalid authentication token"  # noqa: S105  # a sentence
NOT_CHECKED: Final = "Authentication error"
"""The platform's reasons for closing with 1008."""


class PlatformSession(WebSocketSession):
    """Answers one message after the other; what goes on is a task of its own."""

    def __init__(
        self,
        protocol: PlatformProtocol,
        asking: GraphClient,
        presences: ConnectionRegistry,
        credential: Credential,
        receive: Receive,
        send: Send,
    ) -> None:
        super().__init__(asking.context, presences, receive, send)
        self._protocol = protocol
        self._asking = asking
        self._credential = credential
        self._running: dict[str, asyncio.Task[None]] = {}

    # ---------------------------------------------------------------- who it is

    async def _converse(self) -> None:
        if self._credential:
            await self._sign_in(self._credential)
        await super()._converse()

    def _check_greeted(self) -> None:
        if self._presence is None:
            self._close(POLICY, MISSING_TOKEN)

    async def _hear(self, text: str | None) -> None:
        message = _object(text)
        token = message and message.get("token")
        if isinstance(token, str):
            await self._take(token)
            if message is None or message.keys() == {"token"}:
                return
        if self._presence is None:
            self._close(POLICY, MISSING_TOKEN)
        else:
            await self._attend(message)

    async def _take(self, token: str) -> None:
        """Sign in with a token, or go on with a fresh one."""
        credential = credential_in_payload({"authorization": token})
        if self._presence is None:
            await self._sign_in(credential)
            return
        try:
            worker = self._context.worker
            self._context.caller = await self._presences.renew(worker, self._presence, credential)
        except Exception as error:
            await self._send(self._refusal(None, error))

    async def _sign_in(self, credential: Credential) -> None:
        try:
            caller = await self._context.worker.authenticator.identify(credential, fresh=True)
            if isinstance(caller, Anonymous):
                self._close(POLICY, INVALID_TOKEN)
                return
            self._greeted(Connection(credential, caller, lambda _: None, lambda reason: self._close(POLICY, reason)))
        except RateLimited as error:
            self._close(TRY_AGAIN, f"{error.code}: {error.message}")
        except Exception as error:
            self._known(error)
            self._close(POLICY, NOT_CHECKED)

    # ---------------------------------------------------------------- what it asks for

    async def _attend(self, message: Result | None) -> None:
        asked: PlatformRequest | None = None
        try:
            if message is None:
                raise InvalidRequest("MALFORMED_MESSAGE", "Invalid JSON format")
            asked = self._protocol.asked(message)
            await self._do(asked)
        except ClientGone:
            raise
        except Exception as error:
            await self._send(self._refusal(asked, error))

    async def _do(self, asked: PlatformRequest) -> None:
        started, protocol = perf_counter(), self._protocol
        if asked.name == UNSUBSCRIBE:
            await self._stop_stream(asked)
        elif read := protocol.reads.get(asked.name):
            result = await read.run(self._asking, asked.params)
            await self._send(protocol.answer(asked, result, 1000 * (perf_counter() - started)))
        elif stream := protocol.streams.get(asked.name):
            await self._start_stream(asked, stream)
        else:
            raise InvalidRequest("INVALID_OPERATION", f"Operation '{asked.name}' is not known here.")

    async def _start_stream(self, asked: PlatformRequest, stream: Stream) -> None:
        limit = self._settings.subscriptions_per_socket
        if asked.key in self._running:
            raise InvalidRequest("INVALID_PARAMS", "A stream of this name is running already.")
        if len(self._running) >= limit:
            raise RateLimited(f"This socket runs {limit} streams, as many as it may.", retry_after=1)
        sources = await stream.open(self._asking, asked.params)
        await self._send(self._protocol.started(asked))
        self._running[asked.key] = self._start(self._run(asked, stream, sources))

    async def _stop_stream(self, asked: PlatformRequest) -> None:
        task = self._running.pop(asked.key, None)
        if task is None:
            raise InvalidRequest("INVALID_PARAMS", "No stream of this name is running.")
        task.cancel()
        await self._send(self._protocol.stopped(asked))

    # ---------------------------------------------------------------- what it listens to

    async def _run(self, asked: PlatformRequest, stream: Stream, sources: Sequence[Source]) -> None:
        """Tell what each of the sources says, until one fails or all have ended."""
        self._goes_on()
        try:
            async with asyncio.TaskGroup() as group:
                for source in sources:
                    group.create_task(self._relay(asked, stream, source))
        except ExceptionGroup as failed:
            error = failed.exceptions[0]
            if isinstance(error, ClientGone):
                return
            if self._running.get(asked.key) is asyncio.current_task():
                del self._running[asked.key]
            await self._tell(self._refusal(asked, error))

    async def _relay(self, asked: PlatformRequest, stream: Stream, source: Source) -> None:
        async with aclosing(source.events) as events:
            async for event in events:
                for result in source.worded(event):
                    await self._send(self._protocol.update(asked, stream.update, result))

    def _refusal(self, asked: PlatformRequest | None, error: Exception) -> Result:
        match error:
            case InvalidRequest():
                return self._protocol.refusal(asked, error.code, str(error))
            case GraphQLErrors():
                first = error.errors[0]
                code, message = first.get("extensions", {}).get("code", "INTERNAL"), first["message"]
            case _:
                known: FullonError = self._known(error)
                code, message = known.code, known.message
        return self._protocol.refusal(asked, self._protocol.code(code, asked), message)


def _object(text: str | None) -> dict[str, Any] | None:
    """The JSON object in a message; None where it is none."""
    try:
        found = orjson.loads(text or "")
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None
