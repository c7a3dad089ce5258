"""Queries and mutations about webhooks."""

from __future__ import annotations

from typing import Annotated

import strawberry

from fullon_graphql.engine.fields.connection import Connection
from fullon_graphql.engine.fields.mutations import change, given, row_of
from fullon_graphql.engine.fields.root import root_connection, root_row
from fullon_graphql.schema.support.arguments import WhichWebhook
from fullon_graphql.schema.webhooks import (
    CreateWebhookInput,
    UpdateWebhookInput,
    Webhook,
    WebhookDelivery,
    WebhookWithSecret,
)
from fullon_graphql.services.webhooks import editing
from fullon_graphql.services.writing.executor import Key, UnitOfWork


@strawberry.type
class WebhookQueries:
    webhooks: Connection[Webhook] = root_connection(
        "The webhooks you may see, by key: your own, or all for administrators.", Webhook
    )
    webhook: Webhook | None = root_row("The webhook with this key; null if there is none you may see.", Webhook)


NewWebhook = Annotated[CreateWebhookInput, strawberry.argument(name="input", description="The webhook.")]
ChangedWebhook = Annotated[UpdateWebhookInput, strawberry.argument(name="input", description="The changes.")]


async def _shown(write: UnitOfWork, key: Key) -> WebhookWithSecret:
    return WebhookWithSecret(secret=write.shown_once, webhook=await row_of(Webhook)(write, key))


@strawberry.type
class WebhookMutations:
    @change(WebhookWithSecret, "Create a webhook of your own. It receives the events from now on.", _shown)
    async def create_webhook(self, write: UnitOfWork, webhook: NewWebhook) -> int:
        return await editing.create(write, given(webhook))

    @change(Webhook, "Change, pause or activate a webhook.")
    async def update_webhook(self, write: UnitOfWork, webhook: ChangedWebhook) -> int:
        values = given(webhook, "webhook_id", "active")
        return await editing.change(write, webhook.webhook_id, values, given(webhook).get("active"))

    @change(bool, "Delete a webhook with its log.")
    async def delete_webhook(self, write: UnitOfWork, webhook_id: WhichWebhook) -> bool:
        return await editing.remove(write, webhook_id)

    @change(
        WebhookWithSecret,
        "Replace the secret of a webhook. Requests are signed with the new one at once: let your program accept both"
        " before.",
        _shown,
    )
    async def rotate_webhook_secret(self, write: UnitOfWork, webhook_id: WhichWebhook) -> int:
        return await editing.rotate_secret(write, webhook_id)

    @change(
        WebhookDelivery,
        "Send an event of the type `webhook.test` to a webhook, also to a paused one. The services process sends it;"
        " read the outcome in `webhook { deliveries }`.",
    )
    async def test_webhook(self, write: UnitOfWork, webhook_id: WhichWebhook) -> int:
        return await editing.test(write, webhook_id)
