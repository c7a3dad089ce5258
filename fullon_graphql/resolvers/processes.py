"""Queries about the platform's processes, for administrators."""

from __future__ import annotations

from typing import Annotated

import strawberry

from fullon_graphql.cache.processes import ProcessType
from fullon_graphql.context import Info
from fullon_graphql.schema.processes import Process, SystemHealth
from fullon_graphql.services import processes

Kind = Annotated[
    ProcessType | None, strawberry.argument(name="type", description="Only this kind; all of them unless given.")
]
Component = Annotated[
    str | None, strawberry.argument(description="Only what takes care of this, e.g. `ticker_daemon`, as it is spelled.")
]
SinceMinutes = Annotated[
    int | None, strawberry.argument(description="Only what gave a sign of life in these last minutes.")
]


@strawberry.type
class ProcessQueries:
    @strawberry.field(
        description="The platform's running processes, newest sign of life first; what has been silent for a day is"
        " forgotten. Administrators only."
    )
    async def processes(
        self, info: Info, type_: Kind = None, component: Component = None, since_minutes: SinceMinutes = None
    ) -> list[Process]:
        context = info.context
        found = await processes.running(context.worker.redis, context.caller, type_, component, since_minutes)
        return [Process.of(report) for report in found]

    @strawberry.field(description="How the platform's processes are, taken together. Administrators only.")
    async def system_health(self, info: Info) -> SystemHealth:
        return SystemHealth.of(await processes.health(info.context.worker.redis, info.context.caller))
