"""Read replicas of one database: how far each has come, and reads that go to one of them.

All times are those of this process, so the clocks of the servers do not matter: the primary's position in the log is
noted with the time before it was asked. A replica that has replayed that position has every change that was committed
until then. It is usable while that time is less than `max_lag` seconds ago, so one that is paused, cut off or silent
stops being used after that time at the latest, without any report.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from itertools import cycle
from time import monotonic
from typing import Any, Final, Literal, NamedTuple, TypeVar

import asyncpg
import structlog
from sqlalchemy import Executable, Row
from sqlalchemy.exc import DBAPIError

from fullon_graphql.background import Ready
from fullon_graphql.database.database import Database
from fullon_graphql.database.failures import DRIVER_ERRORS, has_lost_connection
from fullon_graphql.database.shared_reads import Found
from fullon_graphql.joined_calls import Outcome
from fullon_graphql.observability.metrics import REPLICA_READS

T = TypeVar("T")

log = structlog.get_logger(__name__)

PROBES: Final = 4
"""Probes of all servers within the longest lag."""
_SAMPLES: Final = 8 * PROBES
"""Positions of the primary that are remembered: enough for twice the longest lag, at probes as slow as they may be."""
_NEVER: Final = float("-inf")
_RECOVERY_CONFLICT: Final = "40001"
"""A replica cancels a statement that needs rows which the primary has removed since."""

# The position after the newest record, also of transactions whose commit is not on disk yet: `synchronous_commit` may
# be off. A replica on another time line has a history of its own.
_PRIMARY: Final = """
    SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint AS lsn,
        left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) AS timeline
"""
_REPLICA: Final = """
    SELECT pg_is_in_recovery() AS in_recovery, (pg_last_wal_replay_lsn() - '0/0')::bigint AS lsn,
        pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS edge
"""


class _Sample(NamedTuple):
    """The primary's position at a time."""

    time: float
    lsn: int


class Replica:
    """One replica, as the last probe has seen it."""

    def __init__(self, name: str, database: Database) -> None:
        self.name = name
        self.database = database
        self.current_at = _NEVER
        """Every change that was committed before this time is visible."""
        self.edge = 0
        """Every transaction below this one is visible, or was rolled back."""
        self.error = "not probed yet"
        """Why it is not used, apart from its lag; empty if there is no reason."""
        self.position = 0
        self.abandoned_at = -1
        """Position at the time at which the primary changed. It is used again once it has gone on from there."""

    @property
    def lag(self) -> float:
        """Seconds that it is behind at most; infinite while unknown."""
        return monotonic() - self.current_at

    def fail(self, error: str) -> None:
        """Stop using it until a probe succeeds."""
        self.current_at, self.error = _NEVER, error


class ReplicaStatus(NamedTuple):
    """The state of a replica for `/health` and metrics."""

    name: str
    state: Literal["up", "lagging", "down"]
    lag: float | None
    """Seconds behind the primary at most; None while unknown."""


