"""What the functions behind the plain protocols ask with: the graph, in the name of who is connected.

So nothing here decides who may see what, and streams are shared with everybody who listens to the same.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import orjson

from fullon_graphql.auth.principal import Principal, signed_in
from fullon_graphql.context import Context, Worker
from fullon_graphql.engine.operations import GraphQLErrors, OperationExecutor, Request
from fullon_graphql.errors import BadUserInput
from fullon_graphql.streaming.registry import StreamRegistry

Params: TypeAlias = Mapping[str, Any]
Result: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class GraphClient:
    """Runs operations for one connection. Errors are `GraphQLErrors`, as the graph told them."""

    operations: OperationExecutor
    streams: StreamRegistry
    context: Context

    @property
    def worker(self) -> Worker:
        """What lives as long as the process."""
        return self.context.worker

    @property
    def principal(self) -> Principal:
        """Who asks.

        Raises:
            Forbidden: the credential may not read.
        """
        return signed_in(self.context.caller)

    async def data(self, query: str, **variables: Any) -> Any:
        """The data of a query that succeeds."""
        response = await self.operations.run(Request(query, None, variables), self.context.fork())
        return _data(response.body)

    async def events(self, query: str, **variables: Any) -> AsyncGenerator[Any, None]:
        """The data of each event of a subscription."""
        async with self.streams.listen(Request(query, None, variables), self.context.fork()) as frames:
            async for frame in frames:
                yield _data(frame.body)


@dataclass(frozen=True)
class Read:
    """An operation with one answer. `missing` is the platform's code where there is nothing to answer with."""

    run: Callable[[GraphClient, Params], Awaitable[Result]]
    missing: str = "CACHE_MISS"


@dataclass(frozen=True)
class Source:
    """Events, and what is to be said of each."""

    events: AsyncGenerator[Any, None]
    worded: Callable[[Any], Iterable[Result]]


@dataclass(frozen=True)
class Stream:
    """An operation that goes on: `open` refuses what cannot be, and gives what is then told in `update`s."""

    open: Callable[[GraphClient, Params], Awaitable[Sequence[Source]]]
    update: str
    missing: str = "CACHE_MISS"


def when_changed(worded: Callable[[int], Result]) -> Callable[[Sequence[Any]], Iterable[Result]]:
    """Tells how long a list is, whenever that is not what it was."""
    known: int | None = None

    def told(values: Sequence[Any]) -> Iterable[Result]:
        nonlocal known
        before, known = known, len(values)
        return [] if before == known else [worded(known)]

    return told


def given(params: Params, *names: str) -> dict[str, Any]:
    """Those of the parameters that are there: the graph says what is wrong with the others."""
    return {name: params[name] for name in names if params.get(name) is not None}


def text(params: Params, name: str) -> str:
    """A parameter that must be a text.

    Raises:
        BadUserInput: it is none, or not there.
    """
    value = params.get(name)
    if not isinstance(value, str) or not value:
        raise BadUserInput(f"`{name}` must be a text; {value!r} came.", field=name)
    return value


def key(value: Any) -> Any:
    """A key that came as a number or as its digits."""
    return int(value) if isinstance(value, str) and value.isascii() and value.isdecimal() else value


def _data(body: bytes) -> Any:
    answer = orjson.loads(body)
    if "errors" in answer:
        raise GraphQLErrors(answer["errors"])
    return answer["data"]
