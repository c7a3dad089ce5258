"""Several processes of one server answer `/metrics` as one.

Each process writes what it has counted to a file in a folder that they share. The process that answers writes its own
file first, and then adds up all of them, so no counter falls between two answers. A process holds a lock beside its
file: a file without a lock is of a process that has ended. Its counters are added to those of earlier ones.
"""

from __future__ import annotations

import asyncio
import fcntl
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import IO, Any, Final, TypeAlias
from uuid import uuid4

import orjson
import structlog
from prometheus_client.core import Metric

from fullon_graphql.background import BackgroundTasks, Ready
from fullon_graphql.config import Settings
from fullon_graphql.errors import ServiceUnavailable
from fullon_graphql.observability.metrics import Metrics

log = structlog.get_logger(__name__)

INTERVAL: Final = 2.0
"""Seconds between two writes. What a process has counted since the last one is lost if it is killed."""
READING_SECONDS: Final = 2.0
"""How long an answer waits for another one that reads the folder."""

_SUMMED_OVER_TIME: Final = frozenset({"counter", "histogram"})
"""The types that keep what an ended process has counted."""
_LARGEST: Final = frozenset({"fullon_graphql_circuit_open", "fullon_graphql_replica_lag_seconds"})
"""The gauges of which the largest value is shown, not the sum."""
_RATIO: Final = "fullon_graphql_stream_sharing_ratio"
_RATIO_OF: Final = ("fullon_graphql_stream_listeners", "fullon_graphql_streams")

_Labels: TypeAlias = tuple[tuple[str, str], ...]
_Json: TypeAlias = list[Any]
"""A family as JSON: name, type, help, and for each sample its name, labels and value."""


class ProcessSnapshots:
    """The counts of one process in `folder`. `collect` returns them."""

    def __init__(self, folder: Path, collect: Callable[[], Iterable[Metric]]) -> None:
        self._folder = folder
        self._collect = collect
        self._file = folder / f"{uuid4().hex}.json"
        self._writing = asyncio.Lock()
        """Held from collecting to the end of the write, so that no older counts replace newer ones."""

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Be one of the processes of the server during the block.

        Raises:
            OSError: the folder cannot be used.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _held(self._file.with_suffix(".lock")):
            await self._write()
            try:
                yield
            finally:
                await self._write()

    async def run(self, ready: Ready) -> None:
        """Write the counts regularly until cancelled; a background task."""
        while True:
            await asyncio.sleep(INTERVAL)
            await self._write()
            ready()

    async def total(self) -> list[Metric]:
        """The counts of all processes.

        Raises:
            ServiceUnavailable: the folder cannot be used.
        """
        try:
            await self._write()
            return await asyncio.to_thread(read_total, self._folder)
        except OSError as error:
            log.warning("metrics.not_added_up", folder=str(self._folder), error=repr(error))
            raise ServiceUnavailable("metrics", "The counts of the other processes cannot be read.") from error

    async def _write(self) -> None:
        async with self._writing:
            content = orjson.dumps([_to_json(family) for family in self._collect()])
            await asyncio.to_thread(_replace, self._file, content)


@asynccontextmanager
async def shared_counts(
    settings: Settings, metrics: Metrics, background: BackgroundTasks
) -> AsyncIterator[ProcessSnapshots | None]:
    """Leave the counts of this process in METRICS_FOLDER during the block; None without that setting."""
    if not settings.metrics_folder or not settings.metrics_enabled:
        yield None
        return
    snapshots = ProcessSnapshots(Path(settings.metrics_folder), metrics.collect)
    async with snapshots.open(), background.running({"counts for other processes": snapshots.run}):
        yield snapshots


