"""Delivers events to webhooks: at least once, in order, from a cursor per webhook.

Of all services processes one delivers, which holds an advisory lock of PostgreSQL. All webhooks share one reader of the
change feed; each has a task and a mailbox of its own, bounded in events and bytes, so a slow endpoint delays no other.
The cursor moves after an answer 2xx only. A process that is killed between the answer and the cursor's write sends the
event again, with the same id.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import aclosing, asynccontextmanager
from functools import partial
from http import HTTPStatus
from typing import Any, Final

import asyncpg
import structlog
from sqlalchemy import Row

from fullon_graphql.background import Ready
from fullon_graphql.config import Settings
from fullon_graphql.database import Database
from fullon_graphql.database.sole_process import sole_process
from fullon_graphql.errors import BadUserInput, CursorExpired, is_transient
from fullon_graphql.models import OWN_SCHEMA
from fullon_graphql.observability.metrics import Metrics
from fullon_graphql.services.change_feed.reader import ChangeFeed
from fullon_graphql.services.change_feed.table import Change, Interest, Position, stored
from fullon_graphql.services.webhooks import signing, streams
from fullon_graphql.services.webhooks.addresses import RefusedAddressError, parse_url, resolve
from fullon_graphql.services.webhooks.delivery_log import Attempt, DeliveryLog, Target
from fullon_graphql.services.webhooks.editing import WebhookState
from fullon_graphql.services.webhooks.requests import NoAnswerError, post

log = structlog.get_logger(__name__)

TASK: Final = "webhooks"
"""Name of the task."""
LOCK: Final = 0x776562686F6F6B  # "webhook"
"""The advisory lock of the deliverer."""
REFRESH_SECONDS: Final = 1.0
"""Pause between two reads of the webhooks."""
HOUSEKEEPING_SECONDS: Final = 60.0
RETRY_SECONDS: Final = 2.0
"""Pause while a store does not answer."""
OWN_ERRORS: Final = 10
"""Errors of ours in a row, each after a longer pause, after which a webhook fails: several minutes."""
OWN_ERROR: Final = (
    "The server has an error of its own, and cannot send it. Its log has the error (`webhook.interrupted`)."
)
LONGEST_PAUSE: Final = 3600.0
"""Longest pause between two attempts, in seconds."""

_NEWEST: Final = f"""
    SELECT xid, seq FROM {OWN_SCHEMA}.changes
    WHERE xid < pg_snapshot_xmin(pg_current_snapshot())::text::bigint ORDER BY xid DESC, seq DESC LIMIT 1
