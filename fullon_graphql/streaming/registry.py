"""Sharing: one source, one execution and one encoding of each event for all who listen to the same.

The same is: the same document and operation, the same values of its variables, and the same audience (everybody where
nothing depends on the caller, else one account with the same rights). A group begins with its first listener and ends
with its last. Who goes on after a cursor catches up alone, and then shares.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Hashable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from typing import Any

from graphql import GraphQLError

from fullon_graphql.auth.principal import Principal, signed_in
from fullon_graphql.context import Context
from fullon_graphql.engine.errors import formatted
from fullon_graphql.engine.events import Subscription
from fullon_graphql.engine.operations import GraphQLErrors, OperationExecutor, Request
from fullon_graphql.errors import RateLimited
from fullon_graphql.streaming.broadcast import Frame, SharedStream, TrySend, only_when_asked
from fullon_graphql.streaming.catch_up import CatchUpStream
from fullon_graphql.streaming.sources import SOURCE, Stream


@dataclass(frozen=True)
class StreamRequest:
    """What somebody listens to. `after` is where to go on, of a stream that has cursors; None from now on."""

    subscription: Subscription
    principal: Principal
    after: str | None

    @classmethod
    def of(cls, subscription: Subscription, principal: Principal, after: str | None) -> StreamRequest:
        """What a client wants who has said to go on `after` this cursor, or in its document where."""
        stream, root = _stream(subscription), subscription.shape.root
        said = root.arguments(subscription.variables).get("after")
        return cls(subscription, principal, (after or said) if stream.resumable else None)

    @property
    def stream(self) -> Stream:
        """How it is listened to."""
        return _stream(self.subscription)

    @property
    def arguments(self) -> Mapping[str, Any]:
        """What the source is opened with."""
        given = dict(self.subscription.shape.root.arguments(self.subscription.variables))
        if self.stream.resumable:
            given.pop("after", None)
        return given if self.after is None else given | {"after": self.after}

    def identity(self) -> Hashable:
        """What those have in common who share a group."""
        if self.after is not None:
            return object()  # goes on where this one listener has stopped
        wanted, shape = self.subscription, self.subscription.shape
        audience = () if shape.for_everybody else (self.principal.uid, self.principal.is_admin, self.principal.scopes)
        name = wanted.operation.name.value if wanted.operation.name else None
        variables = {key: value for key, value in wanted.variables.coerced.items() if key != self._resuming_variable}
        return wanted.document, name, _frozen(variables), audience

    @property
    def from_now_on(self) -> StreamRequest | None:
        """The same without a past; None where the cursor is part of what is asked."""
        written = any(argument.name.value == "after" for argument in self.subscription.shape.root.node.arguments or ())
        return None if written and not self._resuming_variable else replace(self, after=None)

    @property
    def _resuming_variable(self) -> str | None:
        """The variable that says where to go on, and nothing else."""
        return self.subscription.shape.root_variables.get("after") if self.stream.resumable else None


class StreamRegistry:
    """What is listened to in this process, whatever the transport."""

    def __init__(self, operations: OperationExecutor) -> None:
        self._operations = operations
        self._groups: dict[Hashable, SharedStream] = {}
        self._per_user: Counter[int] = Counter()
        self._listeners = 0

    @asynccontextmanager
    async def listen(
        self, request: Request, context: Context, after: str | None = None, hand: TrySend = only_when_asked
    ) -> AsyncIterator[AsyncIterator[Frame]]:
        """The frames of the subscription that `request` asks for (`Operations.is_subscription` tells), for one block.

        `after` is the cursor to go on from, whatever the document says; a stream without cursors does without it.
        `hand` gets the frames that come while the next one is waited for, as far as it takes them.

        Raises:
            GraphQLErrors: the caller may not, or the subscription or its arguments are no good. Iterating raises it as
                well, where the stream has come to its end with an error.
        """
        try:
            principal = signed_in(context.caller)
            wanted = StreamRequest.of(self._operations.subscription(request, context), principal, after)
            self._check(principal, context)
            group = self._group(wanted, context)
        except GraphQLErrors:
            raise
        except Exception as error:
            found = error if isinstance(error, GraphQLError) else GraphQLError(str(error), original_error=error)
            raise GraphQLErrors(formatted([found], context.request_id, before_execution=False)) from error
        common, order = wanted.from_now_on, wanted.stream.order
        with self._counted(principal):
            if wanted.after is not None and common and order:
                resumed = CatchUpStream(group, lambda: self._group(common, context), order, wanted.after, hand)
                async with resumed.joined() as frames:
                    yield frames
            else:
                async with group.joined(hand) as listener:
                    yield listener

    def _group(self, wanted: StreamRequest, context: Context) -> SharedStream:
        key = wanted.identity()
        found = self._groups.get(key)
        if found is None:
            stream, arguments, own = wanted.stream, wanted.arguments, context.fork()
            open_ = lambda: stream.open(own, **arguments)  # noqa: E731  # two names for one expression
            found = self._groups[key] = SharedStream(wanted.subscription, stream, open_, own, lambda: self._forget(key))
        return found

    def _forget(self, key: Hashable) -> None:
        del self._groups[key]
        self._show()

    def _check(self, principal: Principal, context: Context) -> None:
        limit = context.worker.settings.subscriptions_per_user
        if self._per_user[principal.uid] >= limit:
            raise RateLimited(f"You listen to {limit} subscriptions, as many as you may; end some.", retry_after=1)

    @contextmanager
    def _counted(self, principal: Principal) -> Iterator[None]:
        self._per_user[principal.uid] += 1
        self._listeners += 1
        self._show()
        try:
            yield
        finally:
            self._per_user[principal.uid] -= 1
            self._listeners -= 1
            self._show()

    def _show(self) -> None:
        """Tell the metrics who shares what."""
        metrics, groups = self._operations.metrics, len(self._groups)
        metrics.streams.set(groups)
        metrics.stream_listeners.set(self._listeners)
        metrics.stream_sharing_ratio.set(self._listeners / groups if groups else 0)


def _stream(subscription: Subscription) -> Stream:
    stream: Stream = subscription.shape.root.declared.metadata[SOURCE]
    return stream


def _frozen(value: Any) -> Hashable:
    """A value of a variable as part of a key; one that cannot be compared is like no other."""
    match value:
        case dict():
            return tuple((name, _frozen(one)) for name, one in sorted(value.items()))
        case list():
            return tuple(map(_frozen, value))
        case Hashable():
            return type(value), value
        case _:
            return object()
