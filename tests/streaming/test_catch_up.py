"""Resuming after a cursor: from an own stream first, then from the shared one, each event once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fullon_graphql.engine.operations import GraphQLErrors
from fullon_graphql.streaming.backlog import Frame
from fullon_graphql.streaming.broadcast import AlreadySeen, SharedStream, Subscriber, TrySend
from fullon_graphql.streaming.catch_up import CatchUpStream
from tests.fixtures.graph import GraphClient, principal
from tests.fixtures.rows import TRADER
from tests.streaming.scripted import Driver, Private, backlog, deliver, number, opened

ONE = principal(TRADER)
EVENTS = "subscription ($after: String) { happened(after: $after) { number } }"


@pytest.fixture
def driver(graph: GraphClient) -> Driver:
    return Driver.over(graph.worker)


async def receive_event(frames: Any, *sources: Any, event: int) -> int:
    """The number of the next frame after these sources have yielded an event."""
    reading = asyncio.create_task(number(frames))
    for _ in range(20):  # the subscriber may change its source in these turns
        await asyncio.sleep(0)
    for source in sources:
        await deliver(source, Private(number=event))
    return await reading


async def test_resumed_subscriber_shares_the_stream_once_caught_up(driver: Driver) -> None:
    async with driver.subscribe(ONE, EVENTS) as other, driver.subscribe(ONE, EVENTS, after="c0") as resumed:
        common, own = opened
        await deliver(own, Private(number=1), Private(number=2))
        assert [await number(resumed), await number(resumed)] == [1, 2]
        own.caught_up = True
        assert [await receive_event(resumed, own, common, event=event) for event in (3, 4, 5)] == [3, 4, 5]
        assert own.closed
        assert driver.count("streams ") == 1
        executed = driver.count("events_total")
        assert await receive_event(resumed, common, event=6) == 6
        assert driver.count("events_total") == executed + 1
        assert [await number(other) for _ in range(4)] == [3, 4, 5, 6]
    assert common.closed


async def test_past_events_are_delivered_at_the_pace_of_the_reader(driver: Driver) -> None:
    missed = 3 * driver.worker.settings.stream_backlog
    async with driver.subscribe(ONE, EVENTS, after="c0") as resumed:
        opened[0].queue.put_nowait([Private(number=event) for event in range(1, missed + 1)])
        for _ in range(missed):  # all events could have been published, and most dropped, in these turns
            await asyncio.sleep(0)
        assert [await number(resumed) for _ in range(missed)] == list(range(1, missed + 1))


async def test_resumed_subscribers_share_a_stream_that_none_had_opened(driver: Driver) -> None:
    async with driver.subscribe(ONE, EVENTS, after="c1") as one, driver.subscribe(ONE, EVENTS, after="c2") as two:
        for own in opened[:2]:
            own.caught_up = True
        for event in (3, 4, 5):
            both = await asyncio.gather(receive_event(one, event=event), receive_event(two, *opened, event=event))
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
async def test_subscription_with_a_literal_cursor_is_never_shared(driver: Driver, query: str) -> None:
    variables = {"after": "c0"} if "$after" in query else {}
    async with driver.subscribe(ONE, query, **variables) as resumed:
        opened[0].caught_up = True
        for event in (1, 2, 3):
            assert await receive_event(resumed, *opened, event=event) == event
        assert len(opened) == 2 if "String!" in query else len(opened) == 1


async def test_last_event_id_overrides_the_variable(driver: Driver) -> None:
    request, context = driver.request(ONE, EVENTS, after="c0")
    async with driver.streams.subscribe(request, context, "c7"):
        assert opened[0].after == "c7"


# ---------------------------------------------------------------- any order of steps


@dataclass
class FakeStream:
    """A stream that publishes numbered events on request, starting after `number`."""

    number: int = 0
    limit: int = 1000
    caught_up: bool = False
    resumable: bool = True
    lossless: bool = True
    subscribers: list[Subscriber] = field(default_factory=list)

    def snapshot(self) -> None:
        """Does nothing."""

    def count_overflow(self, *_: Any) -> None:
        """Does nothing."""

    count_skipped = count_delivery = count_overflow

    def format_error(self, error: Any) -> Any:
        """The error as clients receive it."""
        return [error]

    def add(self, try_send: TrySend, already_seen: AlreadySeen | None = None) -> Subscriber:
        """As `SharedStream.add`."""
        self.subscribers.append(Subscriber(cast("SharedStream", self), backlog(self.limit), try_send, already_seen))
        return self.subscribers[-1]

    def remove(self, subscriber: Subscriber) -> bool:
        """As `SharedStream.remove`."""
        self.subscribers.remove(subscriber)
        return False

    async def closed(self) -> None:
        """Does nothing."""

    def publish(self, upto: int) -> None:
        """Publish the next event, if its number is at most `upto`."""
        if self.number < upto:
            self.number += 1
            for subscriber in self.subscribers:
                subscriber.receive(self.number, self.number, Frame(b"", str(self.number)))


@dataclass
class Client:
    """Receives events, and resumes after the cursor of a LAGGED error."""

    after: int
    common: FakeStream
    limit: int
    has_capacity: bool = True
    received: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.own = FakeStream(self.after, self.limit)

    def try_send(self, frame: Frame) -> bool:
        if self.has_capacity:
            self.received.append(int(frame.cursor or 0))
        return self.has_capacity

    async def run(self) -> None:
        while True:
            own = cast("SharedStream", self.own)
            after = str(self.own.number)
            resumed = CatchUpStream(own, lambda: cast("SharedStream", self.common), int, after, self.try_send)
            try:
                async for frame in resumed:
                    await asyncio.sleep(0)  # sending takes a turn of the loop
                    self.received.append(int(frame.cursor or 0))
            except GraphQLErrors as lagged:
                self.own = FakeStream(int(cast("Any", lagged.errors[0]).cursor), self.limit)
            finally:
                resumed.leave()


Steps = st.lists(st.sampled_from(["happen", "own", "common", "read", "capacity", "up to date"]), max_size=60)


@given(st.integers(0, 5), st.integers(0, 5), st.sampled_from([1, 2, 3, 1000]), Steps)
@example(2, 0, 1000, ["happen", "up to date", "own", "read", "common", "common", "common", "happen", "own", "read"])
@example(
    0, 0, 1, ["up to date", "happen", "own", "read", *["happen"] * 3, "own", "common", "common", "read", "own", "read"]
)
@example(1, 0, 1, ["happen", "up to date", "read", "common"])  # the common stream is behind the cursor, and overflows
def test_resumed_client_receives_every_event_once_and_in_order(
    after: int, ahead: int, limit: int, steps: list[str]
) -> None:
    asyncio.run(follow(after, ahead, limit, steps))


async def follow(after: int, ahead: int, limit: int, steps: Sequence[str]) -> None:
    """Execute the steps, publish all remaining events, and compare what the client received."""
    happened, common = max(after, ahead), FakeStream(ahead, limit)
    client = Client(after, common, limit)
    running = asyncio.create_task(client.run())
    for step in [*steps, *["up to date", "own", "common", "read"] * (2 * len(steps) + 20)]:
        match step:
            case "happen":
                happened += 1
            case "own" if client.own.subscribers:  # it starts with its subscriber
                client.own.publish(happened)
            case "common":
                common.publish(happened)
            case "read":
                for _ in range(5):
                    await asyncio.sleep(0)
            case "capacity":
                client.has_capacity = not client.has_capacity
            case "up to date":
                client.own.caught_up = client.own.number >= max(after, ahead)
    running.cancel()
    await asyncio.wait([running])
    assert client.received == list(range(after + 1, happened + 1))
