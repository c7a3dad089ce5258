"""Figures of queues, derived from their sizes at each read."""

from __future__ import annotations

from datetime import UTC, datetime

from fullon_graphql.observability.queue_meter import QueueFigures, QueueMeter


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def test_figures_are_none_until_something_was_seen() -> None:
    clock = Clock()
    meter = QueueMeter(clock)
    assert meter.figures(meter.names) == QueueFigures(None, None, None)
    meter.observe({"a": 3})
    assert meter.figures(meter.names) == QueueFigures(None, None, None)
    meter.observe({})
    assert meter.figures(meter.names).health_status == "healthy"


def test_rate_counts_items_that_have_left_the_queues() -> None:
    clock = Clock()
    meter = QueueMeter(clock)
    meter.observe({"a": 10, "b": 4})
    clock.now += 10
    meter.observe({"a": 4, "b": 9})
    clock.now += 10
    meter.observe({"b": 9, "c": 1})
    assert meter.names == {"a", "b", "c"}
    assert meter.figures({"a"}) == QueueFigures(0.5, "healthy", datetime.fromtimestamp(clock.now, UTC))
    assert meter.figures({"b"}) == QueueFigures(0.0, None, None)
    clock.now += 301
    assert meter.figures({"a"}).processing_rate == 0
    assert meter.figures({"a"}).last_processed == datetime.fromtimestamp(clock.now - 301, UTC)


def test_queue_is_stalled_after_a_minute_without_consumption() -> None:
    clock = Clock()
    meter = QueueMeter(clock)
    meter.observe({"a": 1})
    clock.now += 59
    meter.observe({"a": 2})
    assert meter.figures({"a"}).health_status is None
    clock.now += 1
    assert meter.figures({"a"}).health_status == "stalled"
    meter.observe({"a": 1})
    assert meter.figures({"a"}).health_status == "healthy"
    assert meter.figures(()).health_status == "healthy"
