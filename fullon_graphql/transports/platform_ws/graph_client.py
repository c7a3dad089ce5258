"""The graph as the platform's socket operations use it: with the rights of the connection's caller.

So the operations need no access rules of their own, and share streams with all other subscribers.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import orjson

from fullon_graphql.auth.principal import Principal, reader
from fullon_graphql.context import Context, Worker
from fullon_graphql.engine.operations import GraphQLErrors, OperationExecutor, Request
from fullon_graphql.errors import BadUserInput, shortened
from fullon_graphql.streaming.registry import StreamRegistry

TRANSPORT: Final = "platform_ws"
"""The platform's sockets in metrics."""

Params: TypeAlias = Mapping[str, Any]
Result: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class GraphClient:
    """Runs GraphQL operations for one connection. Errors of the graph are raised as `GraphQLErrors`."""

    operations: OperationExecutor
    streams: StreamRegistry
    context: Context

    @property
    def worker(self) -> Worker:
        """The worker that serves the connection."""
        return self.context.worker

    @property
    def principal(self) -> Principal:
        """The caller.

        Raises:
            Forbidden: the credential does not allow reading.
        """
        return reader(self.context.caller)

    async def data(self, query: str, **variables: Any) -> Any:
        """The data of a query."""
        response = await self.operations.run(Request(query, None, variables, is_internal=True), self.context.fork())
        return _data(response.body)

    async def events(self, query: str, **variables: Any) -> AsyncGenerator[Any, None]:
        """The data of each event of a subscription."""
        request = Request(query, None, variables, is_internal=True)
        async with self.streams.subscribe(request, self.context.fork(), transport=TRANSPORT) as frames:
            async for frame in frames:
                yield _data(frame.body)


@dataclass(frozen=True)
class Read:
    """An operation with one answer. `missing` is the platform's code for NOT_FOUND."""

    run: Callable[[GraphClient, Params], Awaitable[Result]]
    missing: str = "CACHE_MISS"


@dataclass(frozen=True)
class Source:
    """Events, and the results that are sent for each of them."""

    events: AsyncGenerator[Any, None]
    results: Callable[[Any], Iterable[Result]]


@dataclass(frozen=True)
class Stream:
    """An operation that streams. `open` checks the parameters; results are sent as messages of the kind `update`."""

    open: Callable[[GraphClient, Params], Awaitable[Sequence[Source]]]
    update: str
    missing: str = "CACHE_MISS"


def on_length_change(result: Callable[[int], Result]) -> Callable[[Sequence[Any]], Iterable[Result]]:
    """The `result` of a list's length, whenever that differs from the one before."""
    length: int | None = None

    def results(values: Sequence[Any]) -> Iterable[Result]:
        nonlocal length
        before, length = length, len(values)
        return [] if before == length else [result(length)]

    return results


def present_params(params: Params, *names: str) -> dict[str, Any]:
    """Those of the parameters that have a value; the graph reports the missing ones."""
    return {name: params[name] for name in names if params.get(name) is not None}


def string_param(params: Params, name: str) -> str:
    """A parameter that must be a non-empty string.

    Raises:
        BadUserInput: it is not.
    """
    value = params.get(name)
    if not isinstance(value, str) or not value:
        raise BadUserInput(f"`{name}` must be a non-empty string, not {shortened(value)}.", field=name)
    return value


def parse_key(value: Any) -> Any:
    """A key given as a number or as its digits; any other value as it is."""
    return int(value) if isinstance(value, str) and value.isascii() and value.isdecimal() else value


def _data(body: bytes) -> Any:
    answer = orjson.loads(body)
    if "errors" in answer:
        raise GraphQLErrors(answer["errors"])
    return answer["data"]
