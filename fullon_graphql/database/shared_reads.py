"""Rows by key for concurrent requests, answered together.

Requests that arrive in one turn of the event loop are asked as one statement: the parameters of each are one row of
`unnest`. While a statement is on its way, further requests with the same text wait for it and are then asked together.
A statement of sixteen requests takes hardly more processor time than that of one. A request waits at most
`MOST_SECONDS`, and only for the rest of its turn if no equal statement is on its way; what it reads is read after it
came.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import asyncpg

from fullon_graphql.database.read_pool import ReadPool
from fullon_graphql.lru import ENTRY_BYTES, LRUCache
from fullon_graphql.observability.metrics import ROW_READS
from fullon_graphql.timers import SharedTimer

MOST_REQUESTS: Final = 100
"""The most requests of one statement."""
MOST_SECONDS: Final = 0.005
"""How long a request waits for the statement of another, in seconds."""
TEXT_BYTES: Final = 2**20
"""The bytes of all remembered texts of shared statements."""
PLACE: Final = "\x01place"
"""The last column of a shared statement: the position of the request, from 1."""

_PARAMETER: Final = re.compile(r"\$(\d+)")


class Found(NamedTuple):
    """The row of one request, and the number of requests that its statement has answered."""

    row: asyncpg.Record | None
    """None if there is no such row. It has one more column, `PLACE`, if `requests` is more than 1."""
    requests: int


@dataclass(eq=False)
class _Waiting:
    values: Sequence[Any]
    found: asyncio.Future[Found]


@dataclass
class _Group:
    """The requests with one statement text."""

    running: int = 0
    waiting: list[_Waiting] = field(default_factory=list)
    expire: Callable[[], None] | None = None
    """Called if the waiting requests have waited too long."""


class SharedReads:
    """Reads single rows over `pool`. The same statements must not be used with arrays as parameters."""

    def __init__(self, pool: ReadPool) -> None:
        self._pool = pool
        self._groups: dict[str, _Group] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer = SharedTimer(MOST_SECONDS)
        self._shared: LRUCache[str, str] = LRUCache(TEXT_BYTES)

    async def row(self, sql: str, values: Sequence[Any]) -> Found:
        """The first row of a statement with at least one parameter, none of which is an array.

        Raises:
            CircuitOpen, TimeoutError, OSError, asyncpg.PostgresError: as `ReadPool.run`.
        """
        group = self._groups.get(sql)
        if group is None:
            group = self._groups[sql] = _Group()
        if group.running:
            return await self._wait(sql, group, values)
        group.running = 1
        try:
            await _NEXT_TURN
            if not group.waiting:
                ROW_READS.add("alone")
                return Found(await self._pool.run(asyncpg.Connection.fetchrow, sql, values), 1)
            waiting = self._join(group, values)
        finally:
            self._ended(sql, group)
        return await waiting.found

    async def close(self) -> None:
        """Wait for the statements that are on their way."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _wait(self, sql: str, group: _Group, values: Sequence[Any]) -> asyncio.Future[Found]:
        waiting = self._join(group, values)
        if len(group.waiting) >= MOST_REQUESTS:
            self._start(sql, group)
        elif group.expire is None:
            group.expire = lambda: self._start(sql, group)
            self._timer.add(group.expire, asyncio.get_running_loop())
        return waiting.found

    def _join(self, group: _Group, values: Sequence[Any]) -> _Waiting:
        waiting = _Waiting(values, asyncio.get_running_loop().create_future())
        group.waiting.append(waiting)
        return waiting

    def _ended(self, sql: str, group: _Group) -> None:
        """A statement has ended: the next one begins, or the group is forgotten."""
        group.running -= 1
        if group.waiting:
            self._start(sql, group)
        elif not group.running:
            del self._groups[sql]

    def _start(self, sql: str, group: _Group) -> None:
        """Begin one statement for all waiting requests."""
        if group.expire:
            self._timer.remove(group.expire)
            group.expire = None
        requests = [each for each in group.waiting if not each.found.done()]  # the others are canceled
        group.waiting = []
        group.running += 1
        task = asyncio.get_running_loop().create_task(self._answer(sql, group, requests), name="shared read")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, sql: str, group: _Group, requests: Sequence[_Waiting]) -> None:
        try:
            if len(requests) == 1:
                await self._alone(sql, requests[0])
            elif requests:
                await self._together(sql, requests)
        finally:
            self._ended(sql, group)
            for each in requests:
                each.found.cancel()  # without effect on the answered ones

    async def _alone(self, sql: str, request: _Waiting) -> None:
        ROW_READS.add("alone")
        try:
            found = Found(await self._pool.run(asyncpg.Connection.fetchrow, sql, request.values), 1)
        except Exception as error:
            _fail(request, error)
        else:
            _answer(request, found)

    async def _together(self, sql: str, requests: Sequence[_Waiting]) -> None:
        columns = [list(column) for column in zip(*(each.values for each in requests), strict=True)]
        try:
            records = await self._pool.run(self._fetch, sql, columns)
        except (asyncpg.PostgresError, asyncpg.DataError):
            for each in requests:  # the values of one request may be at fault
                await self._alone(sql, each)
            return
        except Exception as error:
            for each in requests:
                _fail(each, error)
            return
        ROW_READS.add("shared", len(requests))
        rows: dict[int, asyncpg.Record] = {}
        for record in records:
            rows.setdefault(record[-1], record)
        for place, each in enumerate(requests, 1):
            _answer(each, Found(rows.get(place), len(requests)))

    async def _fetch(self, connection: asyncpg.Connection, sql: str, *columns: list[Any]) -> list[asyncpg.Record]:
        shared = self._shared.get(sql)
        if shared is None:
            prepared = await connection.prepare(sql)
            shared = _shared(sql, prepared.get_parameters())
            self._shared.put(sql, shared, ENTRY_BYTES + len(sql) + len(shared))
        found: list[asyncpg.Record] = await connection.fetch(shared, *columns)
        return found


def _shared(sql: str, types: Sequence[asyncpg.Type]) -> str:
    """The statement for several requests; each parameter is an array with one value per request."""
    arrays = ", ".join(f'${number}::"{type_.schema}"."{type_.name}"[]' for number, type_ in enumerate(types, 1))
    names = ", ".join(f"v{number}" for number in range(1, len(types) + 1))
    single = _PARAMETER.sub(r"asked.v\1", sql)
    asked = f"unnest({arrays}) WITH ORDINALITY AS asked ({names}, place)"
    return f'SELECT answer.*, asked.place AS "{PLACE}" FROM {asked} CROSS JOIN LATERAL ({single}) AS answer'  # noqa: S608  # the texts are our own statements


class _NextTurn:
    """Awaiting it lets everything run that is ready in this turn of the event loop."""

    def __await__(self) -> Generator[None, None, None]:
        yield


_NEXT_TURN: Final = _NextTurn()


def _answer(request: _Waiting, found: Found) -> None:
    if not request.found.done():
        request.found.set_result(found)


def _fail(request: _Waiting, error: Exception) -> None:
    if not request.found.done():
        request.found.set_exception(error)
