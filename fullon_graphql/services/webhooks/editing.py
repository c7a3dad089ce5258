"""Creating and changing webhooks."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import func, select, text

from fullon_graphql.errors import BadUserInput, Conflict
from fullon_graphql.models import Bot, Webhook, WebhookDelivery
from fullon_graphql.observability.metrics import count_limit
from fullon_graphql.services.access import visible_owner
from fullon_graphql.services.change_feed.table import EDGE, ChangeKind
from fullon_graphql.services.webhooks import signing
from fullon_graphql.services.webhooks.addresses import RefusedAddressError, parse_url, resolve
from fullon_graphql.services.webhooks.streams import TABLES, WITHOUT_BOT, WebhookStream
from fullon_graphql.services.writing.checks import not_blank, storable
from fullon_graphql.services.writing.executor import UnitOfWork

LONGEST_NAME: Final = 100
KINDS: Final = (ChangeKind.CREATED, ChangeKind.UPDATED, ChangeKind.DELETED)
TEST_EVENT: Final = "webhook.test"

_COUNT_TURN = text("SELECT pg_advisory_xact_lock(hashtext('fullon_graphql webhooks'), :uid)")


class WebhookState(StrEnum):
    """Whether events are delivered, and if not, why."""

    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    FAILED = "FAILED"
    DISABLED = "DISABLED"


class DeliveryOutcome(StrEnum):
    """Outcome of an attempt."""

    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"


async def create(write: UnitOfWork, values: Mapping[str, Any]) -> int:
    """Create a webhook of the caller's: `name`, `url`, `streams`, `kinds`, `bot_id`. Its events start now.

    The secret is in `write.shown_once`.

    Raises:
        BadUserInput: a value is invalid, or the host is in a private network.
        Conflict: the caller has as many webhooks as allowed.
        Forbidden: the credential may not read one of the streams.
        NotFound: there is no such bot that the caller may see.
    """
    row = await _checked(write, values)
    _check_filter(row["streams"], row.get("bot_id"))
    uid = write.principal.uid
    await _require_room(write, uid)
    secret = write.shown_once = signing.new_secret()
    stored = {"kinds": [], **row, "uid": uid, "secret": signing.encrypt(write.settings, uid, secret)}
    return int((await write.insert(Webhook, stored | await _from_now(write))).webhook_id)


async def change(write: UnitOfWork, webhook_id: int, values: Mapping[str, Any], active: bool | None) -> int:
    """Change a webhook, pause it, or activate it again.

    One that was paused or disabled continues after the last delivered event; one that has failed starts with the next
    event.

    Raises:
        NotFound: there is no such webhook, or bot, that the caller may see.
        BadUserInput, Forbidden: as `create`.
    """
    webhook = await write.find(Webhook, webhook_id)
    row = await _checked(write, values)
    _check_filter(row.get("streams", webhook.streams), row.get("bot_id", webhook.bot_id))
    if active is False:
        row |= {"state": WebhookState.PAUSED, "reason": None}
    elif active and webhook.state != WebhookState.ACTIVE:
        row |= {"state": WebhookState.ACTIVE, "reason": None, "failures": 0, "next_attempt_at": None}
        if webhook.state == WebhookState.FAILED:
            row |= await _from_now(write)
    if "url" in row:
        row |= {"failures": 0, "next_attempt_at": None}
    await write.update(Webhook, webhook, row)
    return webhook_id


async def remove(write: UnitOfWork, webhook_id: int) -> bool:
    """Delete a webhook with its log.

    Raises:
        NotFound: there is no such webhook that the caller may see.
    """
    await write.delete(Webhook, await write.find(Webhook, webhook_id))
    return True


async def rotate_secret(write: UnitOfWork, webhook_id: int) -> int:
    """Replace the secret; the next request is signed with the new one, which is in `write.shown_once`.

    Raises:
        NotFound: there is no such webhook that the caller may see.
    """
    webhook = await write.find(Webhook, webhook_id)
    secret = write.shown_once = signing.new_secret()
    await write.update(Webhook, webhook, {"secret": signing.encrypt(write.settings, webhook.uid, secret)})
    return webhook_id


async def test(write: UnitOfWork, webhook_id: int) -> int:
    """Request a test: the services process sends one event of the type `webhook.test`. Returns the key of its delivery.

    Raises:
        NotFound: there is no such webhook that the caller may see.
        Conflict: a test waits to be sent already.
    """
    webhook = await write.find(Webhook, webhook_id)
    pending = select(WebhookDelivery.delivery_id).where(
        WebhookDelivery.webhook_id == webhook_id, WebhookDelivery.outcome == DeliveryOutcome.PENDING
    )
    if (await write.connection.execute(pending)).first():
        raise Conflict("A test of this webhook waits to be sent. Does the services process run?")
    delivery = {
        "webhook_id": webhook.webhook_id,
        "event_id": f"wh{webhook_id}-test-{uuid4().hex[:12]}",
        "event_type": TEST_EVENT,
        "attempt": 1,
        "outcome": DeliveryOutcome.PENDING,
    }
    return int((await write.insert(WebhookDelivery, delivery)).delivery_id)


async def _checked(write: UnitOfWork, values: Mapping[str, Any]) -> dict[str, Any]:
    not_blank(values, "name")
    row = storable(Webhook, values)
    if len(row.get("name", "")) > LONGEST_NAME:
        raise BadUserInput(f"`name` has more than {LONGEST_NAME} characters.", field="name")
    if "streams" in row:
        row["streams"] = _streams(write, row["streams"])
    if "kinds" in row:
        row["kinds"] = _kinds(row["kinds"])
    if row.get("bot_id") is not None:
        await write.find(Bot, row["bot_id"], lock=False)
    if "url" in row:
        await _check_url(write, row["url"])
    return row


def _streams(write: UnitOfWork, streams: list[str]) -> list[str]:
    """The streams in the order of the enum, each once; the credential in use must be allowed to read them."""
    if not streams:
        raise BadUserInput("`streams` is empty; give at least one, for example ORDERS.", field="streams")
    for name in streams:
        visible_owner(TABLES[WebhookStream(name)], write.principal)
    return [stream.value for stream in WebhookStream if stream in streams]


def _kinds(kinds: list[str]) -> list[str]:
    """The kinds of changes in the order of the enum, each once."""
    if not set(kinds) <= set(KINDS):
        raise BadUserInput(f"`kinds` are {', '.join(KINDS)}; a webhook has no snapshot.", field="kinds")
    return [kind.value for kind in KINDS if kind in kinds]


def _check_filter(streams: list[str], bot_id: int | None) -> None:
    if without := [name for name in streams if WebhookStream(name) in WITHOUT_BOT and bot_id is not None]:
        raise BadUserInput(f"Events of {', '.join(without)} have no bot; leave out `botId`.", field="botId")


async def _check_url(write: UnitOfWork, url: str) -> None:
    private = write.settings.webhook_private_networks
    try:
        await resolve(parse_url(url, private=private), private=private)
    except RefusedAddressError as error:
        raise BadUserInput(str(error), field="url") from None


async def _require_room(write: UnitOfWork, uid: int) -> None:
    await write.connection.execute(_COUNT_TURN, {"uid": uid})  # until the end of the transaction
    owned = await write.connection.scalar(select(func.count()).where(Webhook.uid == uid))
    if owned is not None and owned >= write.settings.webhooks_per_user:
        count_limit("WEBHOOKS_PER_USER")
        raise Conflict(f"You have {owned} webhooks, as many as WEBHOOKS_PER_USER allows; delete one first.")


async def _from_now(write: UnitOfWork) -> dict[str, int]:
    """The cursor before the next event."""
    return {"cursor_xid": int(await write.connection.scalar(text(EDGE)) or 0), "cursor_seq": 0}
