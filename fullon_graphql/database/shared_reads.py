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
from collections.abc import Awaitable, Callable, Generator, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

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

_INTEGERS: Final = frozenset({"int2", "int4", "int8"})
"""The types whose arrays are sent as text."""
_PARAMETER: Final = re.compile(r"\$(\d+)")


class Found(NamedTuple):
    """The row of one request, and the number of requests that its statement has answered."""

    row: asyncpg.Record | None
    """None if there is no such row. It has one more column, `PLACE`, if `requests` is more than 1."""
    requests: int


Waiting: TypeAlias = tuple[Sequence[Any], asyncio.Future[Found]]
"""The parameters of a request, and its answer."""


class _Group:
    """The requests with one statement text."""

    __slots__ = ("expire", "loop", "running", "waiting")

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.running = 1
        """The statements that are on their way, and their requests that wait for the next turn."""
        self.waiting: list[Waiting] = []
        self.expire: Callable[[], None] | None = None
        """Called if the waiting requests have waited too long."""

    def join(self, values: Sequence[Any]) -> asyncio.Future[Found]:
        """The answer to a request that waits from now on."""
        answer: asyncio.Future[Found] = self.loop.create_future()
        self.waiting.append((values, answer))
        return answer


class SharedReads:
    """Reads single rows over `pool`. The same statements must not be used with arrays as parameters."""

    def __init__(self, pool: ReadPool) -> None:
        self._pool = pool
        self._groups: dict[str, _Group] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer = SharedTimer(MOST_SECONDS)
        self._shared: LRUCache[str, _Shared] = LRUCache(TEXT_BYTES)

    def row(self, sql: str, values: Sequence[Any]) -> Awaitable[Found]:
        """The first row of a statement with at least one parameter, none of which is an array.

        Raises:
            CircuitOpen, TimeoutError, OSError, asyncpg.PostgresError: as `ReadPool.run`.
        """
        group = self._groups.get(sql)
        return self._first(sql, values) if group is None else self._wait(sql, group, values)

    async def close(self) -> None:
        """Wait for the statements that are on their way."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _first(self, sql: str, values: Sequence[Any]) -> Found:
        """The answer to a request that finds no group of its statement."""
        group = self._groups.get(sql)
        if group is not None:  # of a request that came since
            return await self._wait(sql, group, values)
        group = self._groups[sql] = _Group()
        try:
            await _NEXT_TURN
            if not group.waiting:
                ROW_READS.add("alone")
                return Found(await self._pool.run(asyncpg.Connection.fetchrow, sql, values), 1)
            answer = group.join(values)
        finally:
            self._ended(sql, group)
        return await answer

    def _wait(self, sql: str, group: _Group, values: Sequence[Any]) -> asyncio.Future[Found]:
        answer = group.join(values)
        if len(group.waiting) >= MOST_REQUESTS:
            self._start(sql, group)
        elif group.expire is None:
            group.expire = lambda: self._start(sql, group)
            self._timer.add(group.expire, group.loop)
        return answer

    def _ended(self, sql: str, group: _Group) -> None:
        """A statement has ended: the next one begins, or the group is forgotten."""
        group.running -= 1
        if group.waiting:
            self._start(sql, group)
        elif not group.running:
            del self._groups[sql]

    def _start(self, sql: str, group: _Group) -> None:
        """Begin one statement for all waiting requests."""
        group.running += 1
        task = group.loop.create_task(self._answer(sql, group, self._taken(group)), name="shared read")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _taken(self, group: _Group) -> list[Waiting]:
        """The requests that have waited; the group's next ones wait for another statement."""
        if group.expire:
            self._timer.remove(group.expire)
            group.expire = None
        waiting, group.waiting = group.waiting, []
        return waiting

    async def _answer(self, sql: str, group: _Group, waiting: list[Waiting]) -> None:
        """Answer requests with one statement, and with further ones those that came meanwhile."""
        try:
            while waiting:
                requests = [each for each in waiting if not each[1].done()]  # the others are canceled
                if len(requests) == 1:
                    await self._alone(sql, *requests[0])
                elif requests:
                    await self._together(sql, requests)
                waiting = self._taken(group)
        finally:
            for _, answer in waiting:
                answer.cancel()  # without effect on the answered ones
            self._ended(sql, group)

    async def _alone(self, sql: str, values: Sequence[Any], answer: asyncio.Future[Found]) -> None:
        ROW_READS.add("alone")
        try:
            found = Found(await self._pool.run(asyncpg.Connection.fetchrow, sql, values), 1)
        except Exception as error:
            _fail(answer, error)
        else:
            if not answer.done():
                answer.set_result(found)

    async def _together(self, sql: str, requests: Sequence[Waiting]) -> None:
        columns = zip(*(values for values, _ in requests), strict=True)
        try:
            records = await self._pool.run(self._fetch, sql, list(columns))
        except (asyncpg.PostgresError, asyncpg.DataError):
            for values, answer in requests:  # the values of one request may be at fault
                await self._alone(sql, values, answer)
            return
        except Exception as error:
            for _, answer in requests:
                _fail(answer, error)
            return
        ROW_READS.add("shared", len(requests))
        for record in records:
            answer = requests[record[-1] - 1][1]
            if not answer.done():  # by an earlier row, or canceled
                answer.set_result(Found(record, len(requests)))
        for _, answer in requests:
            if not answer.done():
                answer.set_result(Found(None, len(requests)))

    async def _fetch(self, connection: asyncpg.Connection, sql: str, *columns: list[Any]) -> list[asyncpg.Record]:
        shared = self._shared.get(sql)
        if shared is None:
            prepared = await connection.prepare(sql)
            shared = _shared(sql, prepared.get_parameters())
            self._shared.put(sql, shared, ENTRY_BYTES + len(sql) + len(shared.text))
        arrays = [array(column) for array, column in zip(shared.arrays, columns, strict=True)]
        found: list[asyncpg.Record] = await connection.fetch(shared.text, *arrays)
        return found


