"""Tasks of the services process beside the services: alerts, the delivery of webhooks, and halts of trading.

An administrator cannot stop them, unlike a service. Of several processes one works, and the others wait for its end;
halts of trading are kept by all of them and by the workers.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fullon_graphql.background import BackgroundTasks
from fullon_graphql.cache.hub import Hub
from fullon_graphql.daemons.control.manager import ServiceManager
from fullon_graphql.daemons.daemon import Resources
from fullon_graphql.observability.metrics import Metrics
from fullon_graphql.services.alerts import evaluator
from fullon_graphql.services.alerts.evaluator import AlertEvaluator
from fullon_graphql.services.change_feed.reader import ChangeFeed
from fullon_graphql.services.halt_switches import halting_tasks
from fullon_graphql.services.webhooks import deliverer
from fullon_graphql.services.webhooks.deliverer import WebhookDeliverer
from fullon_graphql.services.writing.executor import ChangeExecutor


@asynccontextmanager
async def companions(resources: Resources, hub: Hub, tasks: BackgroundTasks, metrics: Metrics) -> AsyncIterator[None]:
    """Run them for the duration of the block."""
    settings, database = resources.settings, resources.database
    async with ChangeFeed(database, resources.redis, settings.db_timeout, tasks) as changes:
        webhooks = WebhookDeliverer(database, settings, metrics, changes)
        alerts = AlertEvaluator(database, resources.redis, settings, metrics, hub, changes)
        writes = ChangeExecutor(database, resources.redis, ServiceManager(resources.redis, hub), settings)
        halting = halting_tasks(database, resources.redis, writes)
        async with tasks.running({evaluator.TASK: alerts.run, deliverer.TASK: webhooks.run, **halting}):
            yield
