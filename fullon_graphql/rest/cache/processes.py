"""Running processes of the platform over REST, for administrators."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query
from pydantic import AwareDatetime, BaseModel, Field

from fullon_graphql.cache.processes import ProcessType
from fullon_graphql.rest.answers import Json
from fullon_graphql.rest.dependencies import CallerDep, WorkerDep
from fullon_graphql.rest.parameters import Name
from fullon_graphql.rest.route_list import RouteList
from fullon_graphql.services import processes

router = RouteList(prefix="/cache/processes", tags=["cache"])

A_YEAR = 366 * 24 * 60


class Running(BaseModel):
    """Last report of a process."""

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
    """Counts of the processes of the last hour."""

    healthy: bool = Field(description="True if no process is stale or reports an error.")
    total_processes: int
    by_type: dict[str, int]
    by_status: dict[str, int]
    stale_processes: int
    error_processes: int


class TypeFigures(BaseModel):
    """Processes of one type in the last hour."""

    processes: int
    stale_processes: int = Field(description="Processes without a heartbeat for ten minutes.")
    error_processes: int
    oldest_heartbeat: AwareDatetime = Field(description="The oldest of the last heartbeats.")
    newest_heartbeat: AwareDatetime


class Performance(BaseModel):
    """Counts and heartbeats of the processes of the last hour, by type."""

    total_processes: int
    by_type: dict[str, TypeFigures]


class Memory(BaseModel):
    """Memory of Redis in bytes."""

    used: int
    peak: int
    limit: int | None = Field(description="`maxmemory`; null if there is no limit.")


class CacheOverview(BaseModel):
    """Keys and memory of Redis."""

    total_keys: int
    keys_by_family: dict[str, int] = Field(description="By the first part of the key.")
    is_complete: bool = Field(description="False if Redis has more keys than the 100 000 that are counted by family.")
    memory: Memory


@router.get("/performance", response_model=Performance, summary="Get counts and heartbeats of processes")
async def get_process_performance(worker: WorkerDep, caller: CallerDep) -> Json:
    """Processes of the last hour, by type."""
    found = await processes.performance(worker.redis, caller)
    by_type = {
        name: {
            "processes": figures.processes,
            "stale_processes": figures.stale,
            "error_processes": figures.failing,
            "oldest_heartbeat": figures.oldest_heartbeat,
            "newest_heartbeat": figures.newest_heartbeat,
        }
        for name, figures in found.items()
    }
    return Json({"total_processes": sum(figures.processes for figures in found.values()), "by_type": by_type})


@router.get("/cache/overview", response_model=CacheOverview, summary="Get keys and memory of Redis")
async def get_cache_overview(worker: WorkerDep, caller: CallerDep) -> Json:
    """Keys by family, and the memory that Redis reports."""
    found = await processes.keys_and_memory(worker.redis, caller)
    return Json(
        {
            "total_keys": found.total,
            "keys_by_family": found.by_family,
            "is_complete": found.is_complete,
            "memory": {"used": found.used_bytes, "peak": found.peak_bytes, "limit": found.limit_bytes},
        }
    )


@router.get("/status", response_model=list[Running], summary="List running processes")
async def list_processes(
    worker: WorkerDep,
    caller: CallerDep,
    process_type: Annotated[ProcessType | None, Query(description="Only processes of this type.")] = None,
    component: Annotated[Name | None, Query(description="Only processes of this component.")] = None,
    since_minutes: Annotated[
        int, Query(ge=1, le=A_YEAR, description="Only processes with a heartbeat in the last so many minutes.")
    ] = 5,
) -> Json:
    """Ordered by heartbeat, newest first."""
    reports = await processes.running(worker.redis, caller, process_type, component, since_minutes)
    named = {"process_id": "id", "process_type": "type"}
    fields = {name: named.get(name, name) for name in Running.model_fields}
    return Json([{name: getattr(report, field) for name, field in fields.items()} for report in reports])


@router.get("/health", response_model=ProcessHealth, summary="Get the health of all processes")
async def get_process_health(worker: WorkerDep, caller: CallerDep) -> Json:
    """Processes of the last hour. A process without a heartbeat for ten minutes is stale."""
    found = await processes.health(worker.redis, caller)
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
