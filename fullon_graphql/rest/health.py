"""Liveness, readiness and the state of every store and service."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from time import perf_counter
from typing import Annotated, Final, Literal

from fastapi import Depends, Request
from pydantic import AwareDatetime, BaseModel, Field
from sqlalchemy import text

from fullon_graphql.cache import keys, market_feeds
from fullon_graphql.cache.client import pool_use
from fullon_graphql.cache.market_feeds import FeedState, MarketFeedStatus
from fullon_graphql.cache.processes import ProcessType
from fullon_graphql.circuit_breaker import CircuitBreaker
from fullon_graphql.context import Worker
from fullon_graphql.daemons.control.state import ServiceName, ServiceState, ServiceStatus, Timing
from fullon_graphql.errors import ServiceUnavailable
from fullon_graphql.joined_calls import JoinedCalls
from fullon_graphql.rest.answers import Json
from fullon_graphql.rest.dependencies import WorkerDep
from fullon_graphql.rest.route_list import RouteList
from fullon_graphql.rest.services import ServiceReports, reports_by_name
from fullon_graphql.server.shutdown import shutdown_of
from fullon_graphql.services import processes

TIMEOUT_SECONDS = 2.0
"""Seconds a store may take to answer before it counts as down."""

SERVICE: Final = "fullon_graphql"

PARTS: Final = {"orm_api": "postgres", "cache_api": "redis", "ohlcv_api": "ohlcv"}
"""The platform's three servers, and the store of each."""

PROCESS_TYPES: Final = {
    ServiceName.TICKER: ProcessType.TICK,
    ServiceName.OHLCV: ProcessType.OHLCV,
    ServiceName.ACCOUNT: ProcessType.ACCOUNT,
}
"""The type that the platform's daemon of each service registers."""

router = RouteList(prefix="/health", tags=["health"])
root_router = RouteList(tags=["health"])


class StoreStatus(BaseModel):
    """State of one store."""

    status: Literal["up", "down"]
    milliseconds: float = Field(description="Time until the answer, or until the check gave up.")
    circuit: Literal["closed", "open", "half_open"] = Field(
        description="State of the circuit breaker in this worker: while it is open, requests that need the store are "
        "refused at once; half-open, one request tries it."
    )


class ReplicaReport(BaseModel):
    """State of a read replica."""

    status: Literal["up", "lagging", "down"]
    lag_seconds: float | None = Field(description="Seconds behind the primary, at most; null while unknown.")


class PartHealth(BaseModel):
    """State of one of the platform's three servers, which are one here: that of its store."""

    status: Literal["healthy", "unhealthy"]
    latency_ms: float = Field(description="Time until the store's answer, or until the check gave up.")


class Health(BaseModel):
    """Overall state, and the state of every store and service."""

    status: Literal["healthy", "degraded"]
    service: str
    version: str
    timestamp: AwareDatetime
    parts: dict[str, StoreStatus]
    services: dict[str, str | dict[str, str] | PartHealth] = Field(
        description="State of every background service by name, absent while Redis is down. In the platform's form: "
        "`postgresql` and `redis` (`connected` or `disconnected`), `daemons` (state by name; `running` also if one of "
        "the platform runs on any host), and `orm_api`, `cache_api` and `ohlcv_api`."
    )
    feeds: dict[str, dict[str, str]] = Field(
        description="State of the live data of each exchange (`connecting`, `live`, `quiet` or `down`) by the service "
        "that reads it. Empty while none runs, and while Redis is down."
    )
    replicas: dict[str, ReplicaReport] = Field(
        description="Read replicas as this worker has seen them last, by name; reads of one that is not `up` go to the "
        "primary. Empty without replicas."
    )
    issues: list[str] = Field(
        description="One sentence for each store or feed that is down and each service that has failed."
    )


class PoolReport(BaseModel):
    """Use of the connections of this worker to one store."""

    size: int = Field(description="Connections that it may open.")
    in_use: int
    waiting: int = Field(description="Callers that wait for a connection.")


class DeepHealth(Health):
    """The same, with the connections of this worker and the time of each store's answer."""

    pools: dict[str, PoolReport]
    response_times_ms: dict[str, float]


class CheckResult(BaseModel):
    """Result of one check of everything. It restarts nothing: services restart themselves."""

    timestamp: AwareDatetime
    checks_performed: list[str]
    issues_found: list[str]
    recovery_actions: list[str] = Field(description="Always empty.")
    overall_status: Literal["healthy", "degraded"]


class CheckResponse(BaseModel):
    """A completed check."""

    status: Literal["completed"]
    result: CheckResult


class Monitoring(BaseModel):
    """State of the platform's periodic monitor, which does not exist here: every request checks everything."""

    enabled: Literal[False]
    is_running: Literal[False]
    check_interval_seconds: None
    last_check: AwareDatetime = Field(description="Time of this answer.")
    next_check: None


