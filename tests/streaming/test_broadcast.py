"""Delivery to a subscriber: at once while it is idle, from its backlog otherwise, always in order."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fullon_graphql.streaming.backlog import Frame
from fullon_graphql.streaming.broadcast import SharedStream, Subscriber, never_send
from tests.streaming.scripted import backlog

FRAMES = [Frame(str(number).encode(), f"c{number}") for number in range(40)]


@dataclass
class StreamStub:
    """A stream without a snapshot, for a subscriber under test."""

    resumable: bool
    number: int = 0

    @property
    def lossless(self) -> bool:
        """True for an event stream."""
        return self.resumable

    def snapshot(self) -> None:
        """Does nothing."""

    def count_overflow(self, *_: Any) -> None:
        """Does nothing."""

    count_skipped = count_delivery = count_overflow

    def format_error(self, error: Exception) -> Sequence[Any]:
        """The error as clients receive it."""
        return [error]


@dataclass
class Client:
    """A client that accepts frames while it has capacity, and reads the others."""

    resumable: bool = True
    limit: int = 100
    has_capacity: bool = True
    taken: list[Frame] = field(default_factory=list)
    read: int = 0

    def __post_init__(self) -> None:
        self.stream = StreamStub(self.resumable)
        self.subscriber = Subscriber(cast("SharedStream", self.stream), backlog(self.limit), self.try_send)

    def try_send(self, frame: Frame) -> bool:
        if self.has_capacity:
            self.taken.append(frame)
        return self.has_capacity

    def publish(self, frame: Frame) -> None:
        self.stream.number += 1
        self.subscriber.receive(self.stream.number, self.stream.number if self.resumable else "", frame)

    async def run(self) -> None:
        async for frame in self.subscriber:
            await asyncio.sleep(0)  # sending takes a turn of the loop, in which the next frame may arrive
            self.taken.append(frame)
            self.read += 1


class ClientWithoutTask(Client):
    """A client whose reader asks to be called when it is needed again."""

    async def run(self) -> None:
        needed = asyncio.Event()
        while True:
            while frame := await self.subscriber.next_frame():
                await turns(1)  # as sending does
                self.taken.append(frame)
                self.read += 1
            if self.subscriber.has_ended:
                return
            needed.clear()
            self.subscriber.call_when_needed(needed.set)
            await needed.wait()


CLIENTS = st.sampled_from([Client, ClientWithoutTask])


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.mark.parametrize("kind", [Client, ClientWithoutTask])
async def test_frames_are_sent_at_once_while_the_reader_is_idle(kind: type[Client]) -> None:
    client = kind()
    reading = asyncio.create_task(client.run())
    await turns()
    for frame in FRAMES:
        client.publish(frame)
    assert client.taken == FRAMES
    client.subscriber.end(())
    await reading
    assert client.read == 0


async def test_try_send_is_not_called_before_the_first_read() -> None:
    client = Client()
    client.publish(FRAMES[0])
    assert client.taken == []
    assert await anext(client.subscriber) == FRAMES[0]


async def test_try_send_is_not_called_after_the_reader_is_cancelled() -> None:
    client = Client()
    reading = asyncio.create_task(client.run())
    await turns()
    reading.cancel()
    client.publish(FRAMES[0])
    await asyncio.wait([reading])
    assert client.taken == []


async def test_reader_without_a_task_is_called_once_when_needed() -> None:
    client, calls = Client(has_capacity=False), []
    assert await client.subscriber.next_frame() is None
    client.subscriber.call_when_needed(lambda: calls.append("needed"))
    client.publish(FRAMES[0])
    client.publish(FRAMES[1])
    assert calls == ["needed"]
    client.has_capacity = True
    client.publish(FRAMES[2])
    assert client.taken == []
    assert [await client.subscriber.next_frame() for _ in range(4)] == [*FRAMES[:3], None]


async def test_reader_that_has_left_is_not_called() -> None:
    client, calls = Client(), []
    client.subscriber.call_when_needed(lambda: calls.append("needed"))
    client.subscriber.close()
    client.publish(FRAMES[0])
    assert (client.taken, calls) == ([], [])


async def test_never_send_delivers_every_frame_by_iteration() -> None:
    subscriber = Subscriber(cast("SharedStream", StreamStub(resumable=True)), backlog(10), never_send)
    reading = asyncio.ensure_future(anext(subscriber))
    await turns()
    subscriber.receive(1, 1, FRAMES[0])
    assert await reading == FRAMES[0]


Steps = st.lists(st.tuples(st.booleans(), st.integers(0, 3)), max_size=len(FRAMES))
"""For each event: whether the client has capacity, and the turns of the loop after it."""


async def deliver_steps(client: Client, steps: Sequence[tuple[bool, int]]) -> list[Frame]:
    """Publish a frame for each step, and return the frames once the client has received all it can."""
    reading = asyncio.create_task(client.run())
    frames = FRAMES[: len(steps)]
    for frame, (client.has_capacity, pause) in zip(frames, steps, strict=True):
        client.publish(frame)
        await turns(pause)
    client.subscriber.end(())
    await reading
    return frames


@given(Steps, CLIENTS)
def test_every_event_arrives_once_and_in_order(steps: list[tuple[bool, int]], kind: type[Client]) -> None:
    client = kind()
    frames = asyncio.run(deliver_steps(client, steps))
    assert client.taken == frames


@given(Steps, CLIENTS)
def test_states_arrive_in_order_and_end_with_the_newest(steps: list[tuple[bool, int]], kind: type[Client]) -> None:
    client = kind(resumable=False, limit=1)
    frames = asyncio.run(deliver_steps(client, steps))
    assert client.taken[-1:] == frames[-1:]
    assert client.taken == [frame for frame in frames if frame in client.taken]