def read_total(folder: Path) -> list[Metric]:
    """The counts of all processes that write to a folder, those that have ended included.

    Raises:
        OSError: the folder cannot be used, or another answer reads it for longer than `READING_SECONDS`.
    """
    with _reading(folder / "reading"):
        past = _Past.read(folder / "past")
        for ended in past.added:
            _remove(folder, ended)
        names = [lock.stem for lock in folder.glob("*.lock")]
        running = [name for name in names if _is_held(folder / f"{name}.lock")]
        if ended_now := [name for name in names if name not in running]:
            past = past.with_ended({name: _read(folder / f"{name}.json") for name in ended_now})
            _replace(folder / "past", past.encoded())
            for name in ended_now:
                _remove(folder, name)
        return _added_up([past.families, *(_read(folder / f"{name}.json") for name in running)])


class _Past:
    """The counts of ended processes. `added` are their names, until their files have been removed."""

    def __init__(self, added: Sequence[str], families: list[_Json]) -> None:
        self.added = added
        self.families = families

    @classmethod
    def read(cls, file: Path) -> _Past:
        return cls(*orjson.loads(file.read_bytes())) if file.exists() else cls([], [])

    def with_ended(self, ended: dict[str, list[_Json]]) -> _Past:
        kept = [[one for one in families if one[1] in _SUMMED_OVER_TIME] for families in ended.values()]
        return _Past(list(ended), [_to_json(family) for family in _added_up([self.families, *kept])])

    def encoded(self) -> bytes:
        return orjson.dumps([self.added, self.families])


def _added_up(processes: Iterable[list[_Json]]) -> list[Metric]:
    """The families of several processes as those of one."""
    families: dict[str, Metric] = {}
    values: dict[str, dict[tuple[str, _Labels], float]] = {}
    for name, type_, help_, samples in (family for process in processes for family in process):
        families.setdefault(name, Metric(name, help_, type_))
        found = values.setdefault(name, {})
        for sample, labels, value in samples:
            key = sample, tuple((label, text) for label, text in labels)
            before = found.get(key, 0.0)
            found[key] = max(before, value) if name in _LARGEST else before + value
    if _RATIO in values:
        listeners, streams = (sum(values[part].values()) for part in _RATIO_OF)
        values[_RATIO] = {(_RATIO, ()): listeners / streams if streams else 0.0}
    for name, family in families.items():
        for (sample, labels), value in values[name].items():
            family.add_sample(sample, dict(labels), value)
    return list(families.values())


def _to_json(family: Metric) -> _Json:
    # `_created` samples are times, which cannot be added up, and which the text format does not have.
    samples = [
        (sample.name, list(sample.labels.items()), sample.value)
        for sample in family.samples
        if not sample.name.endswith("_created")
    ]
    return [family.name, family.type, family.documentation, samples]


def _read(file: Path) -> list[_Json]:
    families: list[_Json] = orjson.loads(file.read_bytes()) if file.exists() else []
    return families


def _replace(file: Path, content: bytes) -> None:
    """Write a file at once: no reader sees a part of it."""
    written = file.with_suffix(f".{uuid4().hex}.new")
    written.write_bytes(content)
    written.replace(file)


def _remove(folder: Path, name: str) -> None:
    (folder / f"{name}.json").unlink(missing_ok=True)
    (folder / f"{name}.lock").unlink(missing_ok=True)


@contextmanager
def _held(lock: Path) -> Iterator[None]:
    """Hold a lock for the life of a process. The file has its name only once it is locked."""
    unlocked = lock.with_suffix(".new")
    with unlocked.open("wb") as file:
        _lock(file)
        unlocked.rename(lock)
        yield


def _is_held(lock: Path) -> bool:
    with lock.open("rb") as file:
        return not _lock(file)


@contextmanager
def _reading(lock: Path) -> Iterator[None]:
    """Read the folder, one answer at a time."""
    until = time.monotonic() + READING_SECONDS
    with lock.open("wb") as file:
        while not _lock(file):
            if time.monotonic() > until:
                raise TimeoutError(f"{lock} is locked")
            time.sleep(0.005)
        yield


def _lock(file: IO[bytes]) -> bool:
    """Lock an open file until it is closed. False if another process holds the lock."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
