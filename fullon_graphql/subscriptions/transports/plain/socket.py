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
from fullon_graphql.subscriptions.presence import Presence, Presences
from fullon_graphql.subscriptions.transports.line import POLICY, TRY_AGAIN, Gone, Line
from fullon_graphql.subscriptions.transports.plain.asking import Asking, Result, Source, Stream
from fullon_graphql.subscriptions.transports.plain.manners import UNSUBSCRIBE, Asked, Manner, Misunderstood

MISSING_TOKEN: Final = "Missing authentication token"  # noqa: S105  # a sentence
INVALID_TOKEN: Final = "Invalid authentication token"  # noqa: S105  # a sentence
NOT_CHECKED: Final = "Authentication error"
"""The platform's reasons for closing with 1008."""


class PlainSocket(Line):
    """Answers one message after the other; what goes on is a task of its own."""

    def __init__(
        self,
        manner: Manner,
        asking: Asking,
        presences: Presences,
        credential: Credential,
        receive: Receive,
        send: Send,
    ) -> None:
        super().__init__(asking.context, presences, receive, send)
        self._manner = manner
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
            process = self._context.process
            self._context.caller = await self._presences.renew(process, self._presence, credential)
        except Exception as error:
            await self._send(self._refusal(None, error))

    async def _sign_in(self, credential: Credential) -> None:
        try:
            caller = await self._context.process.identities.identify(credential, anew=True)
            if isinstance(caller, Anonymous):
                self._close(POLICY, INVALID_TOKEN)
                return
            self._greeted(Presence(credential, caller, lambda _: None, lambda reason: self._close(POLICY, reason)))
        except RateLimited as error:
            self._close(TRY_AGAIN, f"{error.code}: {error.message}")
        except Exception as error:
            self._known(error)
            self._close(POLICY, NOT_CHECKED)

    # ---------------------------------------------------------------- what it asks for

    async def _attend(self, message: Result | None) -> None:
        asked: Asked | None = None
        try:
            if message is None:
                raise Misunderstood("MALFORMED_MESSAGE", "Invalid JSON format")
            asked = self._manner.asked(message)
            await self._do(asked)
        except Gone:
            raise
        except Exception as error:
            await self._send(self._refusal(asked, error))

    async def _do(self, asked: Asked) -> None:
        started, manner = perf_counter(), self._manner
        if asked.name == UNSUBSCRIBE:
            await self._stop_stream(asked)
        elif read := manner.reads.get(asked.name):
            result = await read.run(self._asking, asked.params)
            await self._send(manner.answer(asked, result, 1000 * (perf_counter() - started)))
        elif stream := manner.streams.get(asked.name):
            await self._start_stream(asked, stream)
        else:
            raise Misunderstood("INVALID_OPERATION", f"Operation '{asked.name}' is not known here.")

    async def _start_stream(self, asked: Asked, stream: Stream) -> None:
        limit = self._settings.subscriptions_per_socket
        if asked.key in self._running:
            raise Misunderstood("INVALID_PARAMS", "A stream of this name is running already.")
        if len(self._running) >= limit:
            raise RateLimited(f"This socket runs {limit} streams, as many as it may.", retry_after=1)
        sources = await stream.open(self._asking, asked.params)
        await self._send(self._manner.started(asked))
        self._running[asked.key] = self._start(self._run(asked, stream, sources))

    async def _stop_stream(self, asked: Asked) -> None:
        task = self._running.pop(asked.key, None)
        if task is None:
            raise Misunderstood("INVALID_PARAMS", "No stream of this name is running.")
        task.cancel()
        await self._send(self._manner.stopped(asked))

    # ---------------------------------------------------------------- what it listens to

    async def _run(self, asked: Asked, stream: Stream, sources: Sequence[Source]) -> None:
        """Tell what each of the sources says, until one fails or all have ended."""
        self._goes_on()
        try:
            async with asyncio.TaskGroup() as group:
                for source in sources:
                    group.create_task(self._relay(asked, stream, source))
        except ExceptionGroup as failed:
            error = failed.exceptions[0]
            if isinstance(error, Gone):
                return
            if self._running.get(asked.key) is asyncio.current_task():
                del self._running[asked.key]
            await self._tell(self._refusal(asked, error))

    async def _relay(self, asked: Asked, stream: Stream, source: Source) -> None:
        async with aclosing(source.events) as events:
            async for event in events:
                for result in source.worded(event):
                    await self._send(self._manner.update(asked, stream.update, result))

    def _refusal(self, asked: Asked | None, error: Exception) -> Result:
        match error:
            case Misunderstood():
                return self._manner.refusal(asked, error.code, str(error))
            case GraphQLErrors():
                first = error.errors[0]
                code, message = first.get("extensions", {}).get("code", "INTERNAL"), first["message"]
            case _:
                known: FullonError = self._known(error)
                code, message = known.code, known.message
        return self._manner.refusal(asked, self._manner.code(code, asked), message)


def _object(text: str | None) -> dict[str, Any] | None:
    """The JSON object in a message; None where it is none."""
    try:
        found = orjson.loads(text or "")
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None
