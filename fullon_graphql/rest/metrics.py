"""`GET /metrics`: the counters and timings of a server for Prometheus, without personal data."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from hmac import compare_digest
from typing import Final

from fastapi import Request, Response
from redis.exceptions import RedisError
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from fullon_graphql.cache import market_feeds
from fullon_graphql.config import Settings
from fullon_graphql.context import Worker
from fullon_graphql.errors import FullonError, NotFound, Unauthenticated
from fullon_graphql.observability.metrics import CONTENT_TYPE, Metrics
from fullon_graphql.rest.dependencies import WorkerDep
from fullon_graphql.rest.errors import render
from fullon_graphql.rest.route_list import RouteList

STATES_TIMEOUT: Final = 1.0
"""Seconds that Redis may take for the states of market feeds and services."""


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


async def _read_states(metrics: Metrics, worker: Worker) -> None:
    """Read the states of market feeds and services; there are none while Redis is down."""
    metrics.feeds.statuses, metrics.services.statuses = (), ()
    with suppress(RedisError, OSError, TimeoutError, FullonError):
        async with asyncio.timeout(STATES_TIMEOUT):
            metrics.feeds.statuses = await market_feeds.read(worker.redis)
            metrics.services.statuses = await worker.services.statuses()


def router(metrics: Metrics, settings: Settings) -> RouteList:
    """Router with `GET /metrics` for one application's metrics, protected by METRICS_TOKEN and METRICS_PORT."""
    token = settings.metrics_token.get_secret_value()
    routes = RouteList(tags=["health"])

    @routes.get("/metrics", summary="Metrics for Prometheus", response_class=Response)
    async def get_metrics(request: Request, worker: WorkerDep) -> Response:
        """Prometheus' text format. The worker that gets the request answers for all processes of the server."""
        if settings.metrics_port is not None and request.scope["server"][1] != settings.metrics_port:
            raise NotFound("The metrics have a port of their own, METRICS_PORT.")
        if token and not compare_digest(request.headers.get("authorization", "").encode(), f"Bearer {token}".encode()):
            raise Unauthenticated("The metrics need the token METRICS_TOKEN.")
        await _read_states(metrics, worker)
        counted = await worker.snapshots.total() if worker.snapshots else None
        return Response(metrics.text(counted), media_type=CONTENT_TYPE)

    return routes
