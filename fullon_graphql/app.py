"""The composition root: settings → stores → worker → transports."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from functools import partial
from importlib.metadata import version
from typing import Final, TypedDict

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from fullon_graphql.application import Application
from fullon_graphql.auth.tokens import refuse_insecure_secret
from fullon_graphql.background import BackgroundTasks, Work
from fullon_graphql.cache import keys
from fullon_graphql.cache.client import connect
from fullon_graphql.cache.counters import counters
from fullon_graphql.cache.hub import Hub
from fullon_graphql.circuit_breaker import CircuitBreaker
from fullon_graphql.config import Settings, load_settings
from fullon_graphql.context import Worker
from fullon_graphql.daemons.control.manager import ServiceManager
from fullon_graphql.database import Database
from fullon_graphql.database.replicas import ReplicaReads, Replicas
from fullon_graphql.engine.background import in_background, short_turns
from fullon_graphql.engine.limits import Limits
from fullon_graphql.engine.operations import OperationExecutor
from fullon_graphql.engine.trusted.documents import TrustedDocuments
from fullon_graphql.errors import CircuitOpen, RedisCircuitOpen
from fullon_graphql.graph import make_graph
from fullon_graphql.observability.logging import configure_logging
from fullon_graphql.observability.loop_meter import measured_loop
from fullon_graphql.observability.metrics import Metrics
from fullon_graphql.observability.process_snapshots import shared_counts
from fullon_graphql.observability.request_log import RequestLog
from fullon_graphql.observability.tracing import open_tracer
from fullon_graphql.ohlcv.store import CandleStore
from fullon_graphql.rest import docs, errors, health, jwks, metrics, routes
from fullon_graphql.rest.aliases import PlatformPaths
from fullon_graphql.rest.dispatch import ReadDispatcher
from fullon_graphql.server.garbage import scheduled_collection
from fullon_graphql.server.request_middleware import RequestMiddleware
from fullon_graphql.server.shutdown import Shutdown
from fullon_graphql.services.api_keys import ApiKeys
from fullon_graphql.services.audit_retention import AuditRetention
from fullon_graphql.services.change_feed.pruning import Pruning
from fullon_graphql.services.change_feed.reader import ChangeFeed
from fullon_graphql.services.halt_switches import halting_tasks
from fullon_graphql.services.own_writes import OwnWrites
from fullon_graphql.services.rate_limits import CostLimiter, RateLimiter
from fullon_graphql.services.signing_in.authenticator import Authenticator
from fullon_graphql.services.signing_in.sessions import Sessions
from fullon_graphql.services.signing_in.sign_in_log import SignInLog
from fullon_graphql.services.tickers import SharedTickers
from fullon_graphql.services.writing.executor import ChangeExecutor
from fullon_graphql.streaming import event_publisher
from fullon_graphql.streaming.connections import ConnectionRegistry
from fullon_graphql.streaming.event_publisher import EventPublisher
from fullon_graphql.streaming.registry import StreamRegistry
from fullon_graphql.streaming.watches import make_watches
from fullon_graphql.transports.admission import Admission
from fullon_graphql.transports.api_key_header import API_KEY_HEADER, RenamedApiKeyHeader
from fullon_graphql.transports.graphql_transport_ws.session import GraphQLSocketEndpoint
from fullon_graphql.transports.http import GraphQLEndpoint
from fullon_graphql.transports.http_stream import HttpStreams
from fullon_graphql.transports.pages import Pages
from fullon_graphql.transports.platform_ws.session import PlatformSocketEndpoint
from fullon_graphql.transports.requests import RequestParser

EXPOSED_HEADERS: Final = ("x-request-id", "retry-after", "ratelimit", "ratelimit-policy")
"""Response headers that scripts of other origins may read."""


class State(TypedDict):
    """The lifespan state, which is `scope["state"]` of every connection."""

    worker: Worker
    shutdown: Shutdown
    health_checks: health.HealthChecks


def create_app(settings: Settings) -> Application:
    """The ASGI application: the graph at `/graphql`, REST under `API_PREFIX`, `/health` and `/metrics`.

    Raises:
        InsecureSecretError: JWT_SECRET_KEY is not set or too short, and this is not the demo.
        ManifestError: TRUSTED_DOCUMENTS_PATH cannot be read.
    """
    refuse_insecure_secret(settings)
    app_metrics, connections = Metrics(), ConnectionRegistry(settings)
    schema = make_graph(settings.subgraph).core
    trusted = TrustedDocuments(schema, settings, app_metrics)
    operations = OperationExecutor(
        schema,
        metrics=app_metrics,
        limits=Limits.from_settings(settings),
        introspection=settings.introspection,
        on_execution=trusted.accepted,
        usage=trusted.is_on,
    )
    parser = RequestParser(settings.cache_bytes // 16)
    app_metrics.watch_cache("requests", parser.cache)
    streams, admission = StreamRegistry(operations, settings.stream_memory_bytes), Admission(settings, app_metrics)
    rest = rest_application(settings, app_metrics, connections, trusted)
    http_streams, pages = HttpStreams(streams, connections, admission, settings.stream_heartbeat), Pages()
    platform_sockets = PlatformSocketEndpoint(
        operations if settings.subgraph is None else None, streams, connections, admission, settings.api_prefix
    )
    transports: ASGIApp = Router(
        graphql=GraphQLEndpoint(
            operations, parser, trusted, http_streams, pages if settings.graphiql_enabled else None
        ),
        graphql_sockets=GraphQLSocketEndpoint(operations, trusted, streams, connections, admission),
        platform_sockets=PlatformPaths(platform_sockets, settings.api_prefix),
        pages=pages,
        rest=rest,
    )
    if settings.cors_origins:
        transports = CORSMiddleware(
            transports,
            allow_origins=settings.cors_origins,
            allow_methods=settings.cors_allow_methods,
            allow_headers=settings.cors_allow_headers,
            allow_credentials=settings.cors_allow_credentials,
            expose_headers=EXPOSED_HEADERS,
        )
    if settings.api_key_header_name.lower() != API_KEY_HEADER:
        transports = RenamedApiKeyHeader(transports, settings.api_key_header_name)
    if settings.metrics_port is not None:
        transports = metrics.MetricsPort(transports, settings.metrics_port)
    open_ = partial(open_state, settings, app_metrics, connections, trusted, streams)
    request_log = RequestLog() if settings.request_log else None
    return Application(RequestMiddleware(transports, request_log, app_metrics.http), open_, settings.api_prefix)


class Router:
    """Chooses the transport by type and path of a connection. Only REST goes through a web framework."""

    def __init__(
        self, *, graphql: ASGIApp, graphql_sockets: ASGIApp, platform_sockets: ASGIApp, pages: Pages, rest: ASGIApp
    ) -> None:
        self._graphql = graphql
        self._graphql_sockets = graphql_sockets
        self._platform_sockets = platform_sockets
        self._pages = pages
        self._rest = rest

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        match scope["type"], scope.get("path"):
            case "http", "/graphql":
                transport: ASGIApp = self._graphql
            case "websocket", "/graphql":
                transport = self._graphql_sockets
            case "websocket", _:
                transport = self._platform_sockets
            case "http", _ if self._pages.serves(scope):
                transport = self._pages
            case _:
                transport = self._rest
        return transport(scope, receive, send)


def rest_application(
    settings: Settings, app_metrics: Metrics, connections: ConnectionRegistry, trusted: TrustedDocuments | None = None
) -> ASGIApp:
    """REST, health and metrics, under the platform's paths too."""
    app = framework_application(settings, app_metrics, connections, trusted)
    return PlatformPaths(ReadDispatcher(app), settings.api_prefix)


