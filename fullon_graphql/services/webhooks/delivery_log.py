"""The statements of the delivery of webhooks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, Final, Self

from sqlalchemy import ColumnElement, Row, and_, delete, func, insert, select, text, tuple_, update

from fullon_graphql.config import Settings
from fullon_graphql.database import Database
from fullon_graphql.models import OWN_SCHEMA, User, Webhook, WebhookDelivery
from fullon_graphql.services.change_feed.table import Interest, Position
from fullon_graphql.services.user_admin import is_administrator
from fullon_graphql.services.webhooks.editing import DeliveryOutcome, WebhookState
from fullon_graphql.services.webhooks.streams import interest_of

TRIM_BATCH: Final = 10_000
"""Most entries of the log that one statement deletes."""
LONGEST_ERROR: Final = 200


@dataclass(frozen=True, slots=True)
class Target:
    """A webhook whose events are delivered, with the present rights of its owner."""

    webhook_id: int
    uid: int
    is_admin: bool
    url: str
    secret: bytes
    streams: tuple[str, ...]
    kinds: tuple[str, ...]
    bot_id: int | None
    position: Position
    failures: int
    next_attempt_at: datetime | None

    @classmethod
    def from_row(cls, row: Row[Any], settings: Settings) -> Self:
        """The target of a row of a webhook and its owner."""
        return cls(
            row.webhook_id,
            row.uid,
            is_administrator(settings, row.mail, row.role),
            row.url,
            row.secret,
            tuple(row.streams),
            tuple(row.kinds),
            row.bot_id,
            Position(row.cursor_xid, row.cursor_seq),
            row.failures,
            row.next_attempt_at,
        )

    @property
    def owner(self) -> int | None:
        """The user whose rows are visible; None for all rows."""
        return None if self.is_admin else self.uid

    @property
    def interest(self) -> Interest | None:
        """The changes to deliver; None if the owner may see none of its streams."""
        return interest_of(self.streams, self.bot_id, self.uid, is_admin=self.is_admin)

    @property
    def course(self) -> tuple[object, ...]:
        """The values that select the events and their recipient; the delivery starts again when one changes."""
        return self.is_admin, self.url, self.streams, self.kinds, self.bot_id

    def seconds_to_wait(self) -> float:
        """Seconds until the next attempt may be made; 0 if it may be made now."""
        if self.next_attempt_at is None:
            return 0.0
        return max(0.0, (self.next_attempt_at - datetime.now(UTC)).total_seconds())


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request that was made, or refused before it was made."""

    event_id: str
    event_type: str
    cursor: str | None
    status: int | None
    error: str | None
    seconds: float

    @property
    def is_delivered(self) -> bool:
        """True if the endpoint has accepted the event."""
        return self.status is not None and HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def outcome(self) -> DeliveryOutcome:
        """The outcome for the log."""
        return DeliveryOutcome.DELIVERED if self.is_delivered else DeliveryOutcome.FAILED

    @property
    def reason(self) -> str | None:
        """Why it was not delivered."""
        if self.is_delivered:
            return None
        return (self.error or f"The answer was {self.status}, not 2xx.")[:LONGEST_ERROR]

    def values(self) -> dict[str, Any]:
        """The columns of the log that an attempt decides."""
        return {
            "outcome": self.outcome,
            "status_code": self.status,
            "error": self.reason,
            "duration_ms": round(self.seconds * 1_000, 1),
        }


_TARGETS = select(*Webhook.__table__.columns, User.mail, User.role).join(
    User, and_(User.uid == Webhook.uid, User.active)
)


