"""Webhooks and the log of their deliveries."""

from __future__ import annotations

import strawberry

from fullon_graphql import models
from fullon_graphql.engine.fields.connection import Connection
from fullon_graphql.engine.fields.relation import connection, to_one
from fullon_graphql.engine.model.columns import column
from fullon_graphql.engine.model.entities import entity
from fullon_graphql.engine.model.relations import relation
from fullon_graphql.schema.support.enums import described
from fullon_graphql.schema.support.inputs import optional, required
from fullon_graphql.schema.support.nodes import Node
from fullon_graphql.schema.support.references import BotRef, UserRef, WebhookDeliveryRef
from fullon_graphql.schema.support.scalars import DateTime
from fullon_graphql.services.change_feed.table import ChangeKind
from fullon_graphql.services.webhooks.editing import DeliveryOutcome, WebhookState
from fullon_graphql.services.webhooks.streams import WebhookStream

described(
    WebhookStream,
    "A stream of events for webhooks: your rows, or all rows for administrators.",
    {
        WebhookStream.ORDERS: "Changes of orders, as the subscription `orders` has them.",
        WebhookStream.TRADES: "Changes of trades. They have no bot.",
        WebhookStream.DRY_TRADES: "Changes of simulated trades.",
        WebhookStream.BOT_LOGS: "Log lines of bots.",
        WebhookStream.BOTS: "Changes of bots: created, changed, started, stopped and deleted.",
        WebhookStream.ALERTS: "Alerts that your rules raise.",
        WebhookStream.AUDIT_LOG: "The audit log, for administrators. They have no bot.",
    },
)
described(
    WebhookState,
    "State of a webhook.",
    {
        WebhookState.ACTIVE: "Events are delivered.",
        WebhookState.PAUSED: "The owner has paused it. Events are kept for as long as streams can be resumed.",
        WebhookState.FAILED: "An event could not be delivered for as long as events are kept, or because of an error of"
        " the server. See `reason`.",
        WebhookState.DISABLED: "The endpoint has answered 410 (Gone).",
    },
)
described(
    DeliveryOutcome,
    "Outcome of an attempt to deliver an event.",
    {
        DeliveryOutcome.PENDING: "A test that waits to be sent.",
        DeliveryOutcome.DELIVERED: "The endpoint has answered 2xx.",
        DeliveryOutcome.FAILED: "There was no answer, or another one. See `error`.",
    },
)


@entity(models.Webhook)
class Webhook(Node):
    """An address that receives events by POST, signed and at least once. Its secret is returned once, at creation."""

    webhook_id: int = column("Key of the webhook.")
    uid: int = column("`uid` of the owner, whose events are delivered.")
    name: str = column("Name chosen by the owner.")
    url: str = column("Address that receives the events.")
    streams: list[str] = column("Streams of events that are delivered, by the names of `WebhookStream`.")
    kinds: list[str] = column("Kinds of changes that are delivered, by the names of `ChangeKind`; empty for all kinds.")
    bot_id: int | None = column("Only events of this bot are delivered; null for all events.")
    state: WebhookState = column("State of the webhook.", filterable=True)
    reason: str | None = column("Why it has failed or was disabled; null if it was not.")
    failures: int = column("Failed attempts since the last delivery.")
    next_attempt_at: DateTime | None = column(
        "Earliest time of the next attempt; null if the last one did not fail.", filterable=True
    )
    delivered_at: DateTime | None = column("Time of the last delivery; null if there was none.", filterable=True)
    created_at: DateTime = column("Time of creation.", filterable=True)

    user: UserRef = to_one("The owner.", relation("User", "uid", models.User.uid))
    bot: BotRef | None = to_one(
        "The bot whose events are delivered; null for all events, and if the bot no longer exists.",
        relation("Bot", "bot_id", models.Bot.bot_id),
    )
    deliveries: Connection[WebhookDeliveryRef] = connection(
        "The log of attempts, by key: the oldest first, unless `orderBy` says otherwise. Only the newest"
        " `WEBHOOK_LOG_ENTRIES` attempts are kept.",
        relation("WebhookDelivery", "webhook_id", models.WebhookDelivery.webhook_id),
    )


@entity(models.WebhookDelivery)
class WebhookDelivery(Node):
    """An attempt to deliver an event to a webhook."""

    delivery_id: int = column("Key of the attempt.")
    webhook_id: int = column("Key of the webhook.")
    event_id: str = column("Id of the event: `id` of the request's body and its header `Idempotency-Key`.")
    event_type: str = column("Type of the event, e.g. `orders.created`, or `webhook.test`.", filterable=True)
    event_cursor: str | None = column("Position of the event: the `cursor` of subscriptions; null for a test.")
    attempt: int = column("Number of the attempt for this event, from 1.")
    outcome: DeliveryOutcome = column("Outcome of the attempt.", filterable=True)
    status_code: int | None = column("HTTP status of the answer; null without an answer.", filterable=True)
    error: str | None = column("Why the event was not delivered; null if it was.")
    duration_ms: float | None = column("Time until the answer or the failure, in milliseconds.")
    next_attempt_at: DateTime | None = column("Earliest time of the next attempt; null if there is none.")
    created_at: DateTime = column("Time of the attempt; for a test, of its request.", filterable=True)


@strawberry.input(description="A new webhook.")
class CreateWebhookInput:
    name: str = required("Name of the webhook in lists.")
    url: str = required("Address that receives the events: https, and not in a private network.")
    streams: list[WebhookStream] = required("Streams of events to deliver.")
    kinds: list[ChangeKind] | None = optional(
        "Kinds of changes to deliver: CREATED, UPDATED, DELETED; by default all of them.", None
    )
    bot_id: int | None = optional("Deliver only events of this bot; by default all events.", None)


@strawberry.input(description="Changes of a webhook; omitted fields keep their values.")
class UpdateWebhookInput:
    webhook_id: int = required("Key of the webhook.")
    name: str | None = optional("Name of the webhook in lists.")
    url: str | None = optional("Address that receives the events.")
    streams: list[WebhookStream] | None = optional("Streams of events to deliver.")
    kinds: list[ChangeKind] | None = optional("Kinds of changes to deliver; an empty list for all kinds.")
    bot_id: int | None = optional("Deliver only events of this bot; null for all events.")
    active: bool | None = optional(
        "False pauses the webhook. True activates it again: after the last delivered event, or with the next event if"
        " its state is FAILED."
    )


@strawberry.type(description="A webhook with its secret, which is returned only here.")
class WebhookWithSecret:
    secret: str | None = strawberry.field(
        description="The key of the signatures. Null if the mutation is repeated with its `idempotencyKey`."
    )
    webhook: Webhook = strawberry.field(description="The webhook.")