class _Shared(NamedTuple):
    """A statement for several requests; each parameter is an array with one value per request."""

    text: str
    arrays: tuple[Callable[[Sequence[Any]], Any], ...]
    """The function for each parameter that makes its array, as the driver takes it, from the values."""


def _integers(values: Sequence[Any]) -> str:
    """An array as text: the driver would test each value of an array for being one itself.

    Raises:
        asyncpg.DataError: a value is not an integer.
    """
    try:
        return f"{{{','.join(map(int.__repr__, values))}}}"
    except TypeError as error:
        raise asyncpg.DataError("A value of an integer parameter is not an integer.") from error


def _shared(sql: str, types: Sequence[asyncpg.Type]) -> _Shared:
    casts = ["::text" if type_.name in _INTEGERS else "" for type_ in types]
    arrays = ", ".join(
        f'${number}{cast}::"{type_.schema}"."{type_.name}"[]'
        for number, (type_, cast) in enumerate(zip(types, casts, strict=True), 1)
    )
    names = ", ".join(f"v{number}" for number in range(1, len(types) + 1))
    single = _PARAMETER.sub(r"asked.v\1", sql)
    asked = f"unnest({arrays}) WITH ORDINALITY AS asked ({names}, place)"
    text = f'SELECT answer.*, asked.place AS "{PLACE}" FROM {asked} CROSS JOIN LATERAL ({single}) AS answer'  # noqa: S608  # the texts are our own statements
    return _Shared(text, tuple(_integers if cast else list for cast in casts))


class _NextTurn:
    """Awaiting it lets everything run that is ready in this turn of the event loop."""

    def __await__(self) -> Generator[None, None, None]:
        yield


_NEXT_TURN: Final = _NextTurn()


def _fail(answer: asyncio.Future[Found], error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)