"""  # noqa: S608  # the schema's name is a constant of ours


def backoff(failures: int) -> float:
    """Seconds until the attempt after so many failed ones: about 1, 2, 4 and so on, up to `LONGEST_PAUSE`."""
    return min(2.0 ** min(failures - 1, 20), LONGEST_PAUSE) * random.uniform(0.5, 1.0)  # noqa: S311  # no secret


class WebhookDeliverer:
    """The deliverer of one process, or its standby."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        metrics: Metrics,
        changes: ChangeFeed,
        *,
        pause_after: Callable[[int], float] = backoff,
        refresh_seconds: float = REFRESH_SECONDS,
    ) -> None:
        self._database = database
        self._settings = settings
        self._changes = changes
        self._refresh_seconds = refresh_seconds
        self._log = DeliveryLog(database, settings)
        self._sender = _Sender(settings, metrics)
        self._pause_after = pause_after
        self._lanes: dict[int, _Lane] = {}
        self._tests: dict[int, asyncio.Task[None]] = {}
        metrics.webhooks.set_function(lambda: len(self._lanes))
        metrics.webhook_oldest_undelivered.set_function(self._oldest_age)

    async def run(self, ready: Ready) -> None:
        """Deliver until an error or cancellation. Afterwards it may run again."""
        async with sole_process(self._database, "webhooks", LOCK, ready) as connection:
            try:
                await self._deliver_all(connection, ready)
            finally:
                await _ended([*(lane.task for lane in self._lanes.values()), *self._tests.values()])
                self._lanes, self._tests = {}, {}

    async def _deliver_all(self, connection: asyncpg.Connection, ready: Ready) -> None:
        housekeeping_at = 0.0
        while True:
            async with asyncio.timeout(self._settings.db_timeout):
                await connection.fetchval("SELECT 1")  # the lock is held as long as its connection lives
            await self._refresh(await self._log.targets())
            await self._start_tests()
            if time.monotonic() >= housekeeping_at:
                housekeeping_at = time.monotonic() + HOUSEKEEPING_SECONDS
                await self._log.trim()
                await self._advance_idle_cursors()
            ready()
            await asyncio.sleep(self._refresh_seconds)

    async def _refresh(self, targets: list[Target]) -> None:
        """Run one task for each of these webhooks, and none for any other."""
        wanted = {target.webhook_id: target for target in targets if target.interest}
        is_obsolete = {
            webhook_id: lane.task.done() or webhook_id not in wanted or wanted[webhook_id].course != lane.course
            for webhook_id, lane in self._lanes.items()
        }
        obsolete = [self._lanes.pop(webhook_id) for webhook_id, so in is_obsolete.items() if so]
        await _ended([lane.task for lane in obsolete])
        for webhook_id, target in wanted.items():
            if webhook_id not in self._lanes and (interest := target.interest):
                self._lanes[webhook_id] = _Lane(self, target, interest)

    async def _start_tests(self) -> None:
        self._tests = {key: task for key, task in self._tests.items() if not task.done()}
        for row, target in await self._log.tests():
            if row.delivery_id not in self._tests:
                self._tests[row.delivery_id] = asyncio.create_task(self._test(row, target), name="webhook test")

    async def _test(self, row: Row[Any], target: Target) -> None:
        body = streams.encode(row.event_id, row.event_type, None, row.created_at.timestamp(), None)
        try:
            attempt = await self._sender.send(target, row.event_id, row.event_type, None, body)
        except Exception as error:  # any error: it would be tried again every second
            log.warning("webhook.interrupted", webhook=target.webhook_id, error=repr(error), exc_info=True)
            attempt = Attempt(row.event_id, row.event_type, None, None, OWN_ERROR, 0.0)
        await self._log.tested(row.delivery_id, attempt)

    async def _advance_idle_cursors(self) -> None:
        """Move the cursors of webhooks without events, so that they do not expire.

        The newest position is read first: all changes up to it are visible, and none of them is for the webhook.
        """
        newest = await self._database.records(_NEWEST)
        if not newest:
            return
        position = Position(*newest[0])
        for lane in self._lanes.values():
            if lane.event_at is None and (target := await self._log.target(lane.webhook_id)):
                await self._advance_idle(lane, target, position)

    async def _advance_idle(self, lane: _Lane, target: Target, position: Position) -> None:
        try:
            found = await stored(self._database, lane.interest, target.position)
        except CursorExpired:
            return  # the task of the webhook reports it
        if position > target.position and not found:
            await self._log.advance_idle(target, position)

    async def follow(self, lane: _Lane) -> None:
        """Deliver the events of one webhook until it is stopped, or nothing is delivered to it any more."""
        while True:
            try:
                await self._follow(lane)
            except Exception as error:  # any error: no webhook may end the others
                is_own = not is_transient(error)
                log.warning("webhook.interrupted", webhook=lane.webhook_id, error=repr(error), exc_info=is_own)
            else:
                return
            lane.own_errors += is_own
            await asyncio.sleep(self._pause_after(lane.own_errors) if is_own else RETRY_SECONDS)

    async def _follow(self, lane: _Lane) -> None:
        if (target := await self._log.target(lane.webhook_id)) is None:
            return
        if lane.own_errors >= OWN_ERRORS:
            await self._log.end(target, WebhookState.FAILED, f"An event could not be delivered. {OWN_ERROR}")
            return
        try:
            await self._deliver_from(lane, target)
        except CursorExpired:
            await self._log.end(target, WebhookState.FAILED, "Events that it missed are no longer stored.")

    async def _deliver_from(self, lane: _Lane, target: Target) -> None:
        """Deliver the events after the webhook's cursor."""
        async with aclosing(self._changes.follow(lane.interest, target.position)) as batches:
            async for batch in batches:
                for change in batch:
                    if target.kinds and change.kind not in target.kinds:
                        continue
                    lane.event_at = change.at
                    if not await self._deliver(lane, change):
                        return
                    lane.event_at, lane.own_errors = None, 0

    async def _deliver(self, lane: _Lane, change: Change) -> bool:
        """Deliver one event; false if nothing is delivered to the webhook any more."""
        while target := await self._log.target(lane.webhook_id):
            if target.course != lane.course:
                return False  # it starts again with the next refresh
            if wait := target.seconds_to_wait():
                await asyncio.sleep(wait)
                continue
            attempt = await self._attempt(target, change)
            if attempt.is_delivered:
                await self._log.delivered(target, attempt, change.position)
                return True
            await self._record_failure(target, change, attempt)
        return False

    async def _attempt(self, target: Target, change: Change) -> Attempt:
        event_id = f"wh{target.webhook_id}-{change.position.cursor}"
        body = await streams.body_of(self._database, change, event_id, target.owner)
        return await self._sender.send(target, event_id, streams.type_of(change), change.position.cursor, body)

    async def _record_failure(self, target: Target, change: Change, attempt: Attempt) -> None:
        hours = self._settings.change_retention_hours
        if attempt.status == HTTPStatus.GONE:
            await self._log.end(target, WebhookState.DISABLED, "The endpoint has answered 410.", attempt)
        elif change.at + hours * 3600 < time.time():
            reason = f"An event of {hours} hours ago could not be delivered. {attempt.reason}"
            await self._log.end(target, WebhookState.FAILED, reason, attempt)
        else:
            await self._log.failed(target, attempt, self._pause_after(target.failures + 1))

    def _oldest_age(self) -> float:
        waiting = [lane.event_at for lane in self._lanes.values() if lane.event_at is not None]
        return max(0.0, time.time() - min(waiting)) if waiting else 0.0


