"""Background services over REST, for administrators, as the platform's clients command them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import AwareDatetime, BaseModel, Field
from starlette.exceptions import HTTPException

from fullon_graphql.auth.principal import Caller
from fullon_graphql.context import Worker
from fullon_graphql.daemons.control.state import ServiceName, ServiceState, ServiceStatus
from fullon_graphql.rest.dependencies import CallerDep, WorkerDep
from fullon_graphql.rest.orm.changes import TheChanges
from fullon_graphql.services import services
from fullon_graphql.services.writing.executor import Key, UnitOfWork

router = APIRouter(prefix="/services", tags=["services"])

Name = Annotated[ServiceName, Path(description="Which service.")]
_AT_WORK = {ServiceState.STARTING, ServiceState.RUNNING, ServiceState.FAILED}
"""What has been started; a failed one is tried again and again until it is stopped."""


class Status(BaseModel):
    """What is true of a service, on whichever worker it runs."""

    service: ServiceName
    status: Literal["running", "stopped"] = Field(description="Whether it has been started.")
    is_running: bool = Field(description="Whether it does its work at this moment.")
    state: ServiceState = Field(description="The same more exactly.")
    started_at: AwareDatetime | None
    heartbeat_at: AwareDatetime | None
    error: str | None = Field(description="Why it failed last.")


class Statuses(BaseModel):
    """All services by name."""

    services: dict[ServiceName, Status]


class Done(BaseModel):
    """What was done."""

    service: ServiceName
    status: Literal["started", "stopped", "restarted"]
    state: ServiceState = Field(description="What came of it: a service may fail to start.")


@router.get("", summary="How are all services?")
async def statuses(worker: WorkerDep, caller: CallerDep) -> Statuses:
    """All of them by name."""
    return Statuses(services=by_name(await services.statuses(worker.services, caller)))


@router.get("/{name}/status", summary="How is this service?")
async def status(worker: WorkerDep, caller: CallerDep, name: Name) -> Status:
    """What is true of it now."""
    return described(await services.status(worker.services, caller, name))


@router.post("/{name}/start", summary="Start it", responses={400: {"description": "It is already running."}})
async def start(worker: WorkerDep, caller: CallerDep, changes: TheChanges, name: Name) -> Done:
    """Answers once it runs, or has failed to."""
    if await _is_at_work(worker, caller, name):
        raise HTTPException(400, f"ServiceName.{name.name} is already running")
    return await changes.answered("startService", {"name": name}, lambda write: services.start(write, name), _started)


@router.post("/{name}/stop", summary="Stop it", responses={400: {"description": "It is not running."}})
async def stop(worker: WorkerDep, caller: CallerDep, changes: TheChanges, name: Name) -> Done:
    """Answers once it has stopped."""
    if not await _is_at_work(worker, caller, name):
        raise HTTPException(400, f"ServiceName.{name.name} is not running")
    return await changes.answered("stopService", {"name": name}, lambda write: services.stop(write, name), _stopped)


@router.post("/{name}/restart", summary="Stop it where it runs, and start it")
async def restart(changes: TheChanges, name: Name) -> Done:
    """Answers once it runs again, or has failed to."""
    return await changes.answered(
        "restartService", {"name": name}, lambda write: services.restart(write, name), _restarted
    )


def by_name(statuses: list[ServiceStatus]) -> dict[ServiceName, Status]:
    """Statuses by the name of the service."""
    return {status.name: described(status) for status in statuses}


def described(status: ServiceStatus) -> Status:
    """The status as REST says it, in the platform's two words and in ours."""
    return Status(
        service=status.name,
        status="running" if status.state in _AT_WORK else "stopped",
        is_running=status.is_running,
        state=status.state,
        started_at=status.started_at,
        heartbeat_at=status.heartbeat_at,
        error=status.error,
    )


def _done(status: Literal["started", "stopped", "restarted"]) -> Callable[[UnitOfWork, Key], Awaitable[Done]]:
    async def answer(write: UnitOfWork, name: Key) -> Done:
        service = await write.services.status(ServiceName(str(name)))
        return Done(service=service.name, status=status, state=service.state)

    return answer


_started, _stopped, _restarted = _done("started"), _done("stopped"), _done("restarted")


async def _is_at_work(worker: Worker, caller: Caller, name: ServiceName) -> bool:
    return (await services.status(worker.services, caller, name)).state in _AT_WORK
