"""Counts of several processes as those of one."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client.core import Metric

from fullon_graphql.errors import ServiceUnavailable
from fullon_graphql.observability import process_snapshots
from fullon_graphql.observability.metrics import Metrics
from fullon_graphql.observability.process_snapshots import ProcessSnapshots


class Process:
    """The metrics of a process, and its part in a folder."""

    def __init__(self, folder: Path) -> None:
        self.metrics = Metrics()
        self.snapshots = ProcessSnapshots(folder, self.metrics.collect)


def value(families: list[Metric], name: str, *labels: str) -> float | None:
    full = f"fullon_graphql_{name}"
    samples = [sample for family in families for sample in family.samples if sample.name == full]
    found = [sample.value for sample in samples if tuple(sample.labels.values()) == labels]
    return found[0] if found else None


def files(folder: Path) -> list[Path]:
    return list(folder.glob("*.json"))


async def test_each_process_answers_for_all(tmp_path: Path) -> None:
    one, other = Process(tmp_path), Process(tmp_path)
    async with one.snapshots.open(), other.snapshots.open():
        one.metrics.operations.add("plan", 2)
        one.metrics.http.add("/graphql", "POST", 200, 0.002)
        one.metrics.connections.labels("sse").inc()
        other.metrics.operations.add("plan", 3)
        other.metrics.operations.add("reference")
        other.metrics.http.add("/graphql", "POST", 200, 0.004)
        other.metrics.connections.labels("sse").inc(2)
        await other.snapshots.total()
        found = await one.snapshots.total()
    assert value(found, "operations_total", "plan") == 5
    assert value(found, "operations_total", "reference") == 1
    assert value(found, "connections", "sse") == 3
    assert value(found, "http_requests_total", "/graphql", "POST", "200") == 2
    assert value(found, "http_request_seconds_bucket", "/graphql", "POST", "0.0025") == 1
    assert value(found, "http_request_seconds_bucket", "/graphql", "POST", "+Inf") == 2
    assert value(found, "http_request_seconds_sum", "/graphql", "POST") == pytest.approx(0.006)
    text = one.metrics.text(found).decode()
    assert "# TYPE fullon_graphql_http_request_seconds histogram" in text
    assert 'fullon_graphql_operations_total{execution="plan"} 5.0' in text


async def test_counters_of_ended_processes_stay_and_their_gauges_go(tmp_path: Path) -> None:
    one = Process(tmp_path)
    async with one.snapshots.open():
        for _ in range(3):
            ended = Process(tmp_path)
            async with ended.snapshots.open():
                ended.metrics.operations.add("plan")
                ended.metrics.sockets.inc()
            found = await one.snapshots.total()
        assert value(found, "operations_total", "plan") == 3
        assert value(found, "sockets") == 0
        found = await one.snapshots.total()
        assert value(found, "operations_total", "plan") == 3
    assert len(files(tmp_path)) == 1, "files of ended processes are removed"


async def test_interrupted_removal_of_an_ended_process_counts_it_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, ended = Process(tmp_path), Process(tmp_path)
    async with one.snapshots.open():
        async with ended.snapshots.open():
            ended.metrics.operations.add("plan")
        with monkeypatch.context() as patch:
            patch.setattr(process_snapshots, "_remove", lambda *_: (_ for _ in ()).throw(OSError("killed")))
            with pytest.raises(ServiceUnavailable):
                await one.snapshots.total()
        assert value(await one.snapshots.total(), "operations_total", "plan") == 1


async def test_states_that_are_no_sums_are_combined_as_such(tmp_path: Path) -> None:
    one, other = Process(tmp_path), Process(tmp_path)
    async with one.snapshots.open(), other.snapshots.open():
        for process, streams, listeners in ((one, 1, 9), (other, 4, 6)):
            process.metrics.streams.set(streams)
            process.metrics.stream_listeners.set(listeners)
            process.metrics.stream_sharing_ratio.set(listeners / streams)
        await other.snapshots.total()
        assert value(await one.snapshots.total(), "stream_sharing_ratio") == 3


async def test_answer_is_refused_while_the_folder_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_snapshots, "READING_SECONDS", 0.01)
    one = Process(tmp_path)
    async with one.snapshots.open():
        with process_snapshots._reading(tmp_path / "reading"), pytest.raises(ServiceUnavailable):
            await one.snapshots.total()
        assert value(await one.snapshots.total(), "sockets") == 0
