"""Whoever goes on after a cursor: alone at first, then with all others, and nothing is missing or twice on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fullon_graphql.engine.operations import GraphQLErrors
from fullon_graphql.streaming.broadcast import AlreadySeen, Frame, SharedStream, Subscriber, TrySend
from fullon_graphql.streaming.catch_up import CatchUpStream
from tests.fixtures.graph import GraphClient, principal
from tests.fixtures.rows import TRADER
from tests.streaming.driven import Driver, Private, number, opened, taken

ONE = principal(TRADER)
EVENTS = "subscription ($after: String) { happened(after: $after) { number } }"


@pytest.fixture
def driver(graph: GraphClient) -> Driver:
    return Driver.over(graph.worker)


async def heard(frames: Any, *sources: Any, event: int) -> int:
    """What is heard once these sources have told of an event."""
    reading = asyncio.create_task(number(frames))
    for _ in range(20):  # in which it may go over to another source
        await asyncio.sleep(0)
    for source in sources:
        await taken(source, Private(number=event))
    return await reading


async def test_who_has_caught_up_shares_with_all_who_listen_to_the_same(driver: Driver) -> None:
    async with driver.listen(ONE, EVENTS) as other, driver.listen(ONE, EVENTS, after="c0") as resumed:
        common, own = opened
        await taken(own, Private(number=1), Private(number=2))
        assert [await number(resumed), await number(resumed)] == [1, 2]
        own.is_up_to_date = True
        assert [await heard(resumed, own, common, event=event) for event in (3, 4, 5)] == [3, 4, 5]
        assert own.closed
        assert driver.count("streams ") == 1
        executed = driver.count("events_total")
        assert await heard(resumed, common, event=6) == 6
        assert driver.count("events_total") == executed + 1
        assert [await number(other) for _ in range(4)] == [3, 4, 5, 6]
    assert common.closed


async def test_the_past_is_told_at_the_pace_of_who_reads_it(driver: Driver) -> None:
    missed = 3 * driver.worker.settings.stream_backlog
    async with driver.listen(ONE, EVENTS, after="c0") as resumed:
        opened[0].said.put_nowait([Private(number=event) for event in range(1, missed + 1)])
        for _ in range(missed):  # in which all of it could have been told, and most of it lost
            await asyncio.sleep(0)
        assert [await number(resumed) for _ in range(missed)] == list(range(1, missed + 1))


async def test_who_comes_back_after_a_restart_shares_although_nobody_else_is_there(driver: Driver) -> None:
    async with driver.listen(ONE, EVENTS, after="c1") as one, driver.listen(ONE, EVENTS, after="c2") as two:
        for own in opened[:2]:
            own.is_up_to_date = True
        for event in (3, 4, 5):
            both = await asyncio.gather(heard(one, event=event), heard(two, *opened, event=event))
            assert list(both) == [event, event]
        assert [source.closed for source in opened] == [True, True, False]


@pytest.mark.parametrize(
    "query",
    [
        'subscription { happened(after: "c0") { number } }',
        "subscription ($after: String!) { happened(after: $after) { number ... @include(if: true) { number } } }",
        "subscription ($after: String) { one: happened(after: $after) { number } one: happened(after: $after) { number } }",
    ],
    ids=["written into the document", "required", "written twice"],
)
async def test_a_cursor_that_is_part_of_what_is_asked_keeps_its_listener_alone(driver: Driver, query: str) -> None:
    variables = {"after": "c0"} if "$after" in query else {}
    async with driver.listen(ONE, query, **variables) as resumed:
        opened[0].is_up_to_date = True
        for event in (1, 2, 3):
            assert await heard(resumed, *opened, event=event) == event
        assert len(opened) == 2 if "String!" in query else len(opened) == 1


async def test_the_last_event_id_of_a_browser_counts_more_than_a_variable(driver: Driver) -> None:
    request, context = driver.asked(ONE, EVENTS, after="c0")
    async with driver.streams.listen(request, context, "c7"):
        assert opened[0].after == "c7"


# ---------------------------------------------------------------- the law


@dataclass
class Told:
    """A group that tells of events when it is told to, from the one after `number` on."""

    number: int = 0
    limit: int = 1000
    is_up_to_date: bool = False
    resumable: bool = True
    listeners: list[Subscriber] = field(default_factory=list)

    def state(self) -> None:
        """Nothing."""

    def rendered(self, error: Any) -> Any:
        """What clients are told."""
        return [error]

    @asynccontextmanager
    async def joined(self, hand: TrySend, knows: AlreadySeen | None = None) -> AsyncIterator[Subscriber]:
        """As a group's."""
        self.listeners.append(Subscriber(cast("SharedStream", self), self.limit, hand, knows))
        yield self.listeners[-1]
        self.listeners.pop()

    def tell(self, upto: int) -> None:
        """The next event, as far as it has happened."""
        if self.number < upto:
            self.number += 1
            for listener in self.listeners:
                listener.put(self.number, self.number, Frame(b"", str(self.number)))


@dataclass
class Client:
    """Follows events whatever happens: where it lags behind, it goes on after the cursor that it is told."""

    after: int
    common: Told
    limit: int
    has_room: bool = True
    heard: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.own = Told(self.after, self.limit)

    def hand(self, frame: Frame) -> bool:
        if self.has_room:
            self.heard.append(int(frame.cursor or 0))
        return self.has_room

    async def run(self) -> None:
        while True:
            own = cast("SharedStream", self.own)
            after = str(self.own.number)
            resumed = CatchUpStream(own, lambda: cast("SharedStream", self.common), int, after, self.hand)
            try:
                async with resumed.joined() as frames:
                    async for frame in frames:
                        await asyncio.sleep(0)  # sending takes a turn of the loop
                        self.heard.append(int(frame.cursor or 0))
            except GraphQLErrors as lagged:
                self.own = Told(int(cast("Any", lagged.errors[0]).cursor), self.limit)


Steps = st.lists(st.sampled_from(["happen", "own", "common", "read", "room", "up to date"]), max_size=60)


@given(st.integers(0, 5), st.integers(0, 5), st.sampled_from([1, 2, 3, 1000]), Steps)
@example(2, 0, 1000, ["happen", "up to date", "own", "read", "common", "common", "common", "happen", "own", "read"])
@example(
    0, 0, 1, ["up to date", "happen", "own", "read", *["happen"] * 3, "own", "common", "common", "read", "own", "read"]
)
@example(1, 0, 1, ["happen", "up to date", "read", "common"])  # the common stream is behind the cursor, and overflows
def test_every_event_comes_once_and_in_order_whichever_group_is_ahead(
    after: int, ahead: int, limit: int, steps: list[str]
) -> None:
    asyncio.run(follow(after, ahead, limit, steps))


async def follow(after: int, ahead: int, limit: int, steps: Sequence[str]) -> None:
    """Take such steps, then let all that has happened be told, and compare."""
    happened, common = max(after, ahead), Told(ahead, limit)
    client = Client(after, common, limit)
    running = asyncio.create_task(client.run())
    for step in [*steps, *["up to date", "own", "common", "read"] * (2 * len(steps) + 20)]:
        match step:
            case "happen":
                happened += 1
            case "own" if client.own.listeners:  # it begins with its listener
                client.own.tell(happened)
            case "common":
                common.tell(happened)
            case "read":
                for _ in range(5):
                    await asyncio.sleep(0)
            case "room":
                client.has_room = not client.has_room
            case "up to date":
                client.own.is_up_to_date = client.own.number >= max(after, ahead)
    running.cancel()
    await asyncio.wait([running])
    assert client.heard == list(range(after + 1, happened + 1))