class AutoRestart(BaseModel):
    """Restart policy: a failed service is restarted until an administrator stops it."""

    enabled: Literal[True]
    cooldown_seconds: float = Field(description="Longest pause before a restart; shorter after the first failures.")
    max_restarts_per_hour: None = Field(description="Always null: only the pause limits restarts.")
    services_to_monitor: list[ServiceName]


class MonitorStatus(BaseModel):
    """The answer of `/health` in the form of the platform's monitor."""

    status: Literal["healthy", "degraded"]
    monitoring: Monitoring
    auto_restart: AutoRestart
    issues: list[str]
    recovery_actions: list[str] = Field(description="Always empty.")
    recent_actions: list[str] = Field(description="Always empty.")


class Index(BaseModel):
    """Addresses of the server's entry points."""

    service: str
    version: str
    graphql: str
    docs: str
    health: str
    api: str


class HealthChecks:
    """The checks of a worker. Requests that wait at the same time share them: health is read without a credential."""

    def __init__(self, worker: Worker) -> None:
        self.stores = JoinedCalls(partial(_stores, worker))
        self.health = JoinedCalls(partial(health, worker))


async def _checks_of(request: Request) -> HealthChecks:
    checks: HealthChecks = request.state.health_checks
    return checks


ChecksDep = Annotated[HealthChecks, Depends(_checks_of)]


@router.get("/live", response_model=dict[str, str], summary="Liveness")
async def live() -> Json:
    """Always 200 while the process runs. Checks no store."""
    return Json({"status": "alive"})


@router.get(
    "/ready",
    response_model=dict[str, StoreStatus],
    summary="Readiness",
    responses={503: {"description": "A store is down, or the server ends."}},
)
async def ready(checks: ChecksDep, request: Request) -> Json:
    """200 if every store answers, else 503; the body names those that are down. 503 from SIGTERM on."""
    if shutdown_of(request.scope).has_begun:
        raise ServiceUnavailable("server", "The server shuts down.")
    stores = await checks.stores()
    is_down = any(store.status == "down" for store in stores.values())
    return Json({name: store.model_dump() for name, store in stores.items()}, 503 if is_down else 200)


@router.get("/deep", summary="State of stores, services and connections")
async def deep_health(worker: WorkerDep, checks: ChecksDep) -> DeepHealth:
    """Always 200. The figures of connections are those of the worker that answers."""
    seen = await checks.health()
    pools = {
        "postgres": worker.database.use,
        "ohlcv": worker.ohlcv_database.use,
        "redis": pool_use(worker.redis),
    }
    return DeepHealth(
        **seen.model_dump(),
        pools={name: PoolReport(**use._asdict()) for name, use in pools.items()},  # a named tuple's documented method
        response_times_ms={name: store.milliseconds for name, store in seen.parts.items()},
    )


async def _part(worker: Worker, name: str) -> PartHealth:
    store = PARTS[name]
    return _part_health(await _check(_checks(worker)[store], worker.breakers[store]))


@router.get("/orm_api", summary="State of the database of users, bots and orders")
async def orm_health(worker: WorkerDep) -> PartHealth:
    """Always 200."""
    return await _part(worker, "orm_api")


@router.get("/cache_api", summary="State of Redis")
async def cache_health(worker: WorkerDep) -> PartHealth:
    """Always 200."""
    return await _part(worker, "cache_api")


@router.get("/ohlcv_api", summary="State of the candle store")
async def ohlcv_health(worker: WorkerDep) -> PartHealth:
    """Always 200."""
    return await _part(worker, "ohlcv_api")


@router.get("", response_model=Health, summary="State of stores and services")
async def get_health(checks: ChecksDep) -> Json:
    """Always 200, as the platform's monitors expect; `status` is `degraded` if anything is down."""
    return Json((await checks.health()).model_dump(mode="json"))


