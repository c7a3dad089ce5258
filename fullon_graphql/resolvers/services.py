"""Queries and mutations about background services, for administrators."""

from __future__ import annotations

import strawberry

from fullon_graphql.context import Info
from fullon_graphql.daemons.control.state import ServiceName
from fullon_graphql.engine.fields.mutations import change
from fullon_graphql.schema.services import Service
from fullon_graphql.schema.support.arguments import WhichService
from fullon_graphql.services import services
from fullon_graphql.services.writing.executor import Key, UnitOfWork


@strawberry.type
class ServiceQueries:
    @strawberry.field(description="All background services. Administrators only.")
    async def services(self, info: Info) -> list[Service]:
        found = await services.statuses(info.context.worker.services, info.context.caller)
        return [Service.of(status) for status in found]

    @strawberry.field(description="One background service. Administrators only.")
    async def service(self, info: Info, name: WhichService) -> Service:
        return Service.of(await services.status(info.context.worker.services, info.context.caller, name))


async def _status(write: UnitOfWork, name: Key) -> Service:
    return Service.of(await write.services.status(ServiceName(str(name))))


@strawberry.type
class ServiceMutations:
    @change(
        Service,
        "Start a service on whichever worker is free; answers once it is RUNNING, or FAILED with the reason. Starting a"
        " running one changes nothing. Administrators only.",
        _status,
    )
    async def start_service(self, info: Info, name: WhichService) -> str:
        return await services.start(info.context.write, name)

    @change(
        Service,
        "Stop a service wherever it runs; answers once it is STOPPED. Stopping a stopped one changes nothing."
        " Administrators only.",
        _status,
    )
    async def stop_service(self, info: Info, name: WhichService) -> str:
        return await services.stop(info.context.write, name)

    @change(
        Service,
        "Stop a service where it runs, then start it; answers once it is RUNNING, or FAILED with the reason."
        " Administrators only.",
        _status,
    )
    async def restart_service(self, info: Info, name: WhichService) -> str:
        return await services.restart(info.context.write, name)
