"""Backlogs: frames that wait for slow subscribers, bounded in number and bytes per subscriber and per worker.

A frame in several backlogs is in memory once, so the worker counts it once; each backlog counts all of its bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(slots=True)
class Frame:
    """One event ready to be sent: the response as JSON, and the event's cursor if the stream has cursors."""

    body: bytes
    cursor: str | None = None
    holders: int = field(default=0, compare=False)
    """Number of backlogs that hold it."""
    at: float | None = field(default=None, compare=False)
    """Unix seconds at which the event happened; None if unknown, or if it is not delivered as it happens."""


class Overflow(StrEnum):
    """The limit that a backlog has reached."""

    EVENTS = "events"
    BYTES = "bytes"
    WORKER = "worker"


class FrameMemory:
    """The bytes of all frames in the backlogs of a worker, each frame counted once."""

    def __init__(self, limit: int, on_change: Callable[[int], None]) -> None:
        self.bytes = 0
        self._limit = limit
        self._on_change = on_change

    def fits(self, frame: Frame) -> bool:
        """True if the frame is held already, or fits."""
        return frame.holders > 0 or self.bytes + len(frame.body) <= self._limit

    def hold(self, frame: Frame) -> None:
        """Count one more holder of a frame."""
        frame.holders += 1
        if frame.holders == 1:
            self.bytes += len(frame.body)
            self._on_change(self.bytes)

    def release(self, frame: Frame) -> None:
        """Release one holder of a frame."""
        frame.holders -= 1
        if not frame.holders:
            self.bytes -= len(frame.body)
            self._on_change(self.bytes)


class Backlog:
    """The frames that wait for one subscriber, the oldest first; at most one for each key.

    One frame may be larger than `max_bytes`, or it could never be delivered.
    """

    __slots__ = ("_frames", "_max_bytes", "_max_frames", "_memory", "bytes")

    def __init__(self, memory: FrameMemory, max_frames: int, max_bytes: int) -> None:
        self.bytes = 0
        self._memory = memory
        self._max_frames = max_frames
        self._max_bytes = max_bytes
        self._frames: dict[Hashable, Frame] = {}

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def last(self) -> Frame:
        """The newest frame; there must be one."""
        return next(reversed(self._frames.values()))

    def overflow(self, key: Hashable, frame: Frame) -> Overflow | None:
        """The limit that keeps a frame out; None if `add` may be called."""
        replaced = self._frames.get(key)
        if replaced is None and len(self._frames) >= self._max_frames:
            return Overflow.EVENTS
        others = self.bytes - (len(replaced.body) if replaced else 0)
        if others and others + len(frame.body) > self._max_bytes:
            return Overflow.BYTES
        return None if self._memory.fits(frame) else Overflow.WORKER

    def add(self, key: Hashable, frame: Frame) -> bool:
        """Add a frame, in place of the one with the same key. True if it has replaced one."""
        replaced = self._frames.get(key)
        self._memory.hold(frame)
        self._frames[key] = frame
        self.bytes += len(frame.body)
        if replaced:
            self._drop(replaced)
        return replaced is not None

    def pop(self) -> Frame:
        """Take the oldest frame. The caller passes it to `release` once it has been sent."""
        frame = self._frames.pop(next(iter(self._frames)))
        self.bytes -= len(frame.body)
        return frame

    def release(self, frame: Frame) -> None:
        """Stop counting a frame that `pop` has returned."""
        self._memory.release(frame)

    def discard(self, condition: Callable[[Frame], bool]) -> bool:
        """Remove all frames that meet a condition. True if there was one."""
        keys = [key for key, frame in self._frames.items() if condition(frame)]
        for key in keys:
            self._drop(self._frames.pop(key))
        return bool(keys)

    def clear(self) -> None:
        """Remove all frames."""
        for frame in self:
            self._memory.release(frame)
        self._frames.clear()
        self.bytes = 0

    def __iter__(self) -> Iterator[Frame]:
        return iter(self._frames.values())

    def _drop(self, frame: Frame) -> None:
        self.bytes -= len(frame.body)
        self._memory.release(frame)
