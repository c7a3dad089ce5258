"""Metrics for Prometheus: counts and times of this worker, nothing about anybody."""

from __future__ import annotations

from fastapi import APIRouter, Response

from fullon_graphql.observability.metrics import CONTENT_TYPE, Metrics
from fullon_graphql.rest.dependencies import WorkerDep


def router(metrics: Metrics) -> APIRouter:
    """`GET /metrics` over one application's metrics."""
    routes = APIRouter(tags=["health"])

    @routes.get("/metrics", summary="What has been counted?", response_class=Response)
    async def read(worker: WorkerDep) -> Response:
        """Prometheus' text format. Every worker counts for itself, and the one that is asked answers."""
        metrics.topics.set(worker.hub.topics)
        metrics.listeners.set(worker.hub.listeners)
        return Response(metrics.text(), media_type=CONTENT_TYPE)

    return routes
