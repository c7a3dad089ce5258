"""`GET /metrics`: this worker's counters and timings for Prometheus, without personal data."""

from __future__ import annotations

import asyncio
from hmac import compare_digest
from typing import Final

from fastapi import Request, Response
from redis.exceptions import RedisError
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from fullon_graphql.cache import market_feeds
from fullon_graphql.cache.market_feeds import MarketFeedStatus
from fullon_graphql.config import Settings
from fullon_graphql.context import Worker
from fullon_graphql.errors import FullonError, NotFound, Unauthenticated
from fullon_graphql.observability.metrics import CONTENT_TYPE, Metrics
from fullon_graphql.rest.dependencies import WorkerDep
from fullon_graphql.rest.errors import render
from fullon_graphql.rest.route_list import RouteList

FEEDS_TIMEOUT: Final = 1.0
"""Seconds that Redis may take for the states of market feeds."""


class MetricsPort:
    """ASGI middleware: on METRICS_PORT everything but `/metrics` is absent."""

    def __init__(self, app: ASGIApp, port: int) -> None:
        self._app = app
        self._port = port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or scope["server"][1] != self._port or scope["path"] == "/metrics":
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await WebSocketClose()(scope, receive, send)
        else:
            response = await render(Request(scope), NotFound("This port has /metrics only."))
            await response(scope, receive, send)


async def _feeds(worker: Worker) -> list[MarketFeedStatus]:
    """The states of market feeds; none while Redis is down."""
    try:
        async with asyncio.timeout(FEEDS_TIMEOUT):
            return await market_feeds.read(worker.redis)
    except (RedisError, OSError, TimeoutError, FullonError):
        return []


def router(metrics: Metrics, settings: Settings) -> RouteList:
    """Router with `GET /metrics` for one application's metrics, protected by METRICS_TOKEN and METRICS_PORT."""
    token = settings.metrics_token.get_secret_value()
    routes = RouteList(tags=["health"])

    @routes.get("/metrics", summary="Metrics for Prometheus", response_class=Response)
    async def get_metrics(request: Request, worker: WorkerDep) -> Response:
        """Prometheus' text format. Each worker counts for itself; the worker that gets the request answers."""
        if settings.metrics_port is not None and request.scope["server"][1] != settings.metrics_port:
            raise NotFound("The metrics have a port of their own, METRICS_PORT.")
        if token and not compare_digest(request.headers.get("authorization", "").encode(), f"Bearer {token}".encode()):
            raise Unauthenticated("The metrics need the token METRICS_TOKEN.")
        metrics.background.tasks = worker.background
        metrics.circuits.breakers = worker.breakers
        metrics.topics.set(worker.hub.topics)
        metrics.listeners.set(worker.hub.listeners)
        metrics.feeds.statuses = await _feeds(worker)
        return Response(metrics.text(), media_type=CONTENT_TYPE)

    return routes
