"""Webhooks under faults: every event of their filters arrives, in order and signed, and a repetition has the same id."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

import httpx

from tests.fixtures.endpoint import LOST_ANSWER, Endpoint, Received, endpoint
from tests.fixtures.rows import ADMIN, TRADER
from tests.fixtures.server import bearer
from tests.services.webhooks.recipe import is_genuine
from tests.torture.clients import Event
from tests.torture.deployment import Deployment
from tests.torture.outcome import Outcome

ANSWERS: Final = (503, LOST_ANSWER, *[200] * 98)
"""The outcomes of a hundred requests, in any order: each failure costs a pause."""

_CREATE = """mutation ($input: CreateWebhookInput!) {
  createWebhook(input: $input) { secret webhook { webhookId } }
}"""


@dataclass(frozen=True, eq=False)
class WebhookUnderTest:
    """A webhook, and the condition that selects its events in the feed's table."""

    name: str
    uid: int
    filter: dict[str, Any]
    changes: str


WEBHOOKS: Final = (
    WebhookUnderTest("webhook of a trader", TRADER, {"streams": ["ORDERS"]}, f"entity = 'orders' AND uid = {TRADER}"),
    WebhookUnderTest(
        "webhook with a filter",
        ADMIN,
        {"streams": ["ORDERS", "BOT_LOGS"], "kinds": ["CREATED", "DELETED"], "botId": 6},
        "entity IN ('orders', 'bot_log') AND bot_id = 6 AND operation IN ('CREATED', 'DELETED')",
    ),
)


@dataclass(eq=False)
class WebhookReceiver:
    """An endpoint with the events that it has accepted."""

    webhook: WebhookUnderTest
    endpoint: Endpoint
    secret: str = ""
    failures: list[str] = field(default_factory=list)
    _ids: dict[str, str] = field(default_factory=dict)
    """The id of each event, by cursor."""

    def check(self, request: Received) -> None:
        """Check the signature, and that all requests with one event have the same id."""
        event = request.event
        if not is_genuine(self.secret, request.headers["fullon-signature"], request.body):
            self.failures.append(f"{self.webhook.name}: a wrong signature of {request.id}")
        ids = {request.id, event["id"], self._ids.setdefault(event["cursor"], request.id)}
        if len(ids) > 1:
            self.failures.append(f"{self.webhook.name}: one event has the ids {ids}")

    @property
    def events(self) -> list[Event]:
        """Each event once, at its first arrival."""
        bodies = {request.id: request.event for request in self.endpoint.accepted}
        return [Event(body["cursor"], body["type"].partition(".")[2].upper()) for body in bodies.values()]

    def count(self, outcome: Outcome, recorded: list[Event]) -> None:
        """Add the counts and failures of the webhook."""
        events = self.events
        outcome.compare(self.webhook.name, events, recorded)
        outcome.clients["webhooks"] += 1
        outcome.responses["webhooks"] += len(self.endpoint.requests)
        outcome.repeated += len(self.endpoint.accepted) - len(events)
        outcome.failures += self.failures


@asynccontextmanager
async def receiving(deployment: Deployment, random: Random) -> AsyncIterator[list[WebhookReceiver]]:
    """The webhooks, each with an endpoint that refuses some requests and loses some answers."""
    async with AsyncExitStack() as stack:
        yield [
            await _receiver(deployment, webhook, await stack.enter_async_context(endpoint()), random)
            for webhook in WEBHOOKS
        ]


async def _receiver(
    deployment: Deployment, webhook: WebhookUnderTest, receiving_endpoint: Endpoint, random: Random
) -> WebhookReceiver:
    receiving_endpoint.statuses = [status for _ in range(100) for status in random.sample(ANSWERS, len(ANSWERS))] + [
        200
    ]
    receiver = WebhookReceiver(webhook, receiving_endpoint)
    receiving_endpoint.on_request = receiver.check
    variables = {"input": {"name": "torture", "url": receiving_endpoint.url, **webhook.filter}}
    async with httpx.AsyncClient(
        base_url=deployment.url, headers=bearer(deployment.tokens[webhook.uid]), timeout=60
    ) as client:
        response = await client.post("/graphql", json={"query": _CREATE, "variables": variables})
    assert "errors" not in response.json(), response.text
    receiver.secret = response.json()["data"]["createWebhook"]["secret"]
    return receiver
