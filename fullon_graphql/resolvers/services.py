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
        return [Service.from_record(status) for status in found]

    @strawberry.field(description="One background service. Administrators only.")
    async def service(self, info: Info, name: WhichService) -> Service:
        return Service.from_record(await services.status(info.context.worker.services, info.context.caller, name))


async def _status(write: UnitOfWork, name: Key) -> Service:
    return Service.from_record(await write.services.status(ServiceName(str(name))))


@strawberry.type
class ServiceMutations:
    @change(
        Service,
        "Start a service on any available host. Answers when the service is RUNNING, or FAILED with the reason."
        " Starting a running service has no effect. Administrators only.",
        _status,
    )
    async def start_service(self, write: UnitOfWork, name: WhichService) -> str:
        return await services.start(write, name)

    @change(
        Service,
        "Stop a service on whichever host it runs. Answers when the service is STOPPED. Stopping a stopped service has"
        " no effect. Administrators only.",
        _status,
    )
    async def stop_service(self, write: UnitOfWork, name: WhichService) -> str:
        return await services.stop(write, name)

    @change(
        Service,
        "Stop a service and start it again. Answers when the service is RUNNING, or FAILED with the reason."
        " Administrators only.",
        _status,
    )
    async def restart_service(self, write: UnitOfWork, name: WhichService) -> str:
        return await services.restart(write, name)
