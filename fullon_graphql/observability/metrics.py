"""Metrics: how much is answered by plans, how often something remembered helps, and where time goes.

Each application has a registry of its own. Labels are words of ours, never anything that a client has sent.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4

BUCKETS: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
"""Seconds. A small statement takes less than a millisecond."""


class Tally(Collector):
    """How often each value of a label has come.

    As the library's own counter, without its locks: with every operation they would cost more than the counting. All
    of this happens in the event loop's thread.
    """

    def __init__(self, name: str, text: str, label: str) -> None:
        self._name, self._text, self._label = name, text, label
        self._counts: Counter[str] = Counter()

    def add(self, value: str, count: int = 1) -> None:
        """Count one more, or so many."""
        self._counts[value] += count

    def collect(self) -> Iterator[CounterMetricFamily]:
        """What the registry asks for."""
        family = CounterMetricFamily(self._name, self._text, labels=[self._label])
        for value, count in self._counts.items():
            family.add_metric([value], count)
        yield family


class Times(Collector):
    """How long each value of a label has taken, as a histogram; unlocked as `Tally` is."""

    def __init__(self, name: str, text: str, label: str) -> None:
        self._name, self._text, self._label = name, text, label
        self._counts: defaultdict[str, list[int]] = defaultdict(lambda: [0] * (len(BUCKETS) + 1))
        self._sums: defaultdict[str, float] = defaultdict(float)

    def add(self, value: str, seconds: float) -> None:
        """Count one more that took so long."""
        self._counts[value][bisect_left(BUCKETS, seconds)] += 1
        self._sums[value] += seconds

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """What the registry asks for."""
        family = HistogramMetricFamily(self._name, self._text, labels=[self._label])
        bounds = [*map(str, BUCKETS), "+Inf"]
        for value, counts in self._counts.items():
            family.add_metric([value], list(zip(bounds, accumulate(counts), strict=True)), self._sums[value])
        yield family


class Metrics:
    """What one worker has counted since it started, and what it holds now."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.operations = self._tally("operations", "Operations answered, by execution.", "execution")
        self.fallbacks = self._tally("fallbacks", "Operations left to the reference, by reason.", "reason")
        self.documents = self._tally("documents", "Documents read: hit where they were remembered.", "cache")
        self.plans = self._tally("plans", "Operations answered by a plan: hit where all of it was remembered.", "cache")
        self.stages = Times("fullon_graphql_stage_seconds", "Time of each step of an operation.", "stage")
        self._registry.register(self.stages)
        self.events = self._tally("events", "Events of subscriptions executed, by execution.", "execution")
        self.deliveries = self._tally("deliveries", "Events delivered to listeners, by kind of stream.", "kind")
        self.streams = self._gauge("streams", "Sources of subscriptions, each executed once for all who share it.")
        self.stream_listeners = self._gauge("stream_listeners", "Subscriptions that share them.")
        self.stream_sharing_ratio = self._gauge("stream_sharing_ratio", "Subscriptions per source; 0 without any.")
        self.sockets = self._gauge("sockets", "Open WebSockets, and streams over HTTP.")
        self.topics = self._gauge("hub_topics", "Redis channels and patterns subscribed.")
        self.listeners = self._gauge("hub_listeners", "Listeners to them.")

    def text(self) -> bytes:
        """All of it in Prometheus' text format, version 0.0.4."""
        return generate_latest(self._registry)

    def _tally(self, name: str, text: str, label: str) -> Tally:
        tally = Tally(f"fullon_graphql_{name}", text, label)
        self._registry.register(tally)
        return tally

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(f"fullon_graphql_{name}", text, registry=self._registry)


def hit_or_miss(*, hit: bool) -> str:
    """What the label `cache` says."""
    return "hit" if hit else "miss"
