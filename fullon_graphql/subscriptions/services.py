"""Background services, for administrators: the state of each now, and whenever it changes."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Annotated

import strawberry

from fullon_graphql.auth.principal import administrator
from fullon_graphql.cache.watch import Watch
from fullon_graphql.context import Context
from fullon_graphql.daemons.control.state import ServiceName, ServiceStatus
from fullon_graphql.schema.services import Service
from fullon_graphql.streaming.sources import streamed

OneService = Annotated[
    ServiceName | None, strawberry.argument(description="Only this service; all of them unless given.")
]


@dataclass
class Statuses:
    """The status of each service, or of the one called `name`. A heartbeat alone is no change."""

    watch: Watch[None, list[ServiceStatus]]
    name: ServiceName | None
    told: dict[ServiceName, ServiceStatus] = field(default_factory=dict, init=False)

    async def events(self) -> AsyncGenerator[Service, None]:
        async with aclosing(self.watch.states(None)) as looks:
            async for statuses in looks:
                for status in statuses:
                    if self.name in (None, status.name) and self._is_new(status):
                        self.told[status.name] = status
                        yield Service.from_record(status)

    def state(self) -> list[Service]:
        return [Service.from_record(status) for status in self.told.values()]

    def _is_new(self, status: ServiceStatus) -> bool:
        last = self.told.get(status.name)
        return last is None or replace(status, heartbeat_at=last.heartbeat_at) != last


def _service_status(context: Context, name: OneService = None) -> Statuses:
    administrator(context.caller)
    return Statuses(context.worker.watches.services, name)


@strawberry.type
class ServiceSubscriptions:
    service_status: Service = streamed(
        "The state of the service, or of all services one by one, at once and then whenever it changes; a heartbeat"
        " alone is no change. Administrators only.",
        _service_status,
        key=lambda service: service.name,
    )
