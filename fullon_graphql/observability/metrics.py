"""Metrics of a worker, in Prometheus' text format.

Each application has its own registry. Label values are constants of ours, never input of a client.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import accumulate
from typing import Final, Protocol

import prometheus_client
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from fullon_graphql.background import BackgroundTasks
from fullon_graphql.circuit_breaker import CircuitBreaker
from fullon_graphql.lru import PROCESS_CACHES

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4

BUCKETS: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
"""Upper bounds of the histograms, in seconds."""
COSTS: Final = (0, 10, 100, 1_000, 10_000, 100_000, 1_000_000)
"""Upper bounds of the histogram of costs."""


class Tally(Collector):
    """A counter with one label.

    Without the locks of the library's counter, which cost more than counting: only the event loop's thread counts.
    """

    def __init__(self, name: str, text: str, label: str) -> None:
        self._name, self._text, self._label = name, text, label
        self._counts: Counter[str] = Counter()

    def add(self, value: str, count: int = 1) -> None:
        """Add `count` to the counter of a label value."""
        self._counts[value] += count

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Called by the registry."""
        family = CounterMetricFamily(self._name, self._text, labels=[self._label])
        for value, count in self._counts.items():
            family.add_metric([value], count)
        yield family


class Histogram(Collector):
    """A histogram with one label, without locks like `Tally`. `buckets` are the upper bounds."""

    def __init__(self, name: str, text: str, label: str, buckets: Sequence[float]) -> None:
        self._name, self._text, self._label, self._buckets = name, text, label, buckets
        self._counts: defaultdict[str, list[int]] = defaultdict(lambda: [0] * (len(buckets) + 1))
        self._sums: defaultdict[str, float] = defaultdict(float)

    def add(self, value: str, amount: float) -> None:
        """Add an amount under a label value."""
        self._counts[value][bisect_left(self._buckets, amount)] += 1
        self._sums[value] += amount

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """Called by the registry."""
        family = HistogramMetricFamily(self._name, self._text, labels=[self._label])
        bounds = [*map(str, self._buckets), "+Inf"]
        for value, counts in self._counts.items():
            family.add_metric([value], list(zip(bounds, accumulate(counts), strict=True)), self._sums[value])
        yield family


VALUES_LEFT_OUT: Final = Tally(
    "fullon_graphql_values_left_out", "Broken values in Redis that were left out, by kind.", "kind"
)
"""Counted for the whole process: the readers of Redis know no application."""
_LIMITS: Final = Tally(
    "fullon_graphql_limits",
    "Requests, connections and messages refused by a limit, by setting.",
    "limit",
)


def count_limit(setting: str) -> None:
    """Count that the limit of a setting has refused or ended something; for the whole process, as stores need it."""
    _LIMITS.add(setting)


HUB_OVERFLOWS: Final = Tally(
    "fullon_graphql_hub_overflows", "Mailboxes of Redis messages that have overflowed, by limit.", "limit"
)
"""Counted for the whole process, as above."""

ROW_READS: Final = Tally(
    "fullon_graphql_row_reads",
    "Rows read by key, by whether their statement answered several requests (shared) or one (alone).",
    "statement",
)
"""Counted for the whole process, as above."""


class BackgroundStates(Collector):
    """The background tasks of a worker, once it has started."""

    tasks: BackgroundTasks | None = None

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        """Called by the registry."""
        failures = CounterMetricFamily(
            "fullon_graphql_background_failures", "Failures of background tasks, by task.", labels=["task"]
        )
        down = GaugeMetricFamily(
            "fullon_graphql_background_tasks_down", "Background tasks that have failed and do not work again yet."
        )
        if self.tasks:
            for name, count in self.tasks.failures.items():
                failures.add_metric([name], count)
            down.add_metric([], len(self.tasks.down))
        yield failures
        yield down


