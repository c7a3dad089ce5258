"""The limits of the backlogs of slow subscribers."""

from __future__ import annotations

import pytest

from fullon_graphql.streaming.backlog import Backlog, Frame, FrameMemory, Overflow


@pytest.fixture
def memory() -> FrameMemory:
    return FrameMemory(1_000, lambda _: None)


def fill(backlog: Backlog, *frames: Frame) -> None:
    for key, frame in enumerate(frames):
        assert backlog.overflow(key, frame) is None
        backlog.add(key, frame)


def test_backlog_is_limited_in_frames(memory: FrameMemory) -> None:
    backlog = Backlog(memory, 2, 1_000)
    fill(backlog, Frame(b"1"), Frame(b"2"))
    assert backlog.overflow("new", Frame(b"3")) is Overflow.EVENTS
    assert backlog.overflow(1, Frame(b"3")) is None, "it replaces a frame"


def test_backlog_is_limited_in_bytes(memory: FrameMemory) -> None:
    backlog = Backlog(memory, 10, 100)
    fill(backlog, Frame(b"x" * 60), Frame(b"x" * 40))
    assert backlog.overflow("new", Frame(b"x")) is Overflow.BYTES
    assert backlog.overflow(1, Frame(b"x" * 41)) is Overflow.BYTES
    assert backlog.overflow(0, Frame(b"x" * 60)) is None


def test_frame_above_the_byte_limit_fits_into_an_empty_backlog(memory: FrameMemory) -> None:
    backlog = Backlog(memory, 10, 100)
    fill(backlog, Frame(b"x" * 900))
    assert backlog.overflow("new", Frame(b"x")) is Overflow.BYTES


def test_worker_counts_a_shared_frame_once_until_its_last_holder_has_sent_it(memory: FrameMemory) -> None:
    frame, backlogs = Frame(b"x" * 600), [Backlog(memory, 10, 1_000) for _ in range(3)]
    for backlog in backlogs:
        fill(backlog, frame)
    assert memory.bytes == 600
    assert backlogs[0].overflow("new", Frame(b"x" * 401)) is Overflow.BYTES
    assert Backlog(memory, 10, 1_000).overflow("new", Frame(b"x" * 401)) is Overflow.WORKER
    backlogs[0].clear()
    backlogs[1].discard(lambda _: True)
    taken = backlogs[2].pop()
    assert memory.bytes == 600
    backlogs[2].release(taken)
    assert memory.bytes == 0


def test_replaced_frame_is_released(memory: FrameMemory) -> None:
    backlog = Backlog(memory, 10, 1_000)
    fill(backlog, Frame(b"x" * 600))
    memory_before = memory.bytes
    backlog.add(0, Frame(b"x" * 10))
    assert (memory_before, memory.bytes, backlog.bytes, len(backlog)) == (600, 10, 10, 1)