class _Lane:
    """The delivery to one webhook."""

    def __init__(self, deliverer: WebhookDeliverer, target: Target, interest: Interest) -> None:
        self.webhook_id = target.webhook_id
        self.course = target.course
        self.interest = interest
        self.event_at: float | None = None
        """Unix seconds of the event that is being delivered; None while it waits for one."""
        self.own_errors = 0
        """Errors of ours since the last delivery."""
        self.task = asyncio.create_task(deliverer.follow(self), name=f"webhook {target.webhook_id}")


class _Sender:
    """Sends signed requests, a bounded number of them to each host at the same time."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics
        make_slots = partial(asyncio.Semaphore, settings.webhook_requests_per_host)
        self._slots: defaultdict[str, asyncio.Semaphore] = defaultdict(make_slots)
        self._users: defaultdict[str, int] = defaultdict(int)

    async def send(self, target: Target, event_id: str, event_type: str, cursor: str | None, body: bytes) -> Attempt:
        """Send one event. A failure of any kind is a result."""
        started, status, error = time.monotonic(), None, None
        private = self._settings.webhook_private_networks
        try:
            endpoint = parse_url(target.url, private=private)
            secret = signing.decrypt(self._settings, target.uid, target.secret)
            async with self._slot(endpoint.host):
                started = time.monotonic()
                addresses = await resolve(endpoint, private=private)
                headers = {
                    "Fullon-Signature": signing.sign(secret, int(time.time()), body),
                    "Idempotency-Key": event_id,
                }
                status = await post(endpoint, addresses, headers, body, self._settings.webhook_timeout)
        except (BadUserInput, RefusedAddressError, NoAnswerError) as failure:
            error = str(failure)
        except signing.UnreadableSecretError:
            error = "The secret cannot be decrypted, because JWT_SECRET_KEY has changed: call rotateWebhookSecret."
        attempt = Attempt(event_id, event_type, cursor, status, error, time.monotonic() - started)
        self._metrics.webhook_deliveries.add(_outcome(attempt))
        return attempt

    @asynccontextmanager
    async def _slot(self, host: str) -> AsyncIterator[None]:
        """Wait until fewer requests than allowed run to a host."""
        self._users[host] += 1
        try:
            async with self._slots[host]:
                yield
        finally:
            self._users[host] -= 1
            if not self._users[host]:
                del self._users[host], self._slots[host]


def _outcome(attempt: Attempt) -> str:
    """The label of the metric."""
    if attempt.is_delivered:
        return "delivered"
    return "refused" if attempt.status is not None else "unanswered"


async def _ended(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel tasks and wait until all of them have ended."""
    cancelled = list(tasks)
    for task in cancelled:
        task.cancel()
    await asyncio.gather(*cancelled, return_exceptions=True)
