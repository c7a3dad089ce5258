"""Service control: start, stop and watch the daemons from any worker, each running at most once across all of them.

Somebody's order is written down in Redis; every worker reads it, and the one that wins the service's lease obeys it.
What it reports is good for as long as it holds the lease.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Self

import structlog
from redis.exceptions import RedisError

from fullon_graphql.config import Settings
from fullon_graphql.daemons.control import lease as leases
from fullon_graphql.daemons.control.bell import Bell
from fullon_graphql.daemons.control.desired_state import DesiredState
from fullon_graphql.daemons.control.lease import Lease, LeaseLostError
from fullon_graphql.daemons.control.state import Observation, ServiceName, ServiceState, ServiceStatus, Timing
from fullon_graphql.daemons.control.supervisor import Supervisor
from fullon_graphql.daemons.daemon import Daemon, Resources
from fullon_graphql.daemons.loading import load_class
from fullon_graphql.errors import Conflict, Timeout
from fullon_graphql.observability.redaction import known_secrets, reason

log = structlog.get_logger(__name__)


def new_worker_id() -> str:
    """A name for this worker that no other has, not even this process' next incarnation: `host:pid:random`."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"


class ServiceManager:
    """One worker's part in service control. It takes part while `run` runs, best as `async with manager:`.

    Commands and questions also work in a process that takes no part, as long as another one does.
    """

    def __init__(self, settings: Settings, resources: Resources, worker_id: str, timing: Timing | None = None) -> None:
        self._settings = settings
        self._resources = resources
        self._worker_id = worker_id
        self._timing = timing or Timing()
        self._board = DesiredState(resources.redis)
        self._bell = Bell(resources.redis, self._timing.interval)
        self._secrets = known_secrets(settings)
        self._auto_start = _known(settings.services_to_auto_start)
        self._running: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._running = asyncio.create_task(self.run(), name="service-manager")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait({self._running})
            if not self._running.cancelled():
                self._running.result()

    async def run(self) -> None:
        """Take part until cancelled; then stop what runs here and give it up to other workers."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._bell.listen())
            for name in ServiceName:
                group.create_task(self._govern(name))

    async def start(self, name: ServiceName) -> ServiceStatus:
        """Order a service to run and answer once it does, or has FAILED. One that failed before is tried at once.

        Raises:
            Conflict: somebody has ordered the opposite meanwhile.
            Timeout: it did neither in time; the order stands.
        """
        before = await self._look(name)
        repeat = before.order.number if before.status.state is ServiceState.FAILED else None
        number = await self._board.give_order(name, running=True, repeat=repeat)
        return await self._reached(name, ServiceState.RUNNING, number)

    async def stop(self, name: ServiceName) -> ServiceStatus:
        """Order a service not to run and answer once it is STOPPED. Raises as `start` does."""
        number = await self._board.give_order(name, running=False)
        return await self._reached(name, ServiceState.STOPPED, number)

    async def restart(self, name: ServiceName) -> ServiceStatus:
        """Stop a service if it runs, then start it, wherever it runs. Answers and raises as `start` does."""
        before = await self._look(name)
        number = await self._board.give_order(name, running=True, repeat=before.order.number)
        return await self._reached(name, ServiceState.RUNNING, number)

    async def status(self, name: ServiceName) -> ServiceStatus:
        """What is true of a service now, whichever worker runs it."""
        return (await self._look(name)).status

    async def statuses(self) -> list[ServiceStatus]:
        """What is true of all services now, in one round trip."""
        return [sight.status for sight in await self._board.look(list(ServiceName))]

    async def listen(self, name: ServiceName) -> AsyncGenerator[ServiceStatus, None]:
        """The status of a service now, and then each other one. Heartbeats alone are no change."""
        last = None
        while True:
            ring = self._bell.next(name)
            status = await self.status(name)
            if last is None or replace(status, heartbeat_at=last.heartbeat_at) != last:
                last = status
                yield status
            await ring.wait(self._timing.interval)

    async def _govern(self, name: ServiceName) -> None:
        """Take charge of a service whenever it should run and nobody else is in charge."""
        while True:
            ring = self._bell.next(name)
            try:
                await self._serve_if_ordered(name)
            except (RedisError, LeaseLostError) as error:
                log.warning("service.control.interrupted", service=name.value, error=reason(error))
            except Exception:
                # A mistake of ours in one tenure must not end service control in this worker for good.
                log.exception("service.control.broken", service=name.value)
            await ring.wait(self._timing.interval)

    async def _serve_if_ordered(self, name: ServiceName) -> None:
        if name in self._auto_start:
            await self._board.suggest_running(name)
        if not (await self._board.order(name)).running:
            return
        lease = await leases.acquire(self._resources.redis, name, self._worker_id, self._timing.lease)
        if lease is None:
            return
        await Supervisor(
            lease,
            lambda: self._make_daemon(lease),
            self._board,
            self._bell,
            timing=self._timing,
            secrets=self._secrets,
        ).serve()

    async def _make_daemon(self, lease: Lease) -> Daemon:
        path: str = getattr(self._settings, f"{lease.name.value}_daemon")
        daemon_class = await asyncio.to_thread(load_class, path)  # an import reads files
        daemon: Daemon = daemon_class(replace(self._resources, in_charge=lease.held))
        return daemon

    async def _look(self, name: ServiceName) -> Observation:
        return (await self._board.look([name]))[0]

    async def _reached(self, name: ServiceName, state: ServiceState, number: int) -> ServiceStatus:
        """The status once order `number` has led to `state`, or to FAILED."""
        try:
            async with asyncio.timeout(self._timing.command):
                while True:
                    ring = self._bell.next(name)
                    if status := self._outcome(await self._look(name), state, number):
                        return status
                    await ring.wait(self._timing.interval)
        except TimeoutError:
            raise Timeout(
                f"The service {name.value} is not {state.value} after {self._timing.command:g} s. The order stands; "
                "ask for its status to see how it goes on."
            ) from None

    @staticmethod
    def _outcome(sight: Observation, state: ServiceState, number: int) -> ServiceStatus | None:
        """The status to answer with, or None while the order is still being carried out."""
        if sight.order.running is not (state is ServiceState.RUNNING):
            raise Conflict(f"Meanwhile somebody has ordered the service {sight.status.name.value} otherwise.")
        if sight.status.state is ServiceState.STOPPED:
            return sight.status
        reached = sight.status.state in {state, ServiceState.FAILED}
        return sight.status if reached and sight.carried_out >= number else None


def _known(names: Sequence[str]) -> set[ServiceName]:
    """The services among `names`; others are logged, as the platform has some that we do not run."""
    known = {name.value for name in ServiceName}
    for unknown in set(names) - known:
        log.warning("service.unknown", name=unknown, known=sorted(known))
    return {ServiceName(name) for name in names if name in known}
