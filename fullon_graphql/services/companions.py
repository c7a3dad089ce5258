"""Tasks of the services process beside the services: the delivery of webhooks.

An administrator cannot stop them, unlike a service. Of several processes one works, and the others wait for its end.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fullon_graphql.background import BackgroundTasks
from fullon_graphql.daemons.daemon import Resources
from fullon_graphql.observability.metrics import Metrics
from fullon_graphql.services.change_feed.reader import ChangeFeed
from fullon_graphql.services.webhooks import deliverer
from fullon_graphql.services.webhooks.deliverer import WebhookDeliverer


@asynccontextmanager
async def companions(resources: Resources, tasks: BackgroundTasks, metrics: Metrics) -> AsyncIterator[None]:
    """Run them for the duration of the block."""
    settings, database = resources.settings, resources.database
    async with ChangeFeed(database, resources.redis, settings.db_timeout, tasks) as changes:
        webhooks = WebhookDeliverer(database, settings, metrics, changes)
        async with tasks.running({deliverer.TASK: webhooks.run}):
            yield
