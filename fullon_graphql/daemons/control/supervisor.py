"""One worker's time in charge of one service: from the lease it has won to the lease it gives back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import structlog
from redis.exceptions import RedisError

from fullon_graphql.daemons.control.bell import Bell
from fullon_graphql.daemons.control.desired_state import DesiredState
from fullon_graphql.daemons.control.lease import Lease, LeaseLostError
from fullon_graphql.daemons.control.state import Order, Report, ServiceState, Timing, backoff
from fullon_graphql.daemons.daemon import Daemon, Watched
from fullon_graphql.observability.redaction import reason

log = structlog.get_logger(__name__)


class Supervisor:
    """Runs a daemon as ordered for as long as the lease can be renewed, and not a moment longer."""

    def __init__(
        self,
        lease: Lease,
        make_daemon: Callable[[], Awaitable[Daemon]],
        board: DesiredState,
        bell: Bell,
        *,
        timing: Timing,
        secrets: Collection[str] = (),
    ) -> None:
        self._lease = lease
        self._make_daemon = make_daemon
        self._board = board
        self._bell = bell
        self._timing = timing
        self._secrets = secrets
        self._fence = asyncio.timeout_at(lease.expires - timing.margin)
        self._stop_problem: str | None = None
        self._log = log.bind(service=lease.name.value, fence=lease.fence)

    async def serve(self) -> None:
        """Return when the service has been ordered to stop, or when the lease could not be renewed.

        Raises:
            LeaseLostError: Redis says that the lease has run out.
            RedisError: a report could not be made. In both cases the daemon has been stopped.
        """
        try:
            async with self._fence:
                await self._obey_while_renewing()
        except TimeoutError:
            self._log.error("service.lease.lost", action="the daemon was stopped before another worker may start it")
        finally:
            await self._give_back()

    async def _obey_while_renewing(self) -> None:
        keeper = asyncio.create_task(self._keep_lease())
        try:
            await self._obey()
        finally:  # renewed to the end: the daemon stops in here, however we leave
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)

    async def _keep_lease(self) -> None:
        """Renew the lease time and again; each success pushes the fence further off."""
        while True:
            await asyncio.sleep(self._timing.interval)
            try:
                await self._lease.renew()
            except LeaseLostError:
                self._move_fence(asyncio.get_running_loop().time())
                return
            except RedisError as error:
                self._log.warning("service.lease.not_renewed", error=self._reason(error))
            else:
                self._move_fence(self._lease.expires - self._timing.margin)

    def _move_fence(self, when: float) -> None:
        if not self._fence.expired():
            self._fence.reschedule(when)

    async def _obey(self) -> None:
        """Run the daemon for as long as it is ordered to run, again and again where it breaks."""
        failures = 0
        while (order := await self._board.order(self._lease.name)).running:
            began = asyncio.get_running_loop().time()
            problem = await self._run(order)
            if problem is None:
                failures = 0
                continue
            lasted = asyncio.get_running_loop().time() - began
            failures = 1 if lasted > self._timing.longest_backoff else failures + 1
            pause = backoff(failures, self._timing)
            self._log.error("service.failed", error=problem, failures=failures, retry_in=pause)
            await self._report(ServiceState.FAILED, order, error=problem)
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._superseded(order)
                    failures = 0  # somebody asked to try again: with fresh courage
        await self._report(ServiceState.STOPPED, order, error=self._stop_problem)

    async def _run(self, order: Order) -> str | None:
        """Run a daemon until there is another order (None) or it breaks (why)."""
        await self._report(ServiceState.STARTING, order)
        try:
            daemon = await self._make_daemon()
        except Exception as error:
            return self._reason(error)
        try:
            if problem := await self._within(self._timing.start, "start", daemon.start()):
                return problem
            self._log.info("service.running", order=order.number)
            await self._report(ServiceState.RUNNING, order, started_at=datetime.now(UTC))
            if problem := await self._watch(daemon, order):
                return problem
            await self._report(ServiceState.STOPPING, order)
            return None
        finally:
            await self._stop(daemon)

    async def _watch(self, daemon: Daemon, order: Order) -> str | None:
        """Wait until there is another order (None) or the daemon ends by itself (why)."""
        change = asyncio.create_task(self._superseded(order))
        end = asyncio.create_task(_end_of(daemon))
        try:
            await asyncio.wait({change, end}, return_when=asyncio.FIRST_COMPLETED)
            return None if change.done() else self._problem(end) or "It ended by itself."
        finally:
            change.cancel()
            end.cancel()
            await asyncio.gather(change, end, return_exceptions=True)

    async def _superseded(self, order: Order) -> None:
        """Return when an order other than this one stands. While Redis is silent, none does."""
        while True:
            ring = self._bell.next(self._lease.name)
            with suppress(RedisError):
                if await self._board.order(self._lease.name) != order:
                    return
            await ring.wait(self._timing.interval)

    async def _stop(self, daemon: Daemon) -> None:
        """Stop a daemon. Behind the fence there is only the margin left for it."""
        limit = min(self._timing.stop, self._timing.margin) if self._fence.expired() else self._timing.stop
        self._stop_problem = await self._within(limit, "stop", daemon.stop())
        if self._stop_problem:
            self._log.error("service.stop_failed", error=self._stop_problem)

    async def _within(self, limit: float, what: str, work: Coroutine[Any, Any, None]) -> str | None:
        """Let a daemon's method work for so many seconds, then cancel it: why it did not succeed, or None.

        It has a task of its own, because one that does not heed its cancellation must not hold us up.
        """
        task = asyncio.create_task(work)
        try:
            done, _ = await asyncio.wait({task}, timeout=limit)
            return self._problem(task) if done else f"{what}() did not return within {limit:g} s and was cancelled."
        finally:
            task.cancel()
            _, deaf = await asyncio.wait({task}, timeout=self._timing.margin)
            if deaf:
                self._log.error("service.left_behind", what=f"{what}() goes on although it was cancelled")

    async def _report(
        self, state: ServiceState, order: Order, *, started_at: datetime | None = None, error: str | None = None
    ) -> None:
        now = datetime.now(UTC)
        await self._lease.report(Report(self._lease.fence, state, order.number, started_at, now, error))

    async def _give_back(self) -> None:
        """Let another worker in at once. Where that fails, the lease runs out by itself."""
        try:
            async with asyncio.timeout(self._timing.interval):
                await self._lease.release()
        except (RedisError, TimeoutError) as error:
            self._log.warning("service.lease.not_released", error=self._reason(error))

    def _problem(self, task: asyncio.Task[None]) -> str | None:
        """Why a task that is done did not succeed, or None."""
        if task.cancelled():
            return "It was cancelled by itself."
        error = task.exception()
        return self._reason(error) if error else None

    def _reason(self, error: BaseException) -> str:
        return reason(error, self._secrets)


async def _end_of(daemon: Daemon) -> None:
    """Return or raise when the daemon ends by itself; never, where it does not tell."""
    if isinstance(daemon, Watched):
        await daemon.wait()
    else:
        await asyncio.Event().wait()
