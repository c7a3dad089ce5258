"""Figures of this process in answers: of queues, as far as it has seen them, and of its reads."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, Field

from fullon_graphql.observability.queue_meter import QueueMeter
from fullon_graphql.observability.read_meter import ReadMeter


class QueueFigures(BaseModel):
    """Derived from the sizes that this process has read; null while it has not seen enough."""

    processing_rate: float | None = Field(
        description="Items per second seen to be consumed in the last five minutes; null before the second read."
    )
    health_status: Literal["healthy", "stalled"] | None = Field(
        description="`stalled` if items wait and none was seen to be consumed for a minute."
    )
    last_processed: AwareDatetime | None = Field(description="Time of the read that found items consumed.")


class ReadFigures(BaseModel):
    """Reads of this process since its start."""

    reads: int
    hits: int = Field(description="Reads that found a value.")
    misses: int
    latency_ms: float | None = Field(description="Mean time of a read; null before the first.")


def queue_figures(meter: QueueMeter, names: Collection[str]) -> dict[str, Any]:
    """The figures of the queues with these names together."""
    return asdict(meter.figures(names))


def read_figures(meter: ReadMeter) -> dict[str, Any]:
    """The figures of a meter."""
    return {"reads": meter.reads, "hits": meter.hits, "misses": meter.misses, "latency_ms": meter.milliseconds}
