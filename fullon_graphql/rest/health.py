"""Is it alive, is it ready, and how is each part: for load balancers and for people."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from importlib.metadata import version
from time import perf_counter
from typing import Final, Literal

from fastapi import APIRouter, Response
from pydantic import AwareDatetime, BaseModel, Field
from sqlalchemy import text

from fullon_graphql.context import Worker
from fullon_graphql.daemons.control.state import ServiceName, ServiceState, Timing
from fullon_graphql.rest.dependencies import WorkerDep
from fullon_graphql.rest.services import Statuses, by_name

PATIENCE = 2.0
"""Seconds a part may take to answer before it counts as down."""

SERVICE: Final = "fullon_graphql"

router = APIRouter(prefix="/health", tags=["health"])
door = APIRouter(tags=["health"])


class Part(BaseModel):
    """One store behind the graph."""

    status: Literal["up", "down"]
    milliseconds: float = Field(description="How long its answer took, or how long was waited in vain.")


class Health(BaseModel):
    """The whole, and each part."""

    status: Literal["healthy", "degraded"]
    service: str
    version: str
    parts: dict[str, Part]
    services: dict[str, str] = Field(description="State of each background service; empty while Redis is down.")
    issues: list[str] = Field(description="A sentence on each part that is down and each service that has failed.")


class Check(BaseModel):
    """What one look at everything has found. Nothing is restarted by it: services restart themselves."""

    timestamp: AwareDatetime
    checks_performed: list[str]
    issues_found: list[str]
    recovery_actions: list[str] = Field(description="Always empty.")
    overall_status: Literal["healthy", "degraded"]


class Checked(BaseModel):
    """That the check was done, and what it found."""

    status: Literal["completed"]
    result: Check


class Monitoring(BaseModel):
    """There is no monitor that looks at intervals: whoever asks has everything looked at."""

    enabled: Literal[False]
    is_running: Literal[False]
    check_interval_seconds: None
    last_check: AwareDatetime = Field(description="Now: this answer is it.")
    next_check: None


class AutoRestart(BaseModel):
    """A service that fails is started again by itself, for as long as it is not stopped."""

    enabled: Literal[True]
    cooldown_seconds: float = Field(description="The longest pause; after the first failures it is shorter.")
    max_restarts_per_hour: None = Field(description="There is no limit but the pause.")
    services_to_monitor: list[ServiceName]


class Monitor(BaseModel):
    """What is true of what the platform's monitor tells. It counts nothing, so there are no metrics."""

    status: Literal["healthy", "degraded"]
    monitoring: Monitoring
    auto_restart: AutoRestart
    issues: list[str]
    recovery_actions: list[str] = Field(description="Always empty.")
    recent_actions: list[str] = Field(description="Always empty.")


class Readiness(BaseModel):
    """Where things are."""

    service: str
    version: str
    graphql: str
    docs: str
    health: str
    api: str


@router.get("/live", summary="Does the process answer?")
async def live() -> dict[str, str]:
    """Always 200: who can ask this has an answer."""
    return {"status": "alive"}


@router.get("/ready", summary="Can it serve?", responses={503: {"description": "A store is down."}})
async def ready(worker: WorkerDep, response: Response) -> dict[str, Part]:
    """200 with every store up, else 503; the body names the one that is down."""
    parts = await _parts(worker)
    if any(part.status == "down" for part in parts.values()):
        response.status_code = 503
    return parts


@router.get("", summary="How is each part?")
async def health(worker: WorkerDep) -> Health:
    """Always 200, as the platform's monitors expect; `status` tells."""
    parts = await _parts(worker)
    services = await _states(worker) if parts["redis"].status == "up" else {}
    issues = _issues(parts, services)
    return Health(
        status="degraded" if issues else "healthy",
        service=SERVICE,
        version=version("fullon-graphql"),
        parts=parts,
        services=services,
        issues=issues,
    )


@router.get("/services", summary="How is each service?", responses={503: {"description": "Redis is down."}})
async def states(worker: WorkerDep) -> Statuses:
    """As administrators see them, without reasons."""
    statuses = by_name(await worker.services.statuses())
    return Statuses(services={name: one.model_copy(update={"error": None}) for name, one in statuses.items()})


@router.get("/monitor", summary="What would a monitor say?")
async def monitor(worker: WorkerDep) -> Monitor:
    """What `/health` finds, in the words of the platform's monitor."""
    seen = await health(worker)
    return Monitor(
        status=seen.status,
        monitoring=Monitoring(
            enabled=False, is_running=False, check_interval_seconds=None, last_check=datetime.now(UTC), next_check=None
        ),
        auto_restart=AutoRestart(
            enabled=True,
            cooldown_seconds=Timing().longest_backoff,
            max_restarts_per_hour=None,
            services_to_monitor=list(ServiceName),
        ),
        issues=seen.issues,
        recovery_actions=[],
        recent_actions=[],
    )


@router.post("/check", summary="Look at everything now")
async def check(worker: WorkerDep) -> Checked:
    """What `/health` looks at with every request anyway, in the words of the platform's monitor."""
    seen = await health(worker)
    result = Check(
        timestamp=datetime.now(UTC),
        checks_performed=[*seen.parts, *seen.services],
        issues_found=seen.issues,
        recovery_actions=[],
        overall_status=seen.status,
    )
    return Checked(status="completed", result=result)


@door.get("/", summary="What is this?")
async def root() -> Readiness:
    """Where to go on."""
    return Readiness(
        service=SERVICE,
        version=version("fullon-graphql"),
        graphql="/graphql",
        docs="/docs",
        health="/health",
        api="/api/v1",
    )


def _issues(parts: dict[str, Part], services: dict[str, str]) -> list[str]:
    down = [f"{name} does not answer" for name, part in parts.items() if part.status == "down"]
    return down + [f"Service {name} has failed" for name, state in services.items() if state == ServiceState.FAILED]


async def _parts(worker: Worker) -> dict[str, Part]:
    checks: dict[str, Callable[[], Awaitable[object]]] = {
        "postgres": lambda: worker.database.row(text("SELECT 1")),
        "ohlcv": lambda: worker.ohlcv_database.row(text("SELECT 1")),
        "redis": worker.redis.ping,
    }
    return dict(zip(checks, await asyncio.gather(*map(_check, checks.values())), strict=True))


async def _check(ask: Callable[[], Awaitable[object]]) -> Part:
    start = perf_counter()
    status: Literal["up", "down"] = "up"
    try:
        async with asyncio.timeout(PATIENCE):
            await ask()
    except Exception:  # whatever the reason, the part is down; reasons are for the log, not for strangers
        status = "down"
    return Part(status=status, milliseconds=round((perf_counter() - start) * 1000, 2))


async def _states(worker: Worker) -> dict[str, str]:
    return {status.name.value: status.state.value for status in await worker.services.statuses()}
