"""The platform's running processes over REST, for administrators."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, Field

from fullon_graphql.cache.processes import ProcessType
from fullon_graphql.rest.answers import Json
from fullon_graphql.rest.dependencies import CallerDep, WorkerDep
from fullon_graphql.rest.parameters import Name
from fullon_graphql.services import processes

cache = APIRouter(prefix="/cache/processes", tags=["cache"])

A_YEAR = 366 * 24 * 60


class Running(BaseModel):
    """What a process says about itself."""

    process_id: str
    process_type: ProcessType
    component: str
    params: dict[str, Any]
    status: str | None
    message: str | None
    created_at: AwareDatetime | None
    updated_at: AwareDatetime | None
    heartbeat: AwareDatetime


class ProcessHealth(BaseModel):
    """The processes of the last hour in numbers."""

    healthy: bool = Field(description="Whether none of them hangs or reports an error.")
    total_processes: int
    by_type: dict[str, int]
    by_status: dict[str, int]
    stale_processes: int
    error_processes: int


@cache.get("/status", response_model=list[Running], summary="Which processes run?")
async def running(
    process: WorkerDep,
    caller: CallerDep,
    process_type: Annotated[ProcessType | None, Query(description="Only those of this type.")] = None,
    component: Annotated[Name | None, Query(description="Only that of this component.")] = None,
    since_minutes: Annotated[int, Query(ge=1, le=A_YEAR, description="Heard of within so many minutes.")] = 5,
) -> Json:
    """Those heard of last come first."""
    reports = await processes.running(process.redis, caller, process_type, component, since_minutes)
    named = {"process_id": "id", "process_type": "type"}
    fields = {name: named.get(name, name) for name in Running.model_fields}
    return Json([{name: getattr(report, field) for name, field in fields.items()} for report in reports])


@cache.get("/health", response_model=ProcessHealth, summary="How are they, taken together?")
async def health(process: WorkerDep, caller: CallerDep) -> Json:
    """Of the last hour; silent for ten minutes is stale."""
    found = await processes.health(process.redis, caller)
    return Json(
        {
            "healthy": found.healthy,
            "total_processes": found.total,
            "by_type": found.by_type,
            "by_status": found.by_status,
            "stale_processes": found.stale,
            "error_processes": found.failing,
        }
    )
