"""What a daemon is: something to start and to stop."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from redis.asyncio import Redis

from fullon_graphql.config import Settings
from fullon_graphql.database import Database


def _always() -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Resources:
    """What every daemon is made with. The stores belong to the process; a daemon closes none of them."""

    settings: Settings
    database: Database
    ohlcv_database: Database
    redis: Redis
    in_charge: Callable[[], bool] = _always
    """False once this worker may no longer run the service. A process that was frozen asks before it writes."""


class Daemon(Protocol):
    """A background service, made with `Resources`. An installation may bring its own."""

    async def start(self) -> None:
        """Return once the daemon runs; raise where it cannot."""

    async def stop(self) -> None:
        """Return once nothing of the daemon runs any more. Also called after a failed start."""


@runtime_checkable
class Watched(Protocol):
    """A daemon that tells when it breaks. One that does not is taken to run until it is stopped."""

    async def wait(self) -> None:
        """Return or raise when the daemon has ended by itself."""


class NotInChargeError(Exception):
    """This worker has lost the right to run the daemon, and the daemon found out before it was stopped."""

    def __init__(self) -> None:
        super().__init__("Another worker may be running this service by now; nothing more is written here.")


class TaskDaemon(ABC):
    """A daemon that is one coroutine in one task."""

    def __init__(self, resources: Resources) -> None:
        self.resources = resources
        self._task: asyncio.Task[None] | None = None

    @abstractmethod
    async def prepare(self) -> None:
        """Do what must succeed before the daemon counts as running."""

    @abstractmethod
    async def run(self) -> None:
        """Work until cancelled."""

    async def start(self) -> None:
        """Prepare, then let `run` go."""
        await self.prepare()
        self._task = asyncio.create_task(self.run(), name=type(self).__name__)

    async def wait(self) -> None:
        """Return or raise as `run` does."""
        if self._task is not None:
            await asyncio.shield(self._task)  # who stops waiting does not stop the work

    async def stop(self) -> None:
        """Cancel `run` and see it end. How it ended is told by `wait`."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def check_in_charge(self) -> None:
        """Call before every write.

        Raises:
            NotInChargeError: the lease ran out while this process was not looking.
        """
        if not self.resources.in_charge():
            raise NotInChargeError
