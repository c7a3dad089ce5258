"""Sharing: one source, one execution and one encoding of each event for all equal subscriptions of a worker.

Subscriptions are equal if they have the same document, operation and variables and the same audience: all callers if
nothing selected depends on the caller, else one account with the same rights. A stream opens with its first subscriber
and closes with its last. A subscriber that resumes after a cursor catches up on its own, and shares from then on. A
subscriber of a paced stream never shares it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Hashable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

from graphql import GraphQLError

from fullon_graphql.auth.principal import Principal, reader
from fullon_graphql.context import Context
from fullon_graphql.engine.errors import formatted
from fullon_graphql.engine.events import Subscription
from fullon_graphql.engine.operations import SPAN, GraphQLErrors, OperationExecutor, Request
from fullon_graphql.errors import Lagged, RateLimited
from fullon_graphql.observability.metrics import count_limit
from fullon_graphql.streaming.backlog import Frame, FrameMemory
from fullon_graphql.streaming.broadcast import SharedStream, Subscriber, TrySend, never_send
from fullon_graphql.streaming.budget import CostBudget, cost_per_second
from fullon_graphql.streaming.catch_up import CatchUpStream
from fullon_graphql.streaming.sources import SOURCE, Stream

ENDED_BY_SERVER: Final = "ended by the server"
"""The message of a cancellation that ends a subscription although its client is there: shutdown, or revocation."""

CLOSE_TIMEOUT: Final = 5.0
"""Seconds in which streams must be closed when the worker ends."""

_PAST: Final = ("after", "snapshot")
"""The arguments of an event stream that determine how it begins."""


COMPLETED_BY_CLIENT: Final = "completed by the client"
"""The message of a cancellation that ends a subscription because its client has completed it."""


@dataclass(frozen=True)
class StreamRequest:
    """A subscription of a caller. `after` is the cursor to resume after; None for live events only.

    With `snapshot` the rows come first. It is False with a cursor, which says whether rows are missing.
    """

    subscription: Subscription
    principal: Principal
    after: str | None
    snapshot: bool = False

    @classmethod
    def create(cls, subscription: Subscription, principal: Principal, after: str | None) -> StreamRequest:
        """Resume after the cursor `after` of the transport, else after the one in the subscription's arguments."""
        if not _stream(subscription).resumable:
            return cls(subscription, principal, None)
        after = after or subscription.arguments.get("after")
        return cls(subscription, principal, after, after is None and bool(subscription.arguments.get("snapshot")))

    @property
    def stream(self) -> Stream:
        """How the field is streamed."""
        return _stream(self.subscription)

    @property
    def arguments(self) -> Mapping[str, Any]:
        """The arguments the source is opened with."""
        arguments = dict(self.subscription.arguments)
        if self.stream.resumable:
            for name in _PAST:
                arguments.pop(name, None)
        if self.snapshot:
            return arguments | {"snapshot": True}
        return arguments if self.after is None else arguments | {"after": self.after}

    def identity(self) -> Hashable:
        """Equal for requests that share a stream."""
        if self.has_past or self.stream.paced or self.stream.exclusive:
            return object()  # catches up on its own, has its own pace, or belongs to one connection
        subscription, shape = self.subscription, self.subscription.shape
        principal = self.principal
        shared = shape.for_everybody and principal.reads_everything
        audience = () if shared else (principal.uid, principal.is_admin, principal.scopes)
        name = subscription.operation.name
        variables = {key: value for key, value in subscription.variables.items() if key not in self._past_variables}
        return subscription.document.text, name, _freeze(variables), audience, subscription.cost.is_shown

    @property
    def has_past(self) -> bool:
        """True if rows or earlier events come before live ones."""
        return self.after is not None or self.snapshot

    @property
    def live(self) -> StreamRequest | None:
        """The same request without a past; None if the cursor is a literal in the document."""
        shape = self.subscription.shape
        is_literal = "after" in shape.root.argument_names and "after" not in shape.root_variables
        return None if is_literal else replace(self, after=None, snapshot=False)

    @property
    def _past_variables(self) -> set[str]:
        """The variables that are used only for the past, on which live events do not depend."""
        used = self.subscription.shape.root_variables
        return {used[name] for name in _PAST if name in used} if self.stream.resumable else set()