class Circuits(Collector):
    """The circuit breakers of a worker, once it has started."""

    breakers: Mapping[str, CircuitBreaker] | None = None

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        """Called by the registry."""
        is_open = GaugeMetricFamily(
            "fullon_graphql_circuit_open", "1 while requests that need a store are refused.", labels=["store"]
        )
        openings = CounterMetricFamily(
            "fullon_graphql_circuit_openings", "Times the circuit of a store has opened.", labels=["store"]
        )
        refusals = CounterMetricFamily(
            "fullon_graphql_circuit_refusals", "Calls to a store refused without trying it.", labels=["store"]
        )
        for store, breaker in (self.breakers or {}).items():
            is_open.add_metric([store], float(breaker.state != "closed"))
            openings.add_metric([store], breaker.openings)
            refusals.add_metric([store], breaker.refusals)
        yield from (is_open, openings, refusals)


class Feed(Protocol):
    """The state of a market feed as its metrics show it."""

    @property
    def exchange(self) -> str: ...
    @property
    def service(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def last_message_at(self) -> datetime | None: ...
    @property
    def lag_ms(self) -> float | None: ...
    @property
    def reconnects(self) -> int: ...
    @property
    def symbols_missing(self) -> Sequence[str]: ...


class Feeds(Collector):
    """The market feeds that the services process reports. Exchanges are those of the catalogue."""

    statuses: Sequence[Feed] = ()

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        """Called by the registry."""
        labels = ["exchange", "service"]
        up = GaugeMetricFamily("fullon_graphql_feed_up", "1 if the live data of an exchange works.", labels=labels)
        lag = GaugeMetricFamily(
            "fullon_graphql_feed_lag_seconds",
            "From the exchange's time of the newest data to its arrival.",
            labels=labels,
        )
        last = GaugeMetricFamily(
            "fullon_graphql_feed_last_message_timestamp_seconds", "Unix time of the newest data.", labels=labels
        )
        missing = GaugeMetricFamily("fullon_graphql_feed_symbols_missing", "Symbols without live data.", labels=labels)
        reconnects = CounterMetricFamily("fullon_graphql_feed_reconnects", "Lost connections.", labels=labels)
        for feed in self.statuses:
            names = [feed.exchange, feed.service]
            up.add_metric(names, float(feed.state in {"live", "quiet"}))
            missing.add_metric(names, len(feed.symbols_missing))
            reconnects.add_metric(names, feed.reconnects)
            if feed.lag_ms is not None:
                lag.add_metric(names, feed.lag_ms / 1000)
            if feed.last_message_at is not None:
                last.add_metric(names, feed.last_message_at.timestamp())
        yield from (up, lag, last, missing, reconnects)


class Cache(Protocol):
    """A cache as its metrics show it."""

    @property
    def entries(self) -> int:
        """The number of entries."""

    @property
    def size(self) -> int:
        """The estimated bytes of all entries."""

    @property
    def evictions(self) -> int:
        """The number of entries evicted since the start."""


class Caches(Collector):
    """Entries, bytes and evictions of each cache."""

    def __init__(self) -> None:
        self.caches: dict[str, Cache] = dict(PROCESS_CACHES)

    def collect(self) -> Iterator[Metric]:
        """Yield the metric families when the registry is read."""
        entries = GaugeMetricFamily("fullon_graphql_cache_entries", "Entries of a cache.", labels=["cache"])
        size = GaugeMetricFamily("fullon_graphql_cache_bytes", "Estimated bytes of a cache.", labels=["cache"])
        evictions = CounterMetricFamily("fullon_graphql_cache_evictions", "Entries evicted.", labels=["cache"])
        for name, cache in self.caches.items():
            entries.add_metric([name], cache.entries)
            size.add_metric([name], cache.size)
            evictions.add_metric([name], cache.evictions)
        yield from (entries, size, evictions)


class Metrics:
    """The metrics of one worker since its start."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.operations = self._tally("operations", "Operations answered, by execution.", "execution")
        self.fallbacks = self._tally(
            "fallbacks", "Operations executed by the reference execution, by reason.", "reason"
        )
        self.documents = self._tally(
            "documents", "Documents parsed and validated (miss) or found in the cache (hit).", "cache"
        )
        self.plans = self._tally(
            "plans", "Operations answered by a plan that was compiled (miss) or found in the cache (hit).", "cache"
        )
        self.costs = self._tally("costs", "Estimated cost of operations, by decision.", "decision")
        self.trusted_documents = self._tally(
            "trusted_documents", "Requests by the trust in their document, unless TRUSTED_DOCUMENTS is off.", "result"
        )
        self.registered_documents = self._tally(
            "registered_documents", "Look-ups of registered documents by their hash, and their storage.", "result"
        )
        self.deprecated_fields = self._tally(
            "deprecated_fields", "Operations that select a deprecated field, by field.", "field"
        )
        self.timeouts = prometheus_client.Counter(
            "fullon_graphql_timeouts", "Operations canceled after OPERATION_TIMEOUT.", registry=self._registry
        )
        self.stages = self._histogram("stage_seconds", "Time of each stage of an operation.", "stage", BUCKETS)
        self.operation_costs = self._histogram(
            "operation_cost",
            "Cost of operations: estimated before execution, actual of a sample of responses, of a sample of events.",
            "kind",
            COSTS,
        )
        self.feeds = Feeds()
        self._registry.register(self.feeds)
        self._caches = Caches()
        self._registry.register(self._caches)
        self.events = self._tally("events", "Events of subscriptions executed, by execution.", "execution")
        self.deliveries = self._tally("deliveries", "Events delivered to subscribers, by kind of stream.", "kind")
        self.rate_limits = self._tally(
            "rate_limits", "Requests refused by the rate limit, and failed synchronizations of its counts.", "result"
        )
        self.streams = self._gauge(
            "streams", "Shared streams: sources that are executed once for all their subscribers."
        )
        self.stream_listeners = self._gauge("stream_listeners", "Subscribers of the shared streams.")
        self.stream_cost = self._gauge("stream_cost", "Estimated cost per second that open subscriptions reserve.")
        self.stream_sharing_ratio = self._gauge(
            "stream_sharing_ratio", "Subscribers per shared stream; 0 without streams."
        )
        self.stream_backlog_bytes = self._gauge(
            "stream_backlog_bytes", "Bytes of events that wait for slow subscribers, each shared event counted once."
        )
        self.stream_overflows = self._tally(
            "stream_overflows", "Backlogs of subscribers that have overflowed, by limit.", "limit"
        )
        self.sockets = self._gauge("sockets", "Open WebSockets and streams over HTTP.")
        self.background = BackgroundStates()
        self._registry.register(self.background)
        self.circuits = Circuits()
        self._registry.register(self.circuits)
        self._registry.register(VALUES_LEFT_OUT)
        self._registry.register(_LIMITS)
        self._registry.register(HUB_OVERFLOWS)
        self._registry.register(ROW_READS)
        self.topics = self._gauge("hub_topics", "Redis channels and patterns that are subscribed.")
        self.listeners = self._gauge("hub_listeners", "Mailboxes that receive messages of these channels.")

    def watch_cache(self, name: str, cache: Cache) -> None:
        """Show the entries, bytes and evictions of `cache` under this name."""
        self._caches.caches[name] = cache

    def text(self) -> bytes:
        """All metrics in Prometheus' text format, version 0.0.4."""
        return generate_latest(self._registry)

    def _tally(self, name: str, text: str, label: str) -> Tally:
        tally = Tally(f"fullon_graphql_{name}", text, label)
        self._registry.register(tally)
        return tally

    def _histogram(self, name: str, text: str, label: str, buckets: Sequence[float]) -> Histogram:
        histogram = Histogram(f"fullon_graphql_{name}", text, label, buckets)
        self._registry.register(histogram)
        return histogram

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(f"fullon_graphql_{name}", text, registry=self._registry)
