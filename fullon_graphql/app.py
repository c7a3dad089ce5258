"""The whole program, put together: settings → stores → long-lived parts → faces."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from importlib.metadata import version
from typing import Any, TypedDict

from fastapi import FastAPI
from redis.asyncio import Redis
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from fullon_graphql.auth.tokens import refuse_insecure_secret
from fullon_graphql.background import BackgroundTasks
from fullon_graphql.cache import accounts, bots, keys, market, orders, processes
from fullon_graphql.cache.bots import FeedStatus
from fullon_graphql.cache.client import connect
from fullon_graphql.cache.hub import Hub
from fullon_graphql.cache.orders import LiveOrder as Order
from fullon_graphql.cache.processes import Report
from fullon_graphql.cache.watch import Watch
from fullon_graphql.config import Settings, load_settings
from fullon_graphql.context import Watches, Worker
from fullon_graphql.daemons.control.manager import ServiceManager
from fullon_graphql.daemons.control.runner import ServiceRunner, new_runner_id
from fullon_graphql.daemons.control.state import ServiceName, ServiceStatus
from fullon_graphql.daemons.daemon import Resources
from fullon_graphql.database import Database
from fullon_graphql.engine.operations import OperationExecutor
from fullon_graphql.graph import make_graph
from fullon_graphql.observability.logging import configure_logging
from fullon_graphql.observability.metrics import Metrics
from fullon_graphql.observability.request_ids import RequestIds
from fullon_graphql.ohlcv.store import CandleStore
from fullon_graphql.rest import errors, health, metrics, routes
from fullon_graphql.rest.trailing_slashes import StripTrailingSlash
from fullon_graphql.services.api_keys import ApiKeys
from fullon_graphql.services.change_feed.pruning import pruning
from fullon_graphql.services.change_feed.reader import ChangeFeed
from fullon_graphql.services.signing_in.authenticator import Authenticator
from fullon_graphql.services.signing_in.sessions import Sessions
from fullon_graphql.services.writing.executor import ChangeExecutor
from fullon_graphql.streaming.connections import ConnectionRegistry
from fullon_graphql.streaming.registry import StreamRegistry
from fullon_graphql.transports.admission import Admission
from fullon_graphql.transports.graphql_transport_ws.endpoint import GraphQLSocketEndpoint
from fullon_graphql.transports.http import GraphQLEndpoint
from fullon_graphql.transports.http_stream import HttpStreams
from fullon_graphql.transports.pages import Pages
from fullon_graphql.transports.platform_ws.endpoint import PlatformSocketEndpoint


class State(TypedDict):
    """What requests find in `request.state`."""

    worker: Worker
    ending: asyncio.Event
    """Set when the server begins to end, before it waits for open responses: see `server/protocols.py`."""


def create_app(settings: Settings) -> ASGIApp:
    """The ASGI application: the graph at `/graphql`, REST under `/api/v1`, `/health` and `/metrics`.

    Raises:
        InsecureSecretError: JWT_SECRET_KEY is not set or too short, and this is not the demo.
    """
    refuse_insecure_secret(settings)
    numbers, presences = Metrics(), ConnectionRegistry(settings)
    operations = OperationExecutor(make_graph().core, metrics=numbers)
    streams, door = StreamRegistry(operations), Admission(settings, numbers)
    sockets = GraphQLSocketEndpoint(operations, streams, presences, door)
    responses = HttpStreams(streams, presences, door, settings.stream_heartbeat)
    pages = Pages()
    graph = GraphQLEndpoint(operations, responses, pages)
    plain = PlatformSocketEndpoint(operations, streams, presences, door)
    doors: ASGIApp = Router(graph, sockets, plain, pages, rest_application(settings, numbers, presences))
    if settings.cors_origins:
        doors = CORSMiddleware(doors, allow_origins=settings.cors_origins, allow_methods=["*"], allow_headers=["*"])
    return RequestIds(doors)


class Router:
    """Which application answers: the graph, other sockets, pages, or REST; only REST passes a framework."""

    def __init__(self, graph: ASGIApp, sockets: ASGIApp, plain: ASGIApp, pages: Pages, rest: ASGIApp) -> None:
        self._graph = graph
        self._sockets = sockets
        self._plain = plain
        self._pages = pages
        self._rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match scope["type"], scope.get("path"):
            case "http", "/graphql":
                await self._graph(scope, receive, send)
            case "websocket", "/graphql":
                await self._sockets(scope, receive, send)
            case "websocket", _:
                await self._plain(scope, receive, send)
            case "http", _ if self._pages.serves(scope):
                await self._pages(scope, receive, send)
            case _:
                await self._rest(scope, receive, send)


def rest_application(settings: Settings, numbers: Metrics, presences: ConnectionRegistry) -> FastAPI:
    """REST, health and metrics; its lifespan is the whole program's."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[State]:
        async with worker(settings) as parts, presences.watched(parts):
            yield State(worker=parts, ending=asyncio.Event())

    app = FastAPI(
        title="Fullon GraphQL",
        version=version("fullon-graphql"),
        description="REST beside the graph at `/graphql`, over the same service functions.",
        lifespan=lifespan,
        redirect_slashes=False,
    )
    app.include_router(health.router)
    app.include_router(health.root_router)
    app.include_router(metrics.router(numbers))
    app.include_router(routes.api)
    app.add_middleware(StripTrailingSlash)
    errors.install(app)
    return app