class DeliveryLog:
    """Reads the webhooks to deliver to, and records deliveries."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings

    async def targets(self) -> list[Target]:
        """The webhooks whose events are delivered: the active ones of active users."""
        return await self._targets(Webhook.state == WebhookState.ACTIVE)

    async def target(self, webhook_id: int) -> Target | None:
        """One of them; None if nothing is delivered to it now."""
        found = await self._targets(and_(Webhook.webhook_id == webhook_id, Webhook.state == WebhookState.ACTIVE))
        return next(iter(found), None)

    async def tests(self) -> list[tuple[Row[Any], Target]]:
        """The tests that wait to be sent, each with its webhook, also an inactive one."""
        pending = select(WebhookDelivery).where(WebhookDelivery.outcome == DeliveryOutcome.PENDING).limit(100)
        rows = await self._database.rows(pending)
        if not rows:
            return []
        targets = await self._targets(Webhook.webhook_id.in_({row.webhook_id for row in rows}))
        by_id = {target.webhook_id: target for target in targets}
        return [(row, by_id[row.webhook_id]) for row in rows if row.webhook_id in by_id]

    async def _targets(self, condition: ColumnElement[bool]) -> list[Target]:
        rows = await self._database.rows(_TARGETS.where(condition))
        return [Target.from_row(row, self._settings) for row in rows]

    async def delivered(self, target: Target, attempt: Attempt, position: Position) -> None:
        """Record a delivery and move the cursor after it."""
        async with self._database.transaction() as connection:
            await connection.execute(insert(WebhookDelivery).values(self._entry(target, attempt, None)))
            moved = {"cursor_xid": position.xid, "cursor_seq": position.seq, "delivered_at": func.now()}
            await connection.execute(
                update(Webhook)
                .where(Webhook.webhook_id == target.webhook_id)
                .values(moved | {"failures": 0, "next_attempt_at": None})
            )

    async def failed(self, target: Target, attempt: Attempt, pause: float) -> None:
        """Record an attempt that has failed; the next one is made after `pause` seconds."""
        again = datetime.now(UTC) + timedelta(seconds=pause)
        async with self._database.transaction() as connection:
            await connection.execute(insert(WebhookDelivery).values(self._entry(target, attempt, again)))
            await connection.execute(
                update(Webhook)
                .where(Webhook.webhook_id == target.webhook_id)
                .values(failures=Webhook.failures + 1, next_attempt_at=again)
            )

    async def tested(self, delivery_id: int, attempt: Attempt) -> None:
        """Record the outcome of a test."""
        async with self._database.transaction() as connection:
            await connection.execute(
                update(WebhookDelivery).where(WebhookDelivery.delivery_id == delivery_id).values(attempt.values())
            )

    async def end(self, target: Target, state: WebhookState, reason: str, attempt: Attempt | None = None) -> None:
        """Deliver nothing more to a webhook, and say why."""
        async with self._database.transaction() as connection:
            if attempt:
                await connection.execute(insert(WebhookDelivery).values(self._entry(target, attempt, None)))
            await connection.execute(
                update(Webhook)
                .where(Webhook.webhook_id == target.webhook_id, Webhook.state == WebhookState.ACTIVE)
                .values(state=state, reason=reason)
            )

    async def advance_idle(self, target: Target, position: Position) -> None:
        """Move the cursor of a webhook without events after it, unless a delivery has moved it meanwhile."""
        cursor = tuple_(Webhook.cursor_xid, Webhook.cursor_seq)
        async with self._database.transaction() as connection:
            await connection.execute(
                update(Webhook)
                .where(Webhook.webhook_id == target.webhook_id, cursor == tuple(target.position))
                .values(cursor_xid=position.xid, cursor_seq=position.seq)
            )

    async def trim(self) -> None:
        """Delete the oldest entries of each webhook, beyond WEBHOOK_LOG_ENTRIES, and webhooks of deleted users."""
        async with self._database.transaction() as connection:
            await connection.execute(_TRIM, {"most": self._settings.webhook_log_entries, "batch": TRIM_BATCH})
            await connection.execute(delete(Webhook).where(Webhook.uid.not_in(select(User.uid))))

    def _entry(self, target: Target, attempt: Attempt, again: datetime | None) -> dict[str, Any]:
        return attempt.values() | {
            "webhook_id": target.webhook_id,
            "event_id": attempt.event_id,
            "event_type": attempt.event_type,
            "event_cursor": attempt.cursor,
            "attempt": target.failures + 1,
            "next_attempt_at": again,
        }


_TRIM = text(f"""
    DELETE FROM {OWN_SCHEMA}.webhook_deliveries WHERE delivery_id IN (
        SELECT delivery_id FROM (
            SELECT delivery_id, row_number() OVER (PARTITION BY webhook_id ORDER BY delivery_id DESC) AS number
            FROM {OWN_SCHEMA}.webhook_deliveries
        ) AS numbered WHERE number > :most LIMIT :batch
    )
""")  # noqa: S608  # the schema's name is a constant of ours
