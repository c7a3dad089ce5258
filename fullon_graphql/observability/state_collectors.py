"""Metrics of states: background tasks, circuit breakers, services, market feeds and caches, as they are when read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from fullon_graphql.background import BackgroundTasks
from fullon_graphql.circuit_breaker import CircuitBreaker
from fullon_graphql.lru import PROCESS_CACHES


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


class Replica(Protocol):
    """The state of a replica as its metrics show it."""

    @property
    def name(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def lag(self) -> float | None: ...


class Replicas(Protocol):
    """The replicas of a database."""

    def statuses(self) -> Sequence[Replica]: ...


class ReplicaStates(Collector):
    """The replicas that a worker reads from, once it has started."""

    groups: Sequence[Replicas] = ()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Called by the registry."""
        up = GaugeMetricFamily("fullon_graphql_replica_up", "Workers that read from a replica.", labels=["replica"])
        lag = GaugeMetricFamily(
            "fullon_graphql_replica_lag_seconds", "Seconds behind the primary, at most.", labels=["replica"]
        )
        for status in (status for group in self.groups for status in group.statuses()):
            up.add_metric([status.name], float(status.state == "up"))
            if status.lag is not None:
                lag.add_metric([status.name], status.lag)
        yield from (up, lag)


class Service(Protocol):
    """The state of a service as its metrics show it."""

    @property
    def name(self) -> str: ...
    @property
    def state(self) -> str: ...


class Services(Collector):
    """The services of the installation."""

    statuses: Sequence[Service] = ()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Called by the registry."""
        state = GaugeMetricFamily(
            "fullon_graphql_service_state",
            "1 for the state that a service is in; no series while Redis does not answer.",
            labels=["service", "state"],
        )
        for status in self.statuses:
            state.add_metric([status.name, status.state], 1)
        yield state


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
