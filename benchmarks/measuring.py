"""One measurement: a load on a server, and its cost to the server and the stores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.load import load
from benchmarks.servers import Server, seconds_of
from benchmarks.stores import Stores


@dataclass(frozen=True)
class Sample:
    """Answers per second; latencies and processor time per answer in milliseconds."""

    rate: float
    p50: float
    p99: float
    server: float
    stores: float


def measure(server: Server, stores: Stores, documents: Sequence[str], *, clients: int, seconds: int) -> Sample:
    """Put a server under load for some seconds; without documents, get its address.

    Raises:
        RuntimeError: there was no answer, or an invalid one.
    """
    server_before, stores_before = seconds_of([server.process]), seconds_of(stores.engines)
    seen = load(server, documents, clients, seconds)
    if not seen.requests:
        raise RuntimeError(
            f"{server.name} has answered none of {clients} clients within {seconds} s; increase --seconds."
        )
    return Sample(
        rate=seen.requests / seen.seconds,
        p50=seen.p50,
        p99=seen.p99,
        server=(seconds_of([server.process]) - server_before) / seen.requests * 1000,
        stores=(seconds_of(stores.engines) - stores_before) / seen.requests * 1000,
    )


def middle(samples: Sequence[Sample]) -> Sample:
    """The median of each figure."""
    return Sample(
        rate=median(sample.rate for sample in samples),
        p50=median(sample.p50 for sample in samples),
        p99=median(sample.p99 for sample in samples),
        server=median(sample.server for sample in samples),
        stores=median(sample.stores for sample in samples),
    )
