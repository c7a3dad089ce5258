"""Counters and histograms without the locks of the library's, which cost more than counting.

Only the event loop's thread counts. Label values are constants of ours, never input of a client.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Final, TypeAlias

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

BUCKETS: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
"""Upper bounds of the histograms of work, in seconds."""
WAITS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds of the histograms of delays, in seconds."""
COSTS: Final = (0, 10, 100, 1_000, 10_000, 100_000, 1_000_000)
"""Upper bounds of the histogram of costs."""

LabelValues: TypeAlias = str | tuple[str, ...]
"""The value of the only label, or of each label."""


class Tally(Collector):
    """A counter for each value of its labels."""

    def __init__(self, name: str, text: str, *labels: str) -> None:
        self._name, self._text, self._labels = name, text, labels
        self._counts: dict[LabelValues, int] = {}

    def add(self, values: LabelValues, count: int = 1) -> None:
        """Add `count` to the counter of these label values."""
        counts = self._counts  # a `Counter` takes half as long again
        counts[values] = counts.get(values, 0) + count

    @property
    def counts(self) -> Mapping[LabelValues, int]:
        """The counters by their label values; one that was never added to is absent."""
        return self._counts

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Called by the registry."""
        family = CounterMetricFamily(self._name, self._text, labels=self._labels)
        for values, count in self._counts.items():
            family.add_metric(_sequence(values), count)
        yield family


class Histogram(Collector):
    """A histogram for each value of its label. `buckets` are the upper bounds."""

    def __init__(self, name: str, text: str, label: str, buckets: Sequence[float]) -> None:
        self._name, self._text, self._label, self._buckets = name, text, label, buckets
        self._found: defaultdict[str, list[float]] = defaultdict(lambda: [0.0] + [0] * (len(buckets) + 1))
        """The sum of the amounts, then the counts between the bounds."""

    def add(self, value: str, amount: float, count: int = 1) -> None:
        """Add an amount, `count` times, under a label value."""
        found = self._found[value]
        found[0] += amount * count
        found[bisect_left(self._buckets, amount) + 1] += count

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """Called by the registry."""
        family = HistogramMetricFamily(self._name, self._text, labels=[self._label])
        for value, (total, *counts) in self._found.items():
            family.add_metric([value], cumulated(self._buckets, counts), total)
        yield family


def cumulated(buckets: Sequence[float], counts: Sequence[float]) -> list[tuple[str, float]]:
    """The buckets of a histogram as the library takes them, from the counts between the bounds."""
    return list(zip([*map(str, buckets), "+Inf"], accumulate(counts), strict=True))


def _sequence(values: LabelValues) -> Sequence[str]:
    return (values,) if isinstance(values, str) else values