@asynccontextmanager
async def worker(settings: Settings, *, serving: bool = True) -> AsyncIterator[Worker]:
    """The stores and long-lived parts of one worker: opened in this order, closed in the opposite one.

    A command that only wants to use them is no worker: without `serving` it takes up no background service.
    """
    async with AsyncExitStack() as stack:
        database = Database.connect(settings.database_url, "app", settings)
        stack.push_async_callback(database.close)
        ohlcv_database = Database.connect(settings.ohlcv_database_url, "candles", settings)
        stack.push_async_callback(ohlcv_database.close)
        redis = connect(settings.redis_url, settings, "app")
        stack.push_async_callback(redis.aclose)
        listener = connect(settings.redis_url, settings, "hub")
        stack.push_async_callback(listener.aclose)
        background = BackgroundTasks()
        hub = await stack.enter_async_context(Hub(listener, settings.redis_timeout, background))
        changes = await stack.enter_async_context(ChangeFeed(database, settings.db_timeout))
        resources = Resources(settings, database, ohlcv_database, redis)
        services = ServiceManager(redis, hub)
        if serving:
            runner = ServiceRunner(settings, resources, hub, background, new_runner_id())
            await stack.enter_async_context(runner)
            await stack.enter_async_context(pruning(database, settings.change_retention_hours))
        signing_in = Sessions(database, redis, settings)
        yield Worker(
            settings=settings,
            database=database,
            ohlcv_database=ohlcv_database,
            candles=CandleStore(ohlcv_database),
            redis=redis,
            hub=hub,
            background=background,
            changes=changes,
            watches=_watches(hub, redis, services, settings),
            services=services,
            sessions=signing_in,
            authenticator=Authenticator(signing_in, ApiKeys(database, settings)),
            writes=ChangeExecutor(database, redis, services, settings),
        )


def _watches(hub: Hub, redis: Redis, services: ServiceManager, settings: Settings) -> Watches:
    every = settings.stream_poll_interval

    async def of_bots(bot_ids: Sequence[int]) -> dict[int, list[FeedStatus]]:
        return dict(zip(bot_ids, await bots.read_statuses(redis, bot_ids), strict=True))

    async def of_processes(_: Sequence[None]) -> dict[None, list[Report]]:
        return {None: await processes.read(redis)}

    async def of_services(_: Sequence[None]) -> dict[None, list[ServiceStatus]]:
        return {None: await services.statuses()}

    async def of_orders(
        wanted: Sequence[tuple[tuple[int, str], ...]],
    ) -> dict[tuple[tuple[int, str], ...], list[Order]]:
        owned = list(dict.fromkeys(account for accounts_ in wanted for account in accounts_))
        found = dict(zip(owned, await orders.read(redis, owned), strict=True))
        return {accounts_: [order for account in accounts_ for order in found[account]] for accounts_ in wanted}

    async def of_trades(instruments: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Sequence[Any]]:
        queues = await asyncio.gather(
            *(market.read_trades(redis, *instrument, market.MOST_TRADES) for instrument in instruments)
        )
        return {instrument: queue.trades for instrument, queue in zip(instruments, queues, strict=True)}

    return Watches(
        balances=Watch(hub, [keys.changes(keys.ACCOUNTS)], partial(accounts.read_balances, redis), every),
        positions=Watch(hub, [keys.changes(keys.POSITIONS)], partial(accounts.read_positions, redis), every),
        bots=Watch(hub, [keys.changes(keys.BOT_STATUS)], of_bots, every),
        processes=Watch(hub, [keys.changes(keys.PROCESS_COMPONENTS)], of_processes, every),
        services=Watch(hub, [keys.service_changes(name) for name in ServiceName], of_services, every),
        orders=Watch(hub, [keys.changes(keys.ORDER_STATUS)], of_orders, every),
        trades=Watch(hub, [keys.changes(keys.TRADES)], of_trades, every),
    )


def app_from_environment() -> ASGIApp:
    """For servers that start workers of their own: settings from the environment, logging configured."""
    settings = load_settings()
    configure_logging(settings)
    return create_app(settings)