async def health(worker: Worker) -> Health:
    """The state of every store and service now."""
    stores = await _stores(worker)
    services: list[ServiceStatus] = []
    feeds: list[MarketFeedStatus] = []
    running: set[ProcessType] = set()
    issues = _issues(stores)
    if stores["redis"].status == "up":
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                services = await worker.services.statuses()
                running = await processes.daemon_types(worker.redis)
                feeds = await market_feeds.read(worker.redis)
                await worker.redis.set(keys.HEALTH, "", px=1_000)
        except Exception:  # any reason is an answer here; details are in the log of the tasks that need Redis
            issues.append("redis refuses commands")
    issues += [issue for status in services if (issue := _service_issue(status))]
    issues += [
        f"The feed of {feed.exchange} for {feed.service} is down" for feed in feeds if feed.state is FeedState.DOWN
    ]
    replicas = worker.replica_statuses
    issues += [f"Replica {replica.name} is {replica.state}" for replica in replicas if replica.state != "up"]
    issues += [f"Background task {name!r} is down" for name in worker.background.down]
    return Health(
        status="degraded" if issues else "healthy",
        service=SERVICE,
        version=version("fullon-graphql"),
        timestamp=datetime.now(UTC),
        parts=stores,
        services={
            **{status.name.value: status.state.value for status in services},
            "postgresql": _connection(stores["postgres"]),
            "redis": _connection(stores["redis"]),
            "daemons": {status.name.value: _daemon_state(status, running) for status in services},
            **{name: _part_health(stores[store]) for name, store in PARTS.items()},
        },
        feeds=_feed_states(feeds),
        replicas={replica.name: ReplicaReport(status=replica.state, lag_seconds=replica.lag) for replica in replicas},
        issues=issues,
    )


@router.get("/services", summary="State of every service", responses={503: {"description": "Redis is down."}})
async def list_services(worker: WorkerDep) -> ServiceReports:
    """The states that administrators see, without the reasons of failures."""
    statuses = reports_by_name(await worker.services.statuses())
    return ServiceReports(services={name: one.model_copy(update={"error": None}) for name, one in statuses.items()})


@router.get("/monitor", summary="State in the form of the platform's monitor")
async def monitor(checks: ChecksDep) -> MonitorStatus:
    """The answer of `/health` in the form of the platform's monitor."""
    seen = await checks.health()
    return MonitorStatus(
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


@router.post("/check", summary="Check everything now")
async def check(checks: ChecksDep) -> CheckResponse:
    """The check of `/health` in the form of the platform's monitor."""
    seen = await checks.health()
    result = CheckResult(
        timestamp=datetime.now(UTC),
        checks_performed=[*seen.parts, *(name for name in ServiceName if name in seen.services)],
        issues_found=seen.issues,
        recovery_actions=[],
        overall_status=seen.status,
    )
    return CheckResponse(status="completed", result=result)


@root_router.get("/", summary="Entry points")
async def root(worker: WorkerDep) -> Index:
    """Paths of the server's entry points."""
    return Index(
        service=SERVICE,
        version=version("fullon-graphql"),
        graphql="/graphql",
        docs="/docs",
        health="/health",
        api=worker.settings.api_prefix,
    )


def _feed_states(feeds: Sequence[MarketFeedStatus]) -> dict[str, dict[str, str]]:
    states: dict[str, dict[str, str]] = {}
    for feed in feeds:
        states.setdefault(feed.exchange, {})[feed.service] = feed.state.value
    return states


def _connection(store: StoreStatus) -> str:
    return "connected" if store.status == "up" else "disconnected"


def _part_health(store: StoreStatus) -> PartHealth:
    return PartHealth(status="healthy" if store.status == "up" else "unhealthy", latency_ms=store.milliseconds)


def _daemon_state(status: ServiceStatus, running: Collection[ProcessType]) -> str:
    """The state of our service or, if it is not to run or has failed, `running` if a daemon of the platform runs."""
    beside = status.state in {ServiceState.STOPPED, ServiceState.FAILED} and PROCESS_TYPES.get(status.name) in running
    return ServiceState.RUNNING.value if beside else status.state.value


def _issues(stores: dict[str, StoreStatus]) -> list[str]:
    return [f"{name} does not answer" for name, store in stores.items() if store.status == "down"]


def _service_issue(status: ServiceStatus) -> str | None:
    if status.state is ServiceState.FAILED:
        return f"Service {status.name.value} has failed"
    if status.state is ServiceState.STARTING and status.holder is None:
        return f"Service {status.name.value} should run, and no process runs it"
    return None


def _checks(worker: Worker) -> dict[str, Callable[[], Awaitable[object]]]:
    return {
        "postgres": lambda: worker.database.row(text("SELECT 1")),
        "ohlcv": lambda: worker.ohlcv_database.row(text("SELECT 1")),
        "redis": worker.redis.ping,
    }


async def _stores(worker: Worker) -> dict[str, StoreStatus]:
    checks = _checks(worker)
    breakers = [worker.breakers[name] for name in checks]
    return dict(zip(checks, await asyncio.gather(*map(_check, checks.values(), breakers)), strict=True))


async def _check(ask: Callable[[], Awaitable[object]], breaker: CircuitBreaker) -> StoreStatus:
    start = perf_counter()
    status: Literal["up", "down"] = "up"
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await ask()
    except Exception:  # the store is down for any reason; the reason is not for strangers
        status = "down"
    milliseconds = round((perf_counter() - start) * 1000, 2)
    return StoreStatus(status=status, milliseconds=milliseconds, circuit=breaker.state)
