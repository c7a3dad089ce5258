"""`GET /metrics`: this worker's counters and timings for Prometheus, without personal data."""

from __future__ import annotations

from fastapi import APIRouter, Response

from fullon_graphql.observability.metrics import CONTENT_TYPE, Metrics
from fullon_graphql.rest.dependencies import WorkerDep


def router(metrics: Metrics) -> APIRouter:
    """Router with `GET /metrics` for one application's metrics."""
    routes = APIRouter(tags=["health"])

    @routes.get("/metrics", summary="Metrics for Prometheus", response_class=Response)
    async def get_metrics(worker: WorkerDep) -> Response:
        """Prometheus' text format. Each worker counts for itself; the worker that gets the request answers."""
        metrics.topics.set(worker.hub.topics)
        metrics.listeners.set(worker.hub.listeners)
        return Response(metrics.text(), media_type=CONTENT_TYPE)

    return routes
