"""Background services, for administrators: the current status of each, then each change."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Annotated

import strawberry

from fullon_graphql.cache.watch import Watch
from fullon_graphql.context import Context
from fullon_graphql.daemons.control.state import ServiceName, ServiceStatus
from fullon_graphql.schema.services import Service
from fullon_graphql.services.access import service_reader
from fullon_graphql.streaming.sources import streamed

OneService = Annotated[
    ServiceName | None, strawberry.argument(description="Only this service. All services unless given.")
]


@dataclass
class StatusSource:
    """The status of each service, or of `name` alone. A heartbeat alone is not a change."""

    watch: Watch[None, list[ServiceStatus]]
    name: ServiceName | None
    _newest: dict[ServiceName, ServiceStatus] = field(default_factory=dict, init=False)

    async def events(self) -> AsyncGenerator[Service, None]:
        async with aclosing(self.watch.states(None)) as reads:
            async for statuses in reads:
                for status in statuses:
                    if self.name in (None, status.name) and self._has_changed(status):
                        self._newest[status.name] = status
                        yield Service.from_record(status)

    def snapshot(self) -> list[Service]:
        return [Service.from_record(status) for status in self._newest.values()]

    def _has_changed(self, status: ServiceStatus) -> bool:
        last = self._newest.get(status.name)
        return last is None or replace(status, heartbeat_at=last.heartbeat_at) != last


def _service_status(context: Context, name: OneService = None) -> StatusSource:
    service_reader(context.caller)
    return StatusSource(context.worker.watches.services, name)


@strawberry.type
class ServiceSubscriptions:
    service_status: Service = streamed(
        "The status of a service, or of each service if `name` is not given: the current status first, then each"
        " change. A heartbeat alone is not a change. Administrators only.",
        _service_status,
        key=lambda service: service.name,
    )
