"""`Worker` lives as long as the process, `Context` as long as one operation.

`app.py` opens and closes the worker. Every operation has its own context, so that nothing loaded for one caller
reaches another, and each event of a subscription is executed with fresh loaders.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias
from uuid import uuid4

import redis.asyncio
import strawberry

from fullon_graphql.auth.principal import Anonymous, Caller, Principal
from fullon_graphql.background import BackgroundTasks
from fullon_graphql.cache.accounts import Balance, Position
from fullon_graphql.cache.bots import FeedStatus
from fullon_graphql.cache.hub import Hub
from fullon_graphql.cache.market_feeds import MarketFeedStatus
from fullon_graphql.cache.orders import LiveOrder
from fullon_graphql.cache.processes import Report
from fullon_graphql.cache.watch import Watch
from fullon_graphql.circuit_breaker import CircuitBreaker
from fullon_graphql.config import Settings
from fullon_graphql.daemons.control.manager import ServiceManager
from fullon_graphql.daemons.control.state import ServiceStatus
from fullon_graphql.database import Database
from fullon_graphql.database.replicas import ReplicaReads, Replicas, ReplicaStatus
from fullon_graphql.joined_calls import SharedRuns
from fullon_graphql.observability.metrics import Metrics
from fullon_graphql.observability.process_snapshots import ProcessSnapshots
from fullon_graphql.observability.queue_meter import QueueMeter
from fullon_graphql.observability.tracing import Tracer
from fullon_graphql.ohlcv.store import CandleStore
from fullon_graphql.services.change_feed import table as change_feed
from fullon_graphql.services.change_feed.reader import ChangeFeed
from fullon_graphql.services.own_writes import OwnWrites
from fullon_graphql.services.rate_limits import CostLimiter, RateLimiter
from fullon_graphql.services.signing_in.authenticator import Authenticator
from fullon_graphql.services.signing_in.sessions import Sessions
from fullon_graphql.services.tickers import SharedTickers
from fullon_graphql.services.writing.executor import ChangeExecutor


@dataclass(frozen=True)
class Watches:
    """States that are watched once for all subscribers of a worker."""

    balances: Watch[int, list[Balance]]
    positions: Watch[int, list[Position]]
    bots: Watch[int, list[FeedStatus]]
    processes: Watch[None, list[Report]]
    services: Watch[None, list[ServiceStatus]]
    feeds: Watch[None, list[MarketFeedStatus]]
    orders: Watch[tuple[tuple[int, str], ...], list[LiveOrder]]
    """By accounts: the key of each, and the name of its exchange."""
    trades: Watch[tuple[str, str], Sequence[Any]]
    """The newest public trades that wait to be stored, by exchange and symbol."""


@dataclass(frozen=True)
class Worker:
    """The stores and the services of a worker process."""

    settings: Settings
    metrics: Metrics
    database: Database
    ohlcv_database: Database
    candles: CandleStore
    redis: redis.asyncio.Redis
    tickers: SharedTickers
    hub: Hub
    background: BackgroundTasks
    breakers: Mapping[str, CircuitBreaker]
    """By the name of the store, as in `/health`."""
    changes: ChangeFeed
    watches: Watches
    services: ServiceManager
    rate_limits: RateLimiter
    cost_limits: CostLimiter
    sessions: Sessions
    authenticator: Authenticator
    writes: ChangeExecutor
    first_runs: SharedRuns = field(default_factory=SharedRuns)
    """Things that are being made for the first time and remembered afterwards; requests that need one share its run."""
    order_queues: QueueMeter = field(default_factory=QueueMeter)
    """Of the queues `new_orders`, as far as requests to this worker have read them."""
    trade_queues: QueueMeter = field(default_factory=QueueMeter)
    """Of the queues `trades`, likewise."""
    tracer: Tracer | None = None
    """None without tracing."""
    snapshots: ProcessSnapshots | None = None
    """The counts of all processes of this server; None if they leave none."""
    replicas: Replicas | None = None
    """Replicas of `database`."""
    candle_replicas: Replicas | None = None
    """Replicas of `ohlcv_database`."""
    replica_candles: CandleStore | None = None
    """The candles on its replicas."""
    own_writes: OwnWrites | None = None
    """Present with `replicas`."""

    def reads(self, caller: Caller) -> Database:
        """The database for reads that may be MAX_REPLICA_LAG old, apart from the caller's own changes."""
        if self.replicas is None or self.own_writes is None:
            return self.database
        if not isinstance(caller, Principal):
            return ReplicaReads(self.replicas)
        has_written, uid = self.own_writes.has_written, caller.uid
        return ReplicaReads(self.replicas, lambda: has_written(uid))

    @property
    def read_candles(self) -> CandleStore:
        """The store of candles for reads that may be MAX_REPLICA_LAG old."""
        return self.replica_candles or self.candles

    @property
    def replica_statuses(self) -> list[ReplicaStatus]:
        """The state of every replica of both databases."""
        return [
            status
            for group in (self.replicas, self.candle_replicas)
            if group is not None
            for status in group.statuses()
        ]


@dataclass(slots=True)
class Context:
    """One operation: its caller, where the request comes from, and its loaders."""

    worker: Worker
    caller: Caller = field(default_factory=Anonymous)
    request_id: str = field(default_factory=lambda: uuid4().hex)
    address: str | None = None
    user_agent: str | None = None
    client: str | None = None
    """The name that the client gives itself in `apollographql-client-name`."""
    loaders: dict[Hashable, Any] = field(default_factory=dict)
    is_fresh: bool = False
    """True if nothing may come from a replica, as in mutations and subscriptions."""
    position: change_feed.Position | None = None
    """The newest change of the feed that reads must include; replicas that have it may be used in any case."""
    _database: Database | None = field(default=None, init=False)

    @property
    def database(self) -> Database:
        """The database with users, bots and orders. All reads of an operation go to the same replica, if to any."""
        if self.worker.replicas is None:
            return self.worker.database
        if self._database is None:
            self._database = self._choose_database(self.worker.replicas)
        return self._database

    def _choose_database(self, replicas: Replicas) -> Database:
        if self.position is not None:
            return ReplicaReads(replicas, transaction=self.position.xid)
        return self.worker.database if self.is_fresh else self.worker.reads(self.caller)

    @property
    def redis(self) -> redis.asyncio.Redis:
        """The Redis client for live state."""
        return self.worker.redis

    @property
    def tickers(self) -> SharedTickers:
        """The live tickers of instruments."""
        return self.worker.tickers

    @property
    def candles(self) -> CandleStore:
        """The store of candles and public trades."""
        return self.worker.candles if self.is_fresh else self.worker.read_candles

    @property
    def settings(self) -> Settings:
        """The settings of the process."""
        return self.worker.settings

    def fork(self) -> Context:
        """A context of the same caller with fresh loaders, for the next operation on this connection."""
        return replace(self, loaders={})

    def forget(self) -> None:
        """Drop all loaders, so that the next event of a subscription reads fresh data."""
        self.loaders.clear()


Info: TypeAlias = strawberry.Info[Context, None]
