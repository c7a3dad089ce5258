"""Sharing: one source, one execution and one encoding of each event for all who listen to the same.

The same is: the same document and operation, the same values of its variables, and the same audience (everybody where
nothing depends on the caller, else one account with the same rights). A group begins with its first listener and ends
with its last.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Hashable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from graphql import GraphQLError

from fullon_graphql.auth.principal import Principal, signed_in
from fullon_graphql.context import Context
from fullon_graphql.engine.events import Subscription
from fullon_graphql.engine.operations import GraphQLErrors, Operations, Request
from fullon_graphql.engine.rendering import formatted
from fullon_graphql.errors import RateLimited
from fullon_graphql.subscriptions.groups import Group, Hand, Listener, only_when_asked
from fullon_graphql.subscriptions.sources import SOURCE, Stream


class Streams:
    """What is listened to in this process, whatever the transport."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations
        self._groups: dict[Hashable, Group] = {}
        self._per_user: Counter[int] = Counter()

    @asynccontextmanager
    async def listen(
        self, request: Request, context: Context, after: str | None = None, hand: Hand = only_when_asked
    ) -> AsyncIterator[Listener]:
        """A listener to the subscription that `request` asks for (`Operations.is_subscription` tells), for one block.

        `after` is the cursor to go on from, whatever the document says; a stream without cursors does without it.
        `hand` gets the frames that come while the listener is waited for, as far as it takes them.

        Raises:
            GraphQLErrors: the caller may not, or the subscription or its arguments are no good.
        """
        try:
            principal = signed_in(context.caller)
            subscription = self._operations.subscription(request, context)
            group = self._group(subscription, principal, context, after)
        except GraphQLErrors:
            raise
        except Exception as error:
            found = error if isinstance(error, GraphQLError) else GraphQLError(str(error), original_error=error)
            raise GraphQLErrors(formatted([found], context.request_id, before_execution=False)) from error
        async with group.joined(hand) as listener:
            with self._counted(principal):
                yield listener

    def _group(self, subscription: Subscription, principal: Principal, context: Context, after: str | None) -> Group:
        self._check(principal, context)
        root = subscription.shape.root
        stream: Stream = root.declared.metadata[SOURCE]
        arguments = root.arguments(subscription.variables)
        if stream.resumable and after is not None:
            arguments = {**arguments, "after": after}
        key = _identity(subscription, stream, arguments, principal)
        found = self._groups.get(key)
        if found is None:
            own = context.fork()
            open_ = lambda: stream.open(own, **arguments)  # noqa: E731  # two names for one expression
            found = self._groups[key] = Group(subscription, stream, open_, own, lambda: self._forget(key))
            self._operations.metrics.streams.set(len(self._groups))
        return found

    def _forget(self, key: Hashable) -> None:
        del self._groups[key]
        self._operations.metrics.streams.set(len(self._groups))

    def _check(self, principal: Principal, context: Context) -> None:
        limit = context.process.settings.subscriptions_per_user
        if self._per_user[principal.uid] >= limit:
            raise RateLimited(f"You listen to {limit} subscriptions, as many as you may; end some.", retry_after=1)

    @contextmanager
    def _counted(self, principal: Principal) -> Iterator[None]:
        self._per_user[principal.uid] += 1
        with self._operations.metrics.stream_listeners.track_inprogress():
            try:
                yield
            finally:
                self._per_user[principal.uid] -= 1


def _identity(
    subscription: Subscription, stream: Stream, arguments: Mapping[str, Any], principal: Principal
) -> Hashable:
    """What those have in common who share a group."""
    if stream.resumable and arguments.get("after") is not None:
        return object()  # goes on where this one listener has stopped
    audience = () if subscription.shape.for_everybody else (principal.uid, principal.is_admin, principal.scopes)
    name = subscription.operation.name.value if subscription.operation.name else None
    return subscription.document, name, _frozen(subscription.variables.coerced), audience


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
