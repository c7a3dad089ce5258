"""Runs one daemon for as long as its lease is held and the service should run."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import structlog
from redis.exceptions import RedisError

from fullon_graphql.cache.hub import Mailbox
from fullon_graphql.daemons.control.desired_state import StateStore
from fullon_graphql.daemons.control.lease import Lease, LeaseLostError
from fullon_graphql.daemons.control.state import DesiredState, Progress, Report, ServiceState, Timing, backoff
from fullon_graphql.daemons.daemon import Daemon, Progressing, Watched
from fullon_graphql.observability.redaction import reason

log = structlog.get_logger(__name__)


class Supervisor:
    """Runs a daemon under an acquired lease, and restarts it when it fails.

    `mailbox` receives the notifications about the service; without one the desired state is read at every interval.
    """

    def __init__(
        self,
        lease: Lease,
        make_daemon: Callable[[], Awaitable[Daemon]],
        states: StateStore,
        mailbox: Mailbox,
        *,
        timing: Timing,
        secrets: Collection[str] = (),
    ) -> None:
        self._lease = lease
        self._make_daemon = make_daemon
        self._states = states
        self._mailbox = mailbox
        self._timing = timing
        self._secrets = secrets
        self._deadline = asyncio.timeout_at(lease.expires - timing.margin)
        self._stop_error: str | None = None
        self._daemon: Daemon | None = None
        self._log = log.bind(service=lease.name.value, fence=lease.fence)

    async def run(self) -> None:
        """Return when the service should no longer run, or when the lease could not be renewed.

        Raises:
            LeaseLostError: the lease has expired in Redis.
            RedisError: a report could not be written. In both cases the daemon has been stopped.
        """
        try:
            async with self._deadline:
                await self._run_while_renewing()
        except TimeoutError:
            self._log.error("service.lease.lost", action="stopped the daemon before the lease expires")
        finally:
            await self._release()

    async def _run_while_renewing(self) -> None:
        renewal = asyncio.create_task(self._keep_renewing())
        try:
            await self._run_daemons()
        finally:  # renewed until the daemon has stopped, however this ends
            renewal.cancel()
            await asyncio.gather(renewal, return_exceptions=True)

    async def _keep_renewing(self) -> None:
        """Renew the lease at every interval; each success moves the deadline."""
        while True:
            await asyncio.sleep(self._timing.interval)
            try:
                await self._lease.renew(self._progress())
            except LeaseLostError:
                self._move_deadline(asyncio.get_running_loop().time())
                return
            except RedisError as error:
                self._log.warning("service.lease.not_renewed", error=self._reason(error))
            else:
                self._move_deadline(self._lease.expires - self._timing.margin)

    def _progress(self) -> Progress | None:
        return self._daemon.progress if isinstance(self._daemon, Progressing) else None

    def _move_deadline(self, when: float) -> None:
        if not self._deadline.expired():
            self._deadline.reschedule(when)

    async def _run_daemons(self) -> None:
        """Run the daemon while it should run, with a backoff after each failure."""
        failures = 0
        while (desired := await self._states.desired(self._lease.name)).running:
            began = asyncio.get_running_loop().time()
            error = await self._run_daemon(desired)
            if error is None:
                failures = 0
                continue
            lasted = asyncio.get_running_loop().time() - began
            failures = 1 if lasted > self._timing.longest_backoff else failures + 1
            pause = backoff(failures, self._timing)
            self._log.error("service.failed", error=error, failures=failures, retry_in=pause)
            await self._report(ServiceState.FAILED, desired, error=error)
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._superseded(desired)
                    failures = 0  # a request to try again starts at the first backoff
        await self._report(ServiceState.STOPPED, desired, error=self._stop_error)

    async def _run_daemon(self, desired: DesiredState) -> str | None:
        """Run a daemon until the desired state changes (None) or it fails (the reason)."""
        await self._report(ServiceState.STARTING, desired)
        try:
            daemon = self._daemon = await self._make_daemon()
        except Exception as error:
            return self._reason(error)
        try:
            if failure := await self._call(self._timing.start, "start", daemon.start()):
                return failure
            self._log.info("service.running", generation=desired.generation)
            await self._report(ServiceState.RUNNING, desired, started_at=datetime.now(UTC))
            if failure := await self._watch(daemon, desired):
                return failure
            await self._report(ServiceState.STOPPING, desired)
            return None
        finally:
            await self._stop(daemon)

    async def _watch(self, daemon: Daemon, desired: DesiredState) -> str | None:
        """Wait until the desired state changes (None) or the daemon ends by itself (the reason)."""
        change = asyncio.create_task(self._superseded(desired))
        end = asyncio.create_task(_wait_for_end(daemon))
        try:
            await asyncio.wait({change, end}, return_when=asyncio.FIRST_COMPLETED)
            return None if change.done() else self._error_of(end) or "It ended by itself."
        finally:
            change.cancel()
            end.cancel()
            await asyncio.gather(change, end, return_exceptions=True)

    async def _superseded(self, desired: DesiredState) -> None:
        """Return when the desired state is no longer `desired`. An unreachable Redis changes nothing."""
        loop = asyncio.get_running_loop()
        while True:
            with suppress(RedisError):
                if await self._states.desired(self._lease.name) != desired:
                    return
            await self._mailbox.news_until(loop.time() + self._timing.interval)

    async def _stop(self, daemon: Daemon) -> None:
        """Stop a daemon. After the deadline only the margin is left for it."""
        limit = min(self._timing.stop, self._timing.margin) if self._deadline.expired() else self._timing.stop
        self._stop_error = await self._call(limit, "stop", daemon.stop())
        if self._stop_error:
            self._log.error("service.stop_failed", error=self._stop_error)

    async def _call(self, limit: float, method: str, call: Coroutine[Any, Any, None]) -> str | None:
        """Call a method of a daemon for at most `limit` seconds. None on success, else the reason.

        The call has a task of its own: one that ignores its cancellation must not block the supervisor.
        """
        task = asyncio.create_task(call)
        try:
            done, _ = await asyncio.wait({task}, timeout=limit)
            return self._error_of(task) if done else f"{method}() did not return within {limit:g} s and was cancelled."
        finally:
            task.cancel()
            _, running = await asyncio.wait({task}, timeout=self._timing.margin)
            if running:
                self._log.error("service.call_not_cancelled", method=method)

    async def _report(
        self,
        state: ServiceState,
        desired: DesiredState,
        *,
        started_at: datetime | None = None,
        error: str | None = None,
    ) -> None:
        now = datetime.now(UTC)
        await self._lease.report(Report(self._lease.fence, state, desired.generation, started_at, now, error))

    async def _release(self) -> None:
        """Release the lease, so that another process can acquire it at once. On failure it expires by itself."""
        try:
            async with asyncio.timeout(self._timing.interval):
                await self._lease.release()
        except (RedisError, TimeoutError) as error:
            self._log.warning("service.lease.not_released", error=self._reason(error))

    def _error_of(self, task: asyncio.Task[None]) -> str | None:
        """Why a finished task failed. None on success."""
        if task.cancelled():
            return "It cancelled itself."
        error = task.exception()
        return self._reason(error) if error else None

    def _reason(self, error: BaseException) -> str:
        return reason(error, self._secrets)


async def _wait_for_end(daemon: Daemon) -> None:
    """Return or raise when the daemon ends by itself. Never for a daemon without `wait`."""
    if isinstance(daemon, Watched):
        await daemon.wait()
    else:
        await asyncio.Event().wait()
