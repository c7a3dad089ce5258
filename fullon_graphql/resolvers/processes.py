"""Queries about the platform's processes, for administrators."""

from __future__ import annotations

from typing import Annotated

import strawberry

from fullon_graphql.cache.processes import ProcessType
from fullon_graphql.context import Info
from fullon_graphql.schema.processes import Process, SystemHealth
from fullon_graphql.services import processes

Kind = Annotated[ProcessType | None, strawberry.argument(name="type", description="Restrict to this kind.")]
Component = Annotated[str | None, strawberry.argument(description="Restrict to this component, e.g. `ticker_daemon`.")]
SinceMinutes = Annotated[
    int | None, strawberry.argument(description="Restrict to processes with a heartbeat in the last N minutes.")
]


@strawberry.type
class ProcessQueries:
    @strawberry.field(
        description="The platform's processes by descending heartbeat; a process without a heartbeat for a day is left"
        " out. Administrators only."
    )
    async def processes(
        self, info: Info, type_: Kind = None, component: Component = None, since_minutes: SinceMinutes = None
    ) -> list[Process]:
        context = info.context
        found = await processes.running(context.worker.redis, context.caller, type_, component, since_minutes)
        return [Process.from_record(report) for report in found]

    @strawberry.field(description="Summary of the platform's processes. Administrators only.")
    async def system_health(self, info: Info) -> SystemHealth:
        return SystemHealth.from_record(await processes.health(info.context.worker.redis, info.context.caller))
