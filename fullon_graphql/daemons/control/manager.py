"""Commands and status of services, for any process that reaches Redis. The daemons themselves run in `runner.py`."""

from __future__ import annotations

import asyncio

from redis.asyncio import Redis

from fullon_graphql.cache import keys
from fullon_graphql.cache.hub import Hub, Topic
from fullon_graphql.daemons.control.desired_state import StateStore
from fullon_graphql.daemons.control.state import Observation, ServiceName, ServiceState, ServiceStatus, Timing
from fullon_graphql.errors import Conflict, Timeout


class ServiceManager:
    """Sets the desired state of services and waits until a runner has reached it."""

    def __init__(self, redis: Redis, hub: Hub, timing: Timing | None = None) -> None:
        self._states = StateStore(redis)
        self._hub = hub
        self._timing = timing or Timing()

    async def start(self, name: ServiceName) -> ServiceStatus:
        """Start a service; returns once it is RUNNING or FAILED. A failed service is tried again at once.

        Raises:
            Conflict: another caller has requested the opposite meanwhile.
            Timeout: neither state was reached in time; the request remains in effect.
        """
        before = await self._observe(name)
        failed = before.status.state is ServiceState.FAILED
        supersedes = before.desired.generation if failed else None
        generation = await self._states.set_running(name, running=True, supersedes=supersedes)
        return await self._wait_for(name, ServiceState.RUNNING, generation)

    async def stop(self, name: ServiceName) -> ServiceStatus:
        """Stop a service; returns once it is STOPPED. Raises as `start` does."""
        generation = await self._states.set_running(name, running=False)
        return await self._wait_for(name, ServiceState.STOPPED, generation)

    async def restart(self, name: ServiceName) -> ServiceStatus:
        """Stop a service if it runs, then start it. Returns and raises as `start` does."""
        before = await self._observe(name)
        generation = await self._states.set_running(name, running=True, supersedes=before.desired.generation)
        return await self._wait_for(name, ServiceState.RUNNING, generation)

    async def status(self, name: ServiceName) -> ServiceStatus:
        """The status of a service, whichever process runs it."""
        return (await self._observe(name)).status

    async def statuses(self) -> list[ServiceStatus]:
        """The status of all services, in one round trip."""
        return [observation.status for observation in await self._states.observe(list(ServiceName))]

    async def _observe(self, name: ServiceName) -> Observation:
        return (await self._states.observe([name]))[0]

    async def _wait_for(self, name: ServiceName, state: ServiceState, generation: int) -> ServiceStatus:
        """The status once `generation` of the desired state has led to `state`, or to FAILED."""
        loop = asyncio.get_running_loop()
        try:
            async with (
                asyncio.timeout(self._timing.command),
                self._hub.listen([Topic(keys.service_changes(name))]) as mailbox,
            ):
                while True:
                    if status := self._outcome(await self._observe(name), state, generation):
                        return status
                    await mailbox.news_until(loop.time() + self._timing.interval)
        except TimeoutError:
            raise Timeout(
                f"The service {name.value} is not {state.value} after {self._timing.command:g} s. The request remains "
                "in effect; query the status of the service later."
            ) from None

    @staticmethod
    def _outcome(observation: Observation, state: ServiceState, generation: int) -> ServiceStatus | None:
        """The status to answer with, or None while the request is in progress."""
        status = observation.status
        if observation.desired.running is not (state is ServiceState.RUNNING):
            raise Conflict(f"Another request has changed the desired state of the service {status.name.value}.")
        if status.state is ServiceState.STOPPED:
            return status
        reached = status.state in {state, ServiceState.FAILED}
        return status if reached and observation.generation >= generation else None
