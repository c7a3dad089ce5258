"""A graph whose subscriptions have scripted sources, with the number of their executions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import orjson
import strawberry

from fullon_graphql.auth.principal import Caller
from fullon_graphql.context import Context, Info, Worker
from fullon_graphql.engine.audience import same_for_everybody
from fullon_graphql.engine.operations import OperationExecutor, Request
from fullon_graphql.errors import BadUserInput
from fullon_graphql.streaming.backlog import Backlog, Frame, FrameMemory
from fullon_graphql.streaming.registry import StreamRegistry
from fullon_graphql.streaming.sources import streamed


@same_for_everybody
@strawberry.type
class Ticker:
    """A type whose objects do not depend on the caller."""

    number: int
    of: str = ""
    at: strawberry.Private[float | None] = None


gates: list[asyncio.Event] = []
"""Events that the field `slowly` waits for."""
outages: list[Exception] = []
"""The errors of the store that the field `stored` reads; the first is raised."""


@strawberry.type
class Private:
    number: int

    @strawberry.field
    async def slowly(self) -> bool:
        return all([await gate.wait() for gate in gates])

    @strawberry.field
    def stored(self) -> int | None:
        for outage in outages:
            raise outage
        return self.number

    @strawberry.field
    def caller(self, info: Info) -> str:
        return info.context.caller.mail  # type: ignore[union-attr]  # the subscription requires a principal


@dataclass
class ScriptedSource:
    """A source of the events that a test puts into `queue`."""

    queue: asyncio.Queue[Any] = field(default_factory=asyncio.Queue)
    known: list[Any] = field(default_factory=list)
    stateful: bool = True
    closed: bool = False
    caught_up: bool = False
    after: str | None = None

    async def events(self) -> AsyncGenerator[Any, None]:
        try:
            while True:
                event = await self.queue.get()
                if event is None:
                    return
                if isinstance(event, Exception):
                    raise event
                self.known = [event] if self.stateful else []
                yield event
        finally:
            self.closed = True

    async def batches(self) -> AsyncGenerator[list[Any], None]:
        async with aclosing(self.events()) as events:
            async for event in events:
                yield event if isinstance(event, list) else [event]

    def snapshot(self) -> list[Any]:
        return self.known


opened: list[ScriptedSource] = []
"""Every source, in the order in which they were opened."""


def _open(_context: Context, tag: str = "") -> ScriptedSource:
    if tag == "bad":
        raise BadUserInput("`tag` is bad.", field="tag")
    opened.append(ScriptedSource(caught_up=True))
    return opened[-1]


def _open_events(_context: Context, after: str | None = None) -> ScriptedSource:
    opened.append(ScriptedSource(stateful=False, after=after, caught_up=after is None))
    return opened[-1]


@strawberry.type
class Subscription:
    shared: Ticker = streamed("A state that is the same for every caller.", _open)
    keyed: Ticker = streamed(
        "States of several things, the same for every caller.",
        _open,
        key=lambda ticker: ticker.of,
        time=lambda ticker: ticker.at,
    )
    own: Private = streamed("A state that depends on the caller.", _open)
    bars: Ticker = streamed(
        "Events that are states of several things.",
        _open,
        cursor=lambda ticker: ticker.of,
        order=str,
        key=lambda ticker: ticker.of,
    )
    happened: Private = streamed(
        "Events.",
        _open_events,
        cursor=lambda private: f"c{private.number}",
        order=lambda cursor: int(cursor.removeprefix("c")),
    )


@strawberry.type
class Query:
    nothing: int = 0


SCHEMA = strawberry.Schema(query=Query, subscription=Subscription)._schema


@dataclass
class Driver:
    """Subscribes to the scripted sources, and reads the metrics."""

    worker: Worker
    operations: OperationExecutor
    streams: StreamRegistry

    @classmethod
    def over(cls, worker: Worker) -> Driver:
        operations = OperationExecutor(SCHEMA)
        opened.clear()
        gates.clear()
        return cls(worker, operations, StreamRegistry(operations, worker.settings.stream_memory_bytes))

    def subscribe(self, caller: Caller, query: str, name: str | None = None, **variables: Any) -> Any:
        return self.streams.subscribe(*self.request(caller, query, name, **variables))

    def request(self, caller: Caller, query: str, name: str | None = None, **variables: Any) -> tuple[Request, Context]:
        return Request(query, name, variables), Context(self.worker, caller=caller)

    def count(self, name: str) -> int:
        """The sum of one of the metrics over its labels."""
        lines = self.operations.metrics.text().decode().splitlines()
        return sum(int(float(line.split()[-1])) for line in lines if line.startswith(f"fullon_graphql_{name}"))


async def number(subscriber: Any) -> int:
    """The number in the next frame."""
    async with asyncio.timeout(20):
        return numbered(await anext(subscriber))


def numbered(frame: Frame) -> int:
    answer = orjson.loads(frame.body)
    assert "errors" not in answer, answer
    [value] = answer["data"].values()
    return int(value["number"])


async def deliver(source: ScriptedSource, *events: Any) -> None:
    """Let the source yield events one by one, and wait until subscribers have received them or the source is closed."""
    for event in events:
        source.queue.put_nowait(event)
    while not (source.queue.empty() or source.closed):
        await asyncio.sleep(0)
    for _ in range(20):  # turns of the loop that execution and delivery take without any store
        await asyncio.sleep(0)


def backlog(frames: int) -> Backlog:
    """A backlog that is not limited in bytes."""
    return Backlog(FrameMemory(2**40, lambda _: None), frames, 2**40)
