"""Is it alive, is it ready, and how is each part: for load balancers and for people."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from time import perf_counter
from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field
from sqlalchemy import text

from fullon_graphql.context import Process
from fullon_graphql.rest.dependencies import TheProcess

PATIENCE = 2.0
"""Seconds a part may take to answer before it counts as down."""

router = APIRouter(prefix="/health", tags=["health"])


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


@router.get("/live", summary="Does the process answer?")
async def live() -> dict[str, str]:
    """Always 200: who can ask this has an answer."""
    return {"status": "alive"}


@router.get("/ready", summary="Can it serve?", responses={503: {"description": "A store is down."}})
async def ready(process: TheProcess, response: Response) -> dict[str, Part]:
    """200 with every store up, else 503; the body names the one that is down."""
    parts = await _parts(process)
    if any(part.status == "down" for part in parts.values()):
        response.status_code = 503
    return parts


@router.get("", summary="How is each part?")
async def health(process: TheProcess) -> Health:
    """Always 200, as the platform's monitors expect; `status` tells."""
    parts = await _parts(process)
    up = all(part.status == "up" for part in parts.values())
    services = await _services(process) if parts["redis"].status == "up" else {}
    return Health(
        status="healthy" if up else "degraded",
        service="fullon_graphql",
        version=version("fullon-graphql"),
        parts=parts,
        services=services,
    )


async def _parts(process: Process) -> dict[str, Part]:
    checks: dict[str, Callable[[], Awaitable[object]]] = {
        "postgres": lambda: process.database.row(text("SELECT 1")),
        "ohlcv": lambda: process.ohlcv_database.row(text("SELECT 1")),
        "redis": process.redis.ping,
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


async def _services(process: Process) -> dict[str, str]:
    return {status.name.value: status.state.value for status in await process.services.statuses()}
