"""Control of background services over REST, for administrators, as the platform's clients use it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Literal

from fastapi import Depends, Path
from pydantic import AwareDatetime, BaseModel, Field
from starlette.exceptions import HTTPException

from fullon_graphql.auth.principal import Caller
from fullon_graphql.context import Worker
from fullon_graphql.daemons.control.state import ServiceName, ServiceState, ServiceStatus
from fullon_graphql.errors import shortened
from fullon_graphql.rest.dependencies import CallerDep, WorkerDep
from fullon_graphql.rest.orm.changes import ChangesDep
from fullon_graphql.rest.route_list import RouteList
from fullon_graphql.services import services
from fullon_graphql.services.access import service_reader
from fullon_graphql.services.writing.executor import Key, UnitOfWork

router = RouteList(prefix="/services", tags=["services"])


async def _service(
    caller: CallerDep,
    name: Annotated[str, Path(description="Name of the service.", json_schema_extra={"enum": list(ServiceName)})],
) -> ServiceName:
    service_reader(caller)
    try:
        return ServiceName(name)
    except ValueError:
        raise HTTPException(400, f"{shortened(name)} is no service; use {', '.join(ServiceName)}.") from None


ServicePath = Annotated[ServiceName, Depends(_service)]
_STARTED = {ServiceState.STARTING, ServiceState.RUNNING, ServiceState.FAILED}
"""States of a started service; a failed one is retried until it is stopped."""


class ServiceReport(BaseModel):
    """State of a service, independent of the process that runs it."""

    service: ServiceName
    status: Literal["running", "stopped"] = Field(
        description="`running` if the service has been started, even while it is failing."
    )
    is_running: bool = Field(description="True if the service does its work at this moment.")
    state: ServiceState = Field(description="Exact state.")
    started_at: AwareDatetime | None
    heartbeat_at: AwareDatetime | None
    error: str | None = Field(description="Reason of the last failure.")


class ServiceReports(BaseModel):
    """Every service by name."""

    services: dict[ServiceName, ServiceReport]


class ServiceAction(BaseModel):
    """Result of a command."""

    service: ServiceName
    status: Literal["started", "stopped", "restarted"]
    state: ServiceState = Field(description="State after the command; `failed` if the service could not start.")


@router.get("", summary="List services")
async def list_services(worker: WorkerDep, caller: CallerDep) -> ServiceReports:
    """Every service by name."""
    return ServiceReports(services=reports_by_name(await services.statuses(worker.services, caller)))


@router.get("/{name}/status", summary="Get a service")
async def get_service(worker: WorkerDep, caller: CallerDep, name: ServicePath) -> ServiceReport:
    """Its current state."""
    return to_report(await services.status(worker.services, caller, name))


@router.post(
    "/{name}/start", summary="Start a service", responses={400: {"description": "The service is already running."}}
)
async def start_service(worker: WorkerDep, caller: CallerDep, changes: ChangesDep, name: ServicePath) -> ServiceAction:
    """Answers once the service runs or has failed to start."""
    if await _is_started(worker, caller, name):
        raise HTTPException(400, f"ServiceName.{name.name} is already running")
    return await changes.perform("startService", {"name": name}, lambda write: services.start(write, name), _started)


@router.post("/{name}/stop", summary="Stop a service", responses={400: {"description": "The service is not running."}})
async def stop_service(worker: WorkerDep, caller: CallerDep, changes: ChangesDep, name: ServicePath) -> ServiceAction:
    """Answers once the service has stopped."""
    if not await _is_started(worker, caller, name):
        raise HTTPException(400, f"ServiceName.{name.name} is not running")
    return await changes.perform("stopService", {"name": name}, lambda write: services.stop(write, name), _stopped)


@router.post("/{name}/restart", summary="Restart a service")
async def restart_service(changes: ChangesDep, name: ServicePath) -> ServiceAction:
    """Stops the service if it runs, then starts it. Answers once it runs or has failed to start."""
    return await changes.perform(
        "restartService", {"name": name}, lambda write: services.restart(write, name), _restarted
    )


def reports_by_name(statuses: list[ServiceStatus]) -> dict[ServiceName, ServiceReport]:
    """REST reports by the name of the service."""
    return {status.name: to_report(status) for status in statuses}


def to_report(status: ServiceStatus) -> ServiceReport:
    """The REST report of a status, with the platform's two words beside the exact state."""
    return ServiceReport(
        service=status.name,
        status="running" if status.state in _STARTED else "stopped",
        is_running=status.is_running,
        state=status.state,
        started_at=status.started_at,
        heartbeat_at=status.heartbeat_at,
        error=status.error,
    )


def _done(status: Literal["started", "stopped", "restarted"]) -> Callable[[UnitOfWork, Key], Awaitable[ServiceAction]]:
    async def answer(write: UnitOfWork, name: Key) -> ServiceAction:
        service = await write.services.status(ServiceName(str(name)))
        return ServiceAction(service=service.name, status=status, state=service.state)

    return answer


_started, _stopped, _restarted = _done("started"), _done("stopped"), _done("restarted")


async def _is_started(worker: Worker, caller: Caller, name: ServiceName) -> bool:
    return (await services.status(worker.services, caller, name)).state in _STARTED