def framework_application(
    settings: Settings, app_metrics: Metrics, connections: ConnectionRegistry, trusted: TrustedDocuments | None = None
) -> FastAPI:
    """REST, health and metrics as FastAPI has them. Its lifespan opens and closes the worker."""
    app = FastAPI(
        title=settings.api_title,
        version=settings.api_version or version("fullon-graphql"),
        description="REST beside the graph at `/graphql`, over the same service functions.",
        lifespan=lambda _app: open_state(settings, app_metrics, connections, trusted),
        redirect_slashes=False,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
    )
    health.router.register(app.router)
    health.root_router.register(app.router)
    jwks.router.register(app.router)
    if settings.metrics_enabled:
        metrics.router(app_metrics, settings).register(app.router)
    if settings.docs_enabled:
        docs.router.register(app.router)
    app.router.routes += routes.api_routes(settings.api_prefix, settings.api_key_header_name)
    errors.install(app)
    return app


@asynccontextmanager
async def open_state(
    settings: Settings,
    app_metrics: Metrics,
    connections: ConnectionRegistry,
    trusted: TrustedDocuments | None = None,
    streams: StreamRegistry | None = None,
) -> AsyncIterator[State]:
    """Open a worker, close connections whose credentials end, and share documents, for the duration of the block."""
    async with (
        worker(settings, app_metrics) as opened,
        trusted.running(opened.background, opened.redis) if trusted else nullcontext(),
        connections.watch_credentials(opened),
        opened.background.running(_published_events(opened)),
        scheduled_collection(in_background),
        measured_loop("worker"),
        streams.running() if streams else nullcontext(),
    ):
        with short_turns():
            yield State(worker=opened, shutdown=Shutdown(), health_checks=health.HealthChecks(opened))


