"""Daemon classes of the platform, run beside ours."""

from __future__ import annotations

import inspect
from typing import Any, Protocol

from fullon_graphql.daemons.daemon import Resources, TaskDaemon


class Standalone(Protocol):
    """A daemon that is constructed without arguments and opens its own connections."""

    async def start(self) -> None:
        """Run until stopped."""

    async def stop(self) -> None:
        """Make `start` return."""


class PlatformDaemon(TaskDaemon):
    """Runs a `Standalone` daemon. It counts as running from the call of its `start` until that returns or raises.

    It does not check the lease before its writes: it is stopped before the lease expires.
    """

    def __init__(self, resources: Resources, daemon: Standalone) -> None:
        super().__init__(resources)
        self._daemon = daemon

    async def prepare(self) -> None:
        """Nothing: its own `start` prepares it."""

    async def run(self) -> None:
        """Run its `start`."""
        await self._daemon.start()

    async def stop(self) -> None:
        """Call its `stop`, then cancel its `start`, also if `stop` fails or is cancelled."""
        try:
            await self._daemon.stop()
        finally:
            await super().stop()


def is_standalone(daemon_class: Any) -> bool:
    """True if the class can be constructed without arguments; classes of ours require `Resources`."""
    try:
        inspect.signature(daemon_class).bind()
    except (TypeError, ValueError):
        return False
    return True
