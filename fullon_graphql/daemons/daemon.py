"""The interface of a daemon, and a base class for daemons that are one task."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from redis.asyncio import Redis

from fullon_graphql.config import Settings
from fullon_graphql.daemons.control.lease import LeaseLostError
from fullon_graphql.daemons.control.state import Progress
from fullon_graphql.daemons.feeds.market_feed import SharedFeed
from fullon_graphql.database import Database


def _always() -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Resources:
    """The only argument of a daemon's constructor. The stores belong to the process; a daemon closes none of them."""

    settings: Settings
    database: Database
    ohlcv_database: Database
    redis: Redis
    holds_lease: Callable[[], bool] = _always
    """False once another process may run the service. Check it before every write: a process may be suspended."""
    feeds: SharedFeed = field(default_factory=SharedFeed)


class Daemon(Protocol):
    """A background service, constructed with `Resources`. An installation can supply its own."""

    async def start(self) -> None:
        """Return once the daemon runs; raise if it cannot."""

    async def stop(self) -> None:
        """Return once nothing of the daemon runs. Also called after a failed start."""


@runtime_checkable
class Watched(Protocol):
    """A daemon that reports its own failure. Without this method a daemon counts as running until it is stopped."""

    async def wait(self) -> None:
        """Return or raise when the daemon has ended by itself."""


@runtime_checkable
class Progressing(Protocol):
    """A daemon that reports how far it is, with each heartbeat."""

    @property
    def progress(self) -> Progress | None:
        """The present state; None if there is nothing to report."""


class TaskDaemon(ABC):
    """A daemon that is one coroutine in one task."""

    def __init__(self, resources: Resources) -> None:
        self.resources = resources
        self._task: asyncio.Task[None] | None = None

    @abstractmethod
    async def prepare(self) -> None:
        """Do everything that must succeed before the daemon counts as running."""

    @abstractmethod
    async def run(self) -> None:
        """Work until cancelled."""

    async def start(self) -> None:
        """Prepare, then start `run` as a task."""
        await self.prepare()
        self._task = asyncio.create_task(self.run(), name=type(self).__name__)

    async def wait(self) -> None:
        """Return or raise as `run` does. Cancelling this does not cancel `run`."""
        if self._task is not None:
            await asyncio.shield(self._task)

    async def stop(self) -> None:
        """Cancel `run` and wait for its end. `wait` reports how it ended."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def require_lease(self) -> None:
        """Call before every write.

        Raises:
            LeaseLostError: the lease has expired.
        """
        if not self.resources.holds_lease():
            raise LeaseLostError