def _published_events(opened: Worker) -> Mapping[str, Work]:
    """The task that publishes changes for other programs, if NATS_URL is set."""
    if not opened.settings.nats_url.get_secret_value():
        return {}
    return {event_publisher.TASK: EventPublisher(opened.database, opened.settings, opened.metrics).run}


@asynccontextmanager
async def worker(
    settings: Settings, app_metrics: Metrics | None = None, *, serving: bool = True
) -> AsyncIterator[Worker]:
    """A worker, opened part by part and closed in reverse order.

    With `serving=False`, for commands, it runs no background services.
    """
    app_metrics = app_metrics or Metrics()
    async with AsyncExitStack() as stack:
        tracer = open_tracer() if serving else None
        if tracer:
            stack.push_async_callback(asyncio.to_thread, tracer.close)
        breakers = make_breakers(settings)
        database = Database.connect(settings.database_url, "app", settings, breakers["postgres"])
        stack.push_async_callback(database.close)
        ohlcv_database = Database.connect(settings.ohlcv_database_url, "candles", settings, breakers["ohlcv"])
        stack.push_async_callback(ohlcv_database.close)
        redis = connect(settings.redis_url, settings, "app", breakers["redis"])
        stack.push_async_callback(redis.aclose)
        subscriber = connect(settings.redis_url, settings, "hub")
        stack.push_async_callback(subscriber.aclose)
        background = BackgroundTasks()
        hub = await stack.enter_async_context(Hub(subscriber, settings.redis_timeout, background))
        changes = await stack.enter_async_context(ChangeFeed(database, redis, settings.db_timeout, background))
        rate_limits = RateLimiter(
            counters(redis, keys.RATE_LIMITS), settings.rate_limit_requests, settings.rate_limit_window, app_metrics
        )
        cost_limits = CostLimiter(counters(redis, keys.COST_LIMITS), settings.cost_limit_per_minute, app_metrics)
        synchronized = {"rate limits": rate_limits.synchronize, "cost limits": cost_limits.synchronize}
        await stack.enter_async_context(background.running(synchronized))
        services = ServiceManager(redis, hub)
        if serving:
            pruning = Pruning(database, settings.change_retention_hours)
            retention = AuditRetention(database, settings.audit_retention_days)
            pruned = {"pruning of changes": pruning.run, "retention of the audit log": retention.run}
            await stack.enter_async_context(background.running(pruned))
        sign_ins = SignInLog(database, settings)
        await stack.enter_async_context(background.running({"log of sign-ins": sign_ins.run}))
        stack.push_async_callback(sign_ins.write_summary)
        replicas = await stack.enter_async_context(
            running_replicas("postgres", database, settings.database_replica_urls, settings, background)
        )
        candle_replicas = await stack.enter_async_context(
            running_replicas("ohlcv", ohlcv_database, settings.candle_replica_urls, settings, background)
        )
        own_writes = OwnWrites(redis, settings.max_replica_lag) if replicas else None
        if own_writes:
            stack.push_async_callback(own_writes.close)
        sessions = Sessions(database, redis, settings, sign_ins, own_writes)
        candles = CandleStore(ohlcv_database)
        authenticator = Authenticator(sessions, ApiKeys(database, settings), settings.cache_bytes // 16)
        for name, cache in (
            ("credentials", authenticator.cache),
            ("candle_sources", candles.known_sources),
            ("rate_limits", rate_limits.windows),
            ("cost_limits", cost_limits.windows),
        ):
            app_metrics.watch_cache(name, cache)
        app_metrics.watch_process("worker", background, breakers, hub)
        app_metrics.replicas.groups = [group for group in (replicas, candle_replicas) if group]
        snapshots = None
        writes = ChangeExecutor(database, redis, services, settings, own_writes)
        if serving:
            await stack.enter_async_context(background.running(halting_tasks(database, redis, writes)))
            snapshots = await stack.enter_async_context(shared_counts(settings, app_metrics, background))
        yield Worker(
            settings=settings,
            metrics=app_metrics,
            database=database,
            ohlcv_database=ohlcv_database,
            candles=candles,
            redis=redis,
            tickers=SharedTickers(redis),
            hub=hub,
            background=background,
            breakers=breakers,
            changes=changes,
            watches=make_watches(hub, redis, services, settings.stream_poll_interval),
            services=services,
            rate_limits=rate_limits,
            cost_limits=cost_limits,
            sessions=sessions,
            authenticator=authenticator,
            tracer=tracer,
            snapshots=snapshots,
            writes=writes,
            replicas=replicas,
            candle_replicas=candle_replicas,
            replica_candles=CandleStore(ReplicaReads(candle_replicas, each_read=True)) if candle_replicas else None,
            own_writes=own_writes,
        )


@asynccontextmanager
async def running_replicas(
    name: str, primary: Database, urls: Sequence[str], settings: Settings, background: BackgroundTasks
) -> AsyncIterator[Replicas | None]:
    """The replicas of a database, probed for the duration of the block; None without any."""
    if not urls:
        yield None
        return
    databases = [Database.connect(url, name, settings, CircuitBreaker.never_opening(name)) for url in urls]
    replicas = Replicas(name, primary, databases, settings.max_replica_lag)
    try:
        async with background.running({f"replicas of {name}": replicas.run}):
            yield replicas
    finally:
        await replicas.close()


def make_breakers(settings: Settings) -> dict[str, CircuitBreaker]:
    """The circuit breaker of each store, by the name that `/health` and errors use."""
    errors: dict[str, type[CircuitOpen]] = {"postgres": CircuitOpen, "ohlcv": CircuitOpen, "redis": RedisCircuitOpen}
    return {
        name: CircuitBreaker(name, settings.circuit_breaker_threshold, settings.circuit_breaker_timeout, error)
        for name, error in errors.items()
    }


def handler_from_environment() -> ASGIApp:
    """The application for our own workers, as they call it."""
    return app_from_environment().handle


def app_from_environment() -> Application:
    """The application for servers that start workers: settings from the environment, logging configured."""
    settings = load_settings()
    configure_logging(settings)
    return create_app(settings)


def __getattr__(name: str) -> Application:
    """`app`, for `uvicorn fullon_graphql.app:app`: created at its first use, not when the module is imported."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return app_from_environment()