class StreamRegistry:
    """The streams of a worker, for all transports."""

    def __init__(self, operations: OperationExecutor, memory_bytes: int) -> None:
        self._operations = operations
        self._memory = FrameMemory(memory_bytes, operations.metrics.stream_backlog_bytes.set)
        self._streams: dict[Hashable, SharedStream] = {}
        self._subscriptions_by_uid: Counter[int] = Counter()
        self._subscriptions = 0
        self._budget = CostBudget(operations.metrics)
        self._closing: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Wait for streams that are being closed at the end of the block, before the stores are."""
        try:
            yield
        finally:
            if self._closing:
                await asyncio.wait(self._closing, timeout=CLOSE_TIMEOUT)

    @asynccontextmanager
    async def subscribe(
        self,
        request: Request,
        context: Context,
        after: str | None = None,
        try_send: TrySend = never_send,
        transport: str = "internal",
    ) -> AsyncIterator[AsyncIterator[Frame]]:
        """The frames of the subscription that `request` asks for, for one block. The arguments are those of `open`.

        Raises:
            GraphQLErrors: as `open` does. Iteration raises it as well, if the stream ends with an error.
        """
        opened = await self.open(request, context, after, try_send, transport)
        try:
            yield opened.frames
        except BaseException as error:
            opened.close(error)
            await opened.closed()
            raise
        opened.close()
        await opened.closed()

    async def open(
        self,
        request: Request,
        context: Context,
        after: str | None = None,
        try_send: TrySend = never_send,
        transport: str = "internal",
    ) -> OpenSubscription:
        """Open the subscription that `request` asks for.

        The caller has checked that it is one (`OperationExecutor.is_subscription`). `after` is the cursor to resume
        after, and overrides the argument; streams without cursors ignore it. Frames that `try_send` accepts while the
        caller waits for the next frame are not among its `frames`. `transport` is its name in metrics.

        Raises:
            GraphQLErrors: the caller has no access, or the document or its arguments are invalid.
        """
        tracer = context.worker.tracer
        span = tracer.begin_subscription(SPAN) if tracer else None
        try:
            opened = await self._opened(request, context, after, try_send, transport)
        except BaseException as error:
            if span:
                span.is_error = isinstance(error, GraphQLErrors)  # else it was cancelled
            raise
        finally:
            if tracer and span:
                tracer.end(span)
        return opened

    async def _opened(
        self, request: Request, context: Context, after: str | None, try_send: TrySend, transport: str
    ) -> OpenSubscription:
        try:
            principal = reader(context.caller)
            subscription = await self._operations.subscription(request, context)
            stream_request = StreamRequest.create(subscription, principal, after)
            self._check_limit(principal, context)
            cost = self._reserve(stream_request, context)
            try:
                stream = self._stream_for(stream_request, context)
                frames = self._frames(stream_request, stream, context, try_send)
            except BaseException:
                self._budget.release(principal.uid, context.request_id, cost)
                raise
        except GraphQLErrors:
            raise
        except Exception as error:
            located = error if isinstance(error, GraphQLError) else GraphQLError(str(error), original_error=error)
            raise GraphQLErrors(formatted([located], context.request_id, before_execution=False)) from error
        self._count(principal.uid, 1)
        self._operations.metrics.streams_started.add(transport)
        return OpenSubscription(self, frames, stream, principal.uid, context.request_id, cost, transport)

    def _frames(
        self, request: StreamRequest, stream: SharedStream, context: Context, try_send: TrySend
    ) -> Subscriber | CatchUpStream:
        live, order = request.live, request.stream.order
        if request.has_past and live and order:
            return CatchUpStream(stream, lambda: self._stream_for(live, context), order, request.after, try_send)
        return stream.add(try_send)

    def _end(self, opened: OpenSubscription, error: BaseException | None) -> asyncio.Task[None] | None:
        """End a subscription. Returns the task that closes its stream, if that ends as well."""
        self._operations.metrics.streams_ended.add((opened.transport, _reason(error)))
        self._count(opened.uid, -1)
        self._budget.release(opened.uid, opened.connection, opened.cost)
        if not opened.frames.leave():
            return None
        task = asyncio.create_task(_closed(opened, error), name="closing of a stream")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
        return task

    def _reserve(self, request: StreamRequest, context: Context) -> int:
        """Reserve the cost per second, and return it. Operations of one connection have its request id."""
        subscription = request.subscription
        cost = cost_per_second(
            subscription.cost.charge.estimated, subscription.arguments.get("max_rate"), paced=request.stream.paced
        )
        self._budget.reserve(request.principal.uid, context.request_id, cost, context.worker.settings)
        return cost

    def _stream_for(self, request: StreamRequest, context: Context) -> SharedStream:
        key = request.identity()
        found = self._streams.get(key)
        if found is None:
            stream, arguments, fork = request.stream, request.arguments, context.fork()
            fork.is_fresh = True
            open_ = lambda: stream.open(fork, **arguments)  # noqa: E731  # two names for one expression
            on_close = lambda: self._forget(key)  # noqa: E731  # two names for one expression
            found = self._streams[key] = SharedStream(request.subscription, stream, open_, fork, self._memory, on_close)
        return found

    def _forget(self, key: Hashable) -> None:
        del self._streams[key]
        self._update_metrics()

    def _check_limit(self, principal: Principal, context: Context) -> None:
        limit = context.worker.settings.subscriptions_per_user
        if self._subscriptions_by_uid[principal.uid] >= limit:
            count_limit("SUBSCRIPTIONS_PER_USER")
            raise RateLimited(f"Your account has {limit} subscriptions, the limit; end some.", retry_after=1)

    def _count(self, uid: int, subscriptions: int) -> None:
        self._subscriptions_by_uid[uid] += subscriptions
        self._subscriptions += subscriptions
        if not self._subscriptions_by_uid[uid]:
            del self._subscriptions_by_uid[uid]
        self._update_metrics()

    def _update_metrics(self) -> None:
        metrics, streams = self._operations.metrics, len(self._streams)
        metrics.streams.set(streams)
        metrics.stream_listeners.set(self._subscriptions)
        metrics.stream_sharing_ratio.set(self._subscriptions / streams if streams else 0)


class OpenSubscription:
    """A subscription of one client, until `close`. It has no task of its own: a worker has thousands of them."""

    __slots__ = ("_closing", "_registry", "connection", "cost", "frames", "stream", "transport", "uid")

    def __init__(
        self,
        registry: StreamRegistry,
        frames: Subscriber | CatchUpStream,
        stream: SharedStream,
        uid: int,
        connection: str,
        cost: int,
        transport: str,
    ) -> None:
        self._registry = registry
        self._closing: asyncio.Task[None] | None = None
        self.frames = frames
        self.stream = stream
        self.uid = uid
        self.connection = connection
        """The id of the request that opened its connection."""
        self.cost = cost
        self.transport = transport

    def close(self, error: BaseException | None = None) -> None:
        """End the subscription, because of `error` if there is one."""
        self._closing = self._registry._end(self, error)

    async def closed(self) -> None:
        """Wait until its stream is closed, if that has no other subscriber."""
        if self._closing:
            await asyncio.shield(self._closing)


async def _closed(opened: OpenSubscription, error: BaseException | None) -> None:
    """Wait for the end of a stream. An exclusive one learns whether the client has completed the subscription."""
    await opened.frames.closed()
    if opened.stream.is_exclusive and error and error.args == (COMPLETED_BY_CLIENT,):
        await opened.stream.complete()


def _reason(error: BaseException | None) -> str:
    """Why a subscription has ended, for metrics: an error other than those of streams is the loss of the client."""
    match error:
        case None:
            return "completed"
        case GraphQLErrors():
            codes = {one.get("extensions", {}).get("code") for one in error.errors}
            return "lagged" if Lagged.code in codes else "error"
        case asyncio.CancelledError() if error.args == (ENDED_BY_SERVER,):
            return "server"
        case _:
            return "client"


def _stream(subscription: Subscription) -> Stream:
    stream: Stream = subscription.shape.root.declared.metadata[SOURCE]
    return stream


def _freeze(value: Any) -> Hashable:
    """A variable's value as part of a key; a value that cannot be hashed equals no other."""
    match value:
        case dict():
            return tuple((name, _freeze(item)) for name, item in sorted(value.items()))
        case list():
            return tuple(map(_freeze, value))
        case Hashable():
            return type(value), value
        case _:
            return object()
