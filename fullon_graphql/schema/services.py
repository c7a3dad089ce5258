"""Background services."""

from __future__ import annotations

import strawberry

from fullon_graphql.config import Subgraph
from fullon_graphql.daemons.control.state import ServiceName, ServiceState
from fullon_graphql.engine.subgraphs import part_of
from fullon_graphql.schema.support.enums import described
from fullon_graphql.schema.support.records import FromRecord
from fullon_graphql.schema.support.scalars import DateTime

described(
    ServiceName,
    "Name of a background service.",
    {
        ServiceName.TICKER: "Writes live tickers.",
        ServiceName.OHLCV: "Stores the history of one-minute candles, then closed ones.",
        ServiceName.ACCOUNT: "Writes the balances and positions of exchange accounts.",
    },
)
described(
    ServiceState,
    "State of a background service.",
    {
        ServiceState.STOPPED: "The service is off and should be off.",
        ServiceState.STARTING: "The service should run; a host is starting it.",
        ServiceState.RUNNING: "The service runs, on one host.",
        ServiceState.STOPPING: "The service should be off; its host is stopping it.",
        ServiceState.FAILED: "The service failed. It is started again after a delay that grows with each failure.",
    },
)


@part_of(Subgraph.CACHE)
@strawberry.type(description="A background service. At most one instance runs across all hosts.")
class Service(FromRecord):
    name: ServiceName = strawberry.field(description="Name of the service.")
    state: ServiceState = strawberry.field(description="Current state, on whichever host it runs.")
    is_running: bool = strawberry.field(description="True only in the state RUNNING.")
    started_at: DateTime | None = strawberry.field(description="Time of the start of this run.")
    heartbeat_at: DateTime | None = strawberry.field(description="Time of the last heartbeat.")
    done: int | None = strawberry.field(
        description="Units of work that are done since the start, e.g. minutes of history of the candle service; null"
        " if the service reports none."
    )
    of: int | None = strawberry.field(description="Units of work that were to be done, as far as known.")
    error: str | None = strawberry.field(description="Reason for the state FAILED; null in other states.")
    holder: str | None = strawberry.field(description="The process that runs it: `host:process:random`.")
