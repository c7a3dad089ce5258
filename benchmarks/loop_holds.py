"""How long the server holds its event loop during a load, as its own metric says."""

from __future__ import annotations

import math
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from urllib.parse import urljoin

from prometheus_client.parser import text_string_to_metric_families

from benchmarks.servers import PATIENCE, Server

METRIC = "fullon_graphql_loop_hold_seconds"


@dataclass(frozen=True)
class Holds:
    """Measurements: how many, their sum in seconds, and how many were at most as long as each bound."""

    count: float = 0
    total: float = 0
    at_most: Counter[float] = field(default_factory=Counter)

    def __add__(self, other: Holds) -> Holds:
        return Holds(self.count + other.count, self.total + other.total, self.at_most + other.at_most)

    def __sub__(self, other: Holds) -> Holds:
        return Holds(self.count - other.count, self.total - other.total, self.at_most - other.at_most)

    def __str__(self) -> str:
        if not self.count:
            return "How long the event loop was held was not measured."
        mean = self.total / self.count * 1000
        bound = min(bound for bound, number in self.at_most.items() if number == self.count)
        longest = f"at most {bound * 1000:g} ms" if bound < math.inf else "once for longer than a minute"
        return f"Our event loop was held for {mean:.1f} ms on average, {longest}."


def holds(server: Server) -> Holds:
    """The measurements of the server's workers."""
    with urllib.request.urlopen(urljoin(server.url, "/metrics"), timeout=PATIENCE) as reply:
        families = text_string_to_metric_families(reply.read().decode())
    samples = [sample for family in families if family.name == METRIC for sample in family.samples]
    of_workers = [sample for sample in samples if sample.labels.get("process") == "worker"]
    values = {sample.name.removeprefix(METRIC): sample.value for sample in of_workers}
    bounds = Counter({float(sample.labels["le"]): sample.value for sample in of_workers if "le" in sample.labels})
    return Holds(values.get("_count", 0), values.get("_sum", 0), bounds)
