"""Metrics of a process, in Prometheus' text format.

Each application has its own registry. What stores and transports count without knowing an application is counted for
the whole process. `process_snapshots.py` adds up the processes of one server.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal, Protocol, TypeAlias

import prometheus_client
from graphql import GraphQLFormattedError
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from fullon_graphql.background import BackgroundTasks
from fullon_graphql.circuit_breaker import CircuitBreaker
from fullon_graphql.observability.http_requests import HttpRequests
from fullon_graphql.observability.instruments import BUCKETS, COSTS, WAITS, Histogram, Tally
from fullon_graphql.observability.state_collectors import (
    BackgroundStates,
    Cache,
    Caches,
    Circuits,
    Feeds,
    ReplicaStates,
    Services,
)

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4

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

TEXT_READS: Final = Tally(
    "fullon_graphql_text_reads",
    "Lists and trees read as one text, by whether their statement answered several requests (shared) or one (alone).",
    "statement",
)
"""Counted for the whole process, as above."""

REPLICA_READS: Final = Tally(
    "fullon_graphql_replica_reads",
    "Operations that read from a replica (replica), or from the primary and why (own_change, lag, cursor, failed).",
    "result",
)
"""Counted for the whole process, as above."""

_ERRORS: Final = Tally(
    "fullon_graphql_errors", "Errors that clients received, by interface and code.", "interface", "code"
)
_SIGN_INS: Final = Tally("fullon_graphql_sign_ins", "Attempts to sign in, by outcome.", "outcome")
_REDIS_READS: Final = Tally(
    "fullon_graphql_redis_reads", "Keys of live state read in Redis, by kind; a hit has a value.", "kind", "result"
)
FEED_DELAYS: Final = Histogram(
    "fullon_graphql_feed_delay_seconds",
    "From the exchange's time of live data to its arrival, of each delivery.",
    "exchange",
    WAITS,
)
"""Observed in the services process. Exchanges are those of the catalogue."""
LOOP_HOLDS: Final = Histogram(
    "fullon_graphql_loop_hold_seconds",
    "How much later than due the event loop ran a timer, sampled by process.",
    "process",
    WAITS,
)
_OF_THE_PROCESS: Final[Sequence[Collector]] = (
    VALUES_LEFT_OUT,
    _LIMITS,
    HUB_OVERFLOWS,
    ROW_READS,
    TEXT_READS,
    REPLICA_READS,
    _ERRORS,
    _SIGN_INS,
    _REDIS_READS,
    FEED_DELAYS,
    LOOP_HOLDS,
)

ProcessKind: TypeAlias = Literal["worker", "services"]
Interface: TypeAlias = Literal["graph", "rest", "socket"]


class Hub(Protocol):
    """The hub of Redis messages as its metrics show it."""

    @property
    def topics(self) -> int: ...
    @property
    def listeners(self) -> int: ...


def count_error(interface: Interface, code: str) -> None:
    """Count an error that a client receives. `code` is one of ours."""
    _ERRORS.add((interface, code))


def count_graph_errors(errors: Iterable[GraphQLFormattedError]) -> None:
    """Count the errors of a response of the graph."""
    for error in errors:
        _ERRORS.add(("graph", error.get("extensions", {}).get("code", "INTERNAL")))


def count_sign_in(outcome: Literal["accepted", "refused", "limited"]) -> None:
    """Count an attempt to sign in; `limited` is one that was not tried."""
    _SIGN_INS.add(outcome)


def count_reads(kind: str, *, hits: int, misses: int) -> None:
    """Count keys that were read in Redis. `kind` is a constant of ours."""
    if hits:
        _REDIS_READS.add((kind, "hit"), hits)
    if misses:
        _REDIS_READS.add((kind, "miss"), misses)


class Metrics:
    """The metrics of one worker since its start."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._installation = CollectorRegistry()
        """States of the installation, which every process knows alike; not added up over processes."""
        self.http = HttpRequests()
        self._registry.register(self.http)
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
        self.feeds, self.services = Feeds(), Services()
        self._installation.register(self.feeds)
        self._installation.register(self.services)
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
        self.streams_started = self._tally("streams_started", "Subscriptions that began, by transport.", "transport")
        self.streams_ended = self._tally(
            "streams_ended", "Subscriptions that ended, by transport and reason.", "transport", "reason"
        )
        self.events_skipped = self._tally(
            "stream_events_skipped", "States that slow subscribers did not receive because of newer ones.", "reason"
        )
        self.delivery_lag = self._histogram(
            "delivery_lag_seconds",
            "From the write of a row, or the time of a tick, until its frame was written to a socket.",
            "kind",
            WAITS,
        )
        self.events_published = self._tally(
            "events_published", "Row changes for other programs, by result: stored, duplicate or lost.", "result"
        )
        self.alerts, self.webhook_deliveries = (
            self._tally("alerts", "Alerts that rules have raised, by condition.", "condition"),
            self._tally("webhook_deliveries", "Attempts to deliver an event to a webhook, by outcome.", "outcome"),
        )
        self.webhooks = self._gauge("webhooks", "Webhooks to which this process delivers events.")
        self.webhook_oldest_undelivered = self._gauge(
            "webhook_oldest_undelivered_seconds", "Age of the oldest event that waits for its webhook; 0 without any."
        )
        self.sockets = self._gauge("sockets", "Open WebSockets and streams over HTTP.")
        self.connections = Gauge(
            "fullon_graphql_connections",
            "Open WebSockets and streams over HTTP, by protocol.",
            ["protocol"],
            registry=self._registry,
        )
        self.background = BackgroundStates()
        self._registry.register(self.background)
        self.circuits = Circuits()
        self._registry.register(self.circuits)
        self.replicas = ReplicaStates()
        self._registry.register(self.replicas)
        for collector in _OF_THE_PROCESS:
            self._registry.register(collector)
        self._topics = self._gauge("hub_topics", "Redis channels and patterns that are subscribed.")
        self._listeners = self._gauge("hub_listeners", "Mailboxes that receive messages of these channels.")
        self._processes = Gauge(
            "fullon_graphql_processes", "Processes of this server that run.", ["process"], registry=self._registry
        )

    def watch_cache(self, name: str, cache: Cache) -> None:
        """Show the entries, bytes and evictions of `cache` under this name."""
        self._caches.caches[name] = cache

    def watch_process(
        self,
        process: ProcessKind,
        background: BackgroundTasks,
        breakers: Mapping[str, CircuitBreaker],
        hub: Hub,
    ) -> None:
        """Show the state of a process that has started."""
        self._processes.labels(process).set(1)
        self.background.tasks = background
        self.circuits.breakers = breakers
        self._topics.set_function(lambda: hub.topics)
        self._listeners.set_function(lambda: hub.listeners)

    def collect(self) -> list[Metric]:
        """The counts and gauges of this process."""
        return list(self._registry.collect())

    def text(self, counted: Iterable[Metric] | None = None) -> bytes:
        """All metrics in Prometheus' text format, version 0.0.4: `counted`, by default of this process only."""
        parts = self.collect() if counted is None else counted
        return generate_latest(_Collected([*parts, *self._installation.collect()]))

    def _tally(self, name: str, text: str, *labels: str) -> Tally:
        tally = Tally(f"fullon_graphql_{name}", text, *labels)
        self._registry.register(tally)
        return tally

    def _histogram(self, name: str, text: str, label: str, buckets: Sequence[float]) -> Histogram:
        histogram = Histogram(f"fullon_graphql_{name}", text, label, buckets)
        self._registry.register(histogram)
        return histogram

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(f"fullon_graphql_{name}", text, registry=self._registry)


class _Collected(CollectorRegistry):
    """Families that have been collected before, as the library writes them."""

    def __init__(self, families: Iterable[Metric]) -> None:
        super().__init__()
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families
