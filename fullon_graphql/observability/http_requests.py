"""HTTP requests by route, method and status, with their durations."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from fullon_graphql.observability.instruments import BUCKETS, cumulated

OTHER: Final = "other"
"""The label of a path without a route, and of a method that no route has."""
_METHODS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
_SLOTS: Final = len(BUCKETS) + 1


class HttpRequests(Collector):
    """Counts requests. Routes are templates of ours, such as `/api/v1/orm/bots/{bot_id}`, never paths of clients.

    A stream over HTTP is counted without its duration, which the client decides.
    """

    def __init__(self) -> None:
        self._found: dict[tuple[str, str, int], list[float]] = {}
        """The requests of each bucket, then the streams, then the sum of the seconds."""

    def add(self, route: str, method: str, status: int, seconds: float | None) -> None:
        """Count a request that has ended; `seconds` is None for a stream."""
        found = self._found.get((route, method, status)) or self._first(route, method, status)
        if seconds is None:
            found[_SLOTS] += 1
        else:
            found[bisect_left(BUCKETS, seconds)] += 1
            found[-1] += seconds

    def collect(self) -> Iterator[CounterMetricFamily | HistogramMetricFamily]:
        """Called by the registry."""
        requests = CounterMetricFamily(
            "fullon_graphql_http_requests",
            "HTTP requests answered, by template of the route, method and status.",
            labels=["route", "method", "status"],
        )
        seconds = HistogramMetricFamily(
            "fullon_graphql_http_request_seconds",
            "Time from a request to the end of its response, without streams.",
            labels=["route", "method"],
        )
        sums: defaultdict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0] * (_SLOTS + 2))
        for (route, method, status), found in self._found.items():
            requests.add_metric([route, method, str(status)], sum(found[:-1]))
            total = sums[route, method]
            total[:] = [one + other for one, other in zip(total, found, strict=True)]
        for labels, total in sums.items():
            seconds.add_metric(labels, cumulated(BUCKETS, [int(count) for count in total[:_SLOTS]]), total[-1])
        yield from (requests, seconds)

    def _first(self, route: str, method: str, status: int) -> list[float]:
        if method not in _METHODS:
            method = OTHER
        return self._found.setdefault((route, method, status), [0.0] * (_SLOTS + 2))
