"""Runs the services that should run, each in at most one process of all that share a Redis."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pkgutil import resolve_name
from types import TracebackType
from typing import Self

import structlog
from redis.exceptions import RedisError

from fullon_graphql.background import BackgroundTask, BackgroundTasks, Ready
from fullon_graphql.cache import keys
from fullon_graphql.cache.hub import Hub, Mailbox, Topic
from fullon_graphql.config import Settings
from fullon_graphql.daemons.control import lease as leases
from fullon_graphql.daemons.control.desired_state import StateStore
from fullon_graphql.daemons.control.lease import Lease, LeaseLostError
from fullon_graphql.daemons.control.state import ServiceName, Timing
from fullon_graphql.daemons.control.supervisor import Supervisor
from fullon_graphql.daemons.daemon import Daemon, Resources
from fullon_graphql.daemons.platform_daemon import PlatformDaemon, is_standalone
from fullon_graphql.observability.redaction import known_secrets, reason

log = structlog.get_logger(__name__)


def new_runner_id() -> str:
    """A unique name for a runner, also across restarts of the process: `host:pid:random`."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"


class ServiceRunner:
    """Acquires the lease of every service that should run, and runs its daemon while the lease is held.

    Use as a context manager. At its end the daemons are stopped and the leases released.
    """

    def __init__(
        self,
        settings: Settings,
        resources: Resources,
        hub: Hub,
        tasks: BackgroundTasks,
        runner_id: str,
        timing: Timing | None = None,
    ) -> None:
        self._settings = settings
        self._resources = resources
        self._hub = hub
        self._tasks = tasks
        self._runner_id = runner_id
        self._timing = timing or Timing()
        self._states = StateStore(resources.redis)
        self._secrets = known_secrets(settings)
        self._auto_start = _known_services(settings.services_to_auto_start)
        self._running: list[BackgroundTask] = []

    async def __aenter__(self) -> Self:
        self._running = [self._tasks.start(f"service {name.value}", partial(self._run, name)) for name in ServiceName]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._tasks.stop(*self._running)

    async def _run(self, name: ServiceName, ready: Ready) -> None:
        """Run a service whenever it should run and no other process runs it."""
        loop = asyncio.get_running_loop()
        async with self._hub.listen([Topic(keys.service_changes(name))]) as mailbox:
            while True:
                try:
                    await self._run_if_desired(name, mailbox)
                    ready()
                except (RedisError, LeaseLostError) as error:
                    log.warning("service.control.interrupted", service=name.value, error=reason(error))
                await mailbox.news_until(loop.time() + self._timing.interval)

    async def _run_if_desired(self, name: ServiceName, mailbox: Mailbox) -> None:
        if name in self._auto_start:
            await self._states.set_running_by_default(name)
        if not (await self._states.desired(name)).running:
            return
        lease = await leases.acquire(self._resources.redis, name, self._runner_id, self._timing.lease)
        if lease is None:
            return
        await Supervisor(
            lease,
            lambda: self._make_daemon(lease),
            self._states,
            mailbox,
            timing=self._timing,
            secrets=self._secrets,
        ).run()

    async def _make_daemon(self, lease: Lease) -> Daemon:
        path: str = getattr(self._settings, f"{lease.name.value}_daemon")
        daemon_class = await asyncio.to_thread(resolve_name, path)  # an import reads files
        resources = replace(self._resources, holds_lease=lease.is_held)
        if is_standalone(daemon_class):
            return PlatformDaemon(resources, daemon_class())
        daemon: Daemon = daemon_class(resources)
        return daemon


def _known_services(names: Sequence[str]) -> set[ServiceName]:
    """The services among `names`. Others are logged: the platform has services that we do not run."""
    known = {name.value for name in ServiceName}
    for unknown in set(names) - known:
        log.warning("service.unknown", name=unknown, known=sorted(known))
    return {ServiceName(name) for name in names if name in known}
