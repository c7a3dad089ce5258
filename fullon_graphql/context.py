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

from fullon_graphql.auth.principal import Anonymous, Caller
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
from fullon_graphql.observability.metrics import Metrics
from fullon_graphql.observability.process_snapshots import ProcessSnapshots
from fullon_graphql.observability.queue_meter import QueueMeter
from fullon_graphql.ohlcv.store import CandleStore
from fullon_graphql.services.change_feed.reader import ChangeFeed
from fullon_graphql.services.rate_limits import CostLimiter, RateLimiter
from fullon_graphql.services.signing_in.authenticator import Authenticator
from fullon_graphql.services.signing_in.sessions import Sessions
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
    order_queues: QueueMeter = field(default_factory=QueueMeter)
    """Of the queues `new_orders`, as far as requests to this worker have read them."""
    trade_queues: QueueMeter = field(default_factory=QueueMeter)
    """Of the queues `trades`, likewise."""
    snapshots: ProcessSnapshots | None = None
    """The counts of all processes of this server; None if they leave none."""


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

    @property
    def database(self) -> Database:
        """The database with users, bots and orders."""
        return self.worker.database

    @property
    def redis(self) -> redis.asyncio.Redis:
        """The Redis client for live state."""
        return self.worker.redis

    @property
    def candles(self) -> CandleStore:
        """The store of candles and public trades."""
        return self.worker.candles

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
