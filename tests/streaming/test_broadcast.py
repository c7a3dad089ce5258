"""How a listener gets its frames: handed to it while it waits, else kept for it, and never in another order."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from fullon_graphql.streaming.broadcast import Frame, SharedStream, Subscriber, only_when_asked

FRAMES = [Frame(str(number).encode(), f"c{number}") for number in range(40)]


@dataclass
class Silent:
    """What a listener asks of its group; this one has no state."""

    resumable: bool
    number: int = 0

    def state(self) -> None:
        """Nothing."""

    def rendered(self, error: Exception) -> Sequence[Any]:
        """What clients are told."""
        return [error]


@dataclass
class Client:
    """Someone who takes what is handed to them while they have room, and reads the rest."""

    resumable: bool = True
    limit: int = 100
    has_room: bool = True
    taken: list[Frame] = field(default_factory=list)
    read: int = 0

    def __post_init__(self) -> None:
        self.group = Silent(self.resumable)
        self.listener = Subscriber(cast("SharedStream", self.group), self.limit, self.hand)

    def hand(self, frame: Frame) -> bool:
        if self.has_room:
            self.taken.append(frame)
        return self.has_room

    def tell(self, frame: Frame) -> None:
        self.group.number += 1
        self.listener.put(self.group.number, self.group.number if self.resumable else "", frame)

    async def run(self) -> None:
        async for frame in self.listener:
            await asyncio.sleep(0)  # sending takes a turn of the loop, in which the next may come
            self.taken.append(frame)
            self.read += 1


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_what_comes_while_a_client_waits_is_handed_to_it_and_wakes_nobody() -> None:
    client = Client()
    reading = asyncio.create_task(client.run())
    await turns()
    for frame in FRAMES:
        client.tell(frame)
    assert client.taken == FRAMES
    client.listener.end(())
    await reading
    assert client.read == 0


async def test_who_has_not_begun_to_read_is_handed_nothing() -> None:
    client = Client()
    client.tell(FRAMES[0])
    assert client.taken == []
    assert await anext(client.listener) == FRAMES[0]


async def test_a_reader_who_is_gone_is_handed_nothing() -> None:
    client = Client()
    reading = asyncio.create_task(client.run())
    await turns()
    reading.cancel()
    client.tell(FRAMES[0])
    await asyncio.wait([reading])
    assert client.taken == []


async def test_who_only_reads_gets_everything_by_reading() -> None:
    listener = Subscriber(cast("SharedStream", Silent(resumable=True)), 10, only_when_asked)
    reading = asyncio.ensure_future(anext(listener))
    await turns()
    listener.put(1, 1, FRAMES[0])
    assert await reading == FRAMES[0]


Steps = st.lists(st.tuples(st.booleans(), st.integers(0, 3)), max_size=len(FRAMES))
"""For each event: whether the client has room then, and how many turns of the loop it gets after it."""


async def told(client: Client, steps: Sequence[tuple[bool, int]]) -> list[Frame]:
    """Everything the client has been told, once all of it has arrived."""
    reading = asyncio.create_task(client.run())
    frames = FRAMES[: len(steps)]
    for frame, (client.has_room, pause) in zip(frames, steps, strict=True):
        client.tell(frame)
        await turns(pause)
    client.listener.end(())
    await reading
    return frames


@given(Steps)
def test_every_event_arrives_once_and_in_order_whoever_has_room_when(steps: list[tuple[bool, int]]) -> None:
    client = Client()
    frames = asyncio.run(told(client, steps))
    assert client.taken == frames


@given(Steps)
def test_a_state_never_goes_back_and_the_newest_arrives_whoever_has_room_when(steps: list[tuple[bool, int]]) -> None:
    client = Client(resumable=False, limit=1)
    frames = asyncio.run(told(client, steps))
    assert client.taken[-1:] == frames[-1:]
    assert client.taken == [frame for frame in frames if frame in client.taken]