class Replicas:
    """The replicas of `primary`. `run` probes them all the time, as a background task."""

    def __init__(self, name: str, primary: Database, databases: Sequence[Database], max_lag: float) -> None:
        self.primary = primary
        self.members = [Replica(f"{name}-{number}", database) for number, database in enumerate(databases, 1)]
        self.max_lag = max_lag
        self._turns = cycle(range(len(databases)))
        self._samples: deque[_Sample] = deque(maxlen=_SAMPLES)
        self._timeline = ""

    async def run(self, ready: Ready) -> None:
        """Probe until cancelled. A server that does not answer in time is asked again with the next probe."""
        period = self.max_lag / PROBES
        while True:
            started = monotonic()
            await self.probe(period)
            ready()
            await asyncio.sleep(max(0.0, started + period - monotonic()))

    async def probe(self, seconds: float) -> None:
        """Ask every server once for its position; `seconds` is the limit for the primary, and for the replicas."""
        await self._probe_primary(seconds)
        await asyncio.gather(*(self._probe_replica(replica, seconds) for replica in self.members))

    def choose(self, transaction: int | None = None) -> Replica | None:
        """The next usable replica in turn that has replayed all transactions up to this one; None if there is none."""
        oldest = monotonic() - self.max_lag
        for _ in self.members:
            replica = self.members[next(self._turns)]
            if replica.current_at >= oldest and (transaction is None or replica.edge > transaction):
                return replica
        return None

    def statuses(self) -> list[ReplicaStatus]:
        """The state of every replica now."""
        return [self._status(replica) for replica in self.members]

    async def close(self) -> None:
        """Close the connections to the replicas."""
        for replica in self.members:
            await replica.database.close()

    def _status(self, replica: Replica) -> ReplicaStatus:
        if replica.error:
            return ReplicaStatus(replica.name, "down", None)
        lag = replica.lag
        return ReplicaStatus(
            replica.name, "up" if lag <= self.max_lag else "lagging", lag if math.isfinite(lag) else None
        )

    async def _probe_primary(self, seconds: float) -> None:
        now = monotonic()
        try:
            async with asyncio.timeout(seconds):
                [row] = await self.primary.records(_PRIMARY)
        except DRIVER_ERRORS:
            return  # without its position the replicas stop being usable by themselves
        if row["timeline"] != self._timeline:
            if self._timeline:
                log.warning("replicas.primary_changed", timeline=row["timeline"])
                self._samples.clear()
                for replica in self.members:
                    replica.abandoned_at = replica.position
                    replica.current_at = _NEVER
            self._timeline = row["timeline"]
        self._samples.append(_Sample(now, row["lsn"]))

    async def _probe_replica(self, replica: Replica, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                [row] = await replica.database.records(_REPLICA)
        except DRIVER_ERRORS as error:
            if not replica.error:
                log.warning("replica.down", replica=replica.name, error=repr(error))
            replica.fail(repr(error))
            return
        if not row["in_recovery"]:
            replica.fail("it is no replica: it was promoted, or never was one")
            return
        if replica.error:
            log.info("replica.up", replica=replica.name)
        replica.error, replica.edge, replica.position = "", row["edge"], row["lsn"] or 0
        if replica.position != replica.abandoned_at:
            replayed = [sample.time for sample in self._samples if sample.lsn <= replica.position]
            replica.current_at = max([replica.current_at, *replayed])


class ReplicaReads(Database):
    """Reads of one operation: from a replica, which is chosen at the first read, or else from the primary.

    Transactions and connections are those of the primary. A read that a replica fails is repeated on the primary,
    which then answers the rest of the operation. With `each_read` the choice is made for every read, for reads that
    belong to no single operation.
    """

    def __init__(
        self,
        replicas: Replicas,
        has_written: Callable[[], Awaitable[bool]] | None = None,
        transaction: int | None = None,
        *,
        each_read: bool = False,
    ) -> None:
        vars(self).update(vars(replicas.primary))  # the same pools
        self._replicas = replicas
        self._has_written = has_written
        self._transaction = transaction
        self._each_read = each_read
        self._chosen: Replica | None = None
        self._is_chosen = False

    async def rows(self, statement: Executable, parameters: dict[str, Any] | None = None) -> Sequence[Row[Any]]:
        return await self._read_from_chosen(lambda database: database.rows(statement, parameters))

    async def text(self, sql: str, *values: Any) -> Outcome[str | None]:
        return await self._read_from_chosen(lambda database: database.text(sql, *values))

    async def records(self, sql: str, *values: Any) -> list[asyncpg.Record]:
        return await self._read_from_chosen(lambda database: database.records(sql, *values))

    async def found(self, sql: str, *values: Any) -> Found:
        return await self._read_from_chosen(lambda database: database.found(sql, *values))

    async def _read_from_chosen(self, read: Callable[[Database], Awaitable[T]]) -> T:
        replica = await self._choose() if self._each_read else await self._choice()
        if replica:
            try:
                return await read(replica.database)
            except (*DRIVER_ERRORS, DBAPIError) as error:
                if not self._is_given_up(replica, error):
                    raise
        return await read(self._replicas.primary)

    async def _choice(self) -> Replica | None:
        if not self._is_chosen:
            chosen = await self._choose()
            if not self._is_chosen:  # by a read that ran at the same time
                self._chosen, self._is_chosen = chosen, True
        return self._chosen

    async def _choose(self) -> Replica | None:
        if self._has_written and await self._has_written():
            REPLICA_READS.add("own_change")
            return None
        replica = self._replicas.choose(self._transaction)
        REPLICA_READS.add("replica" if replica else "lag" if self._transaction is None else "cursor")
        return replica

    def _is_given_up(self, replica: Replica, error: BaseException) -> bool:
        """True if the error is the replica's and not the statement's. The rest is read from the primary then."""
        original = error.orig if isinstance(error, DBAPIError) else error
        if getattr(original, "sqlstate", None) != _RECOVERY_CONFLICT:
            if not has_lost_connection(error):
                return False
            replica.fail(repr(error))
        self._chosen = None
        REPLICA_READS.add("failed")
        return True
