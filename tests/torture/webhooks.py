"""A webhook under faults: every order of a trader arrives, in order, and a repetition has the id of the first one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random
from typing import Final

import httpx

from tests.fixtures.endpoint import Endpoint, endpoint
from tests.fixtures.rows import TRADER
from tests.torture.clients import Event
from tests.torture.deployment import Deployment
from tests.torture.outcome import Outcome

STREAM: Final = "orders of a trader"
"""The stream of events with the same content."""
REFUSED: Final = 0.03
"""The share of the requests that the endpoint refuses."""

_CREATE = """mutation ($url: String!) {
  createWebhook(input: {name: "torture", url: $url, streams: [ORDERS]}) { webhook { webhookId } }
}"""


@dataclass(frozen=True)
class WebhookReceiver:
    """The events that an endpoint has accepted."""

    endpoint: Endpoint

    @property
    def events(self) -> list[Event]:
        """Each event once, at its first arrival; events with different ids are different."""
        by_id = {request.id: request.event for request in reversed(self.endpoint.accepted)}
        first_to_last = dict.fromkeys(request.id for request in self.endpoint.accepted)
        return [
            Event(by_id[event_id]["cursor"], by_id[event_id]["type"].partition(".")[2].upper())
            for event_id in first_to_last
        ]

    def count(self, outcome: Outcome, recorded: list[Event]) -> None:
        """Add the counts and failures of the webhook."""
        outcome.compare("webhook", self.events, recorded)
        outcome.clients["webhook"] += 1
        outcome.responses["webhook"] += len(self.endpoint.requests)
        outcome.repeated += len(self.endpoint.accepted) - len(self.events)


@asynccontextmanager
async def receiving(deployment: Deployment, random: Random) -> AsyncIterator[WebhookReceiver]:
    """An endpoint that refuses some requests, and a webhook of the trader's to it."""
    async with endpoint() as made:
        made.statuses = [503 if random.random() < REFUSED else 200 for _ in range(5_000)] + [200]
        headers = {"authorization": f"Bearer {deployment.tokens[TRADER]}"}
        async with httpx.AsyncClient(base_url=deployment.url, headers=headers) as client:
            answer = await client.post("/graphql", json={"query": _CREATE, "variables": {"url": made.url}})
        assert "errors" not in answer.json(), answer.text
        yield WebhookReceiver(made)
