"""Background services."""

from __future__ import annotations

import strawberry

from fullon_graphql.daemons.control.state import ServiceName, ServiceState, ServiceStatus
from fullon_graphql.schema.support.enums import described
from fullon_graphql.schema.support.scalars import DateTime

described(
    ServiceName,
    "The background services.",
    {
        ServiceName.TICKER: "Writes live tickers.",
        ServiceName.OHLCV: "Stores closed one-minute candles.",
        ServiceName.ACCOUNT: "Writes people's balances and positions.",
    },
)
described(
    ServiceState,
    "Where a service stands between off and on.",
    {
        ServiceState.STOPPED: "It is off, and nobody has ordered it to run.",
        ServiceState.STARTING: "It has been ordered to run, and a worker is taking it up.",
        ServiceState.RUNNING: "It runs, on one worker.",
        ServiceState.STOPPING: "It has been ordered to end, and its worker is about to obey.",
        ServiceState.FAILED: "It broke; it is tried again after a pause that grows with every failure.",
    },
)


@strawberry.type(description="A background service. It runs at most once across all workers.")
class Service:
    name: ServiceName = strawberry.field(description="Which service.")
    state: ServiceState = strawberry.field(description="What is true of it now, whichever worker runs it.")
    is_running: bool = strawberry.field(description="True in the state RUNNING only.")
    started_at: DateTime | None = strawberry.field(description="Since when it has been running.")
    heartbeat_at: DateTime | None = strawberry.field(description="Its last sign of life.")
    error: str | None = strawberry.field(description="Why it FAILED; null in every other state.")
    holder: str | None = strawberry.field(description="The worker in charge of it, as `host:process:random`.")

    @classmethod
    def of(cls, status: ServiceStatus) -> Service:
        """The GraphQL object of a status."""
        return cls(
            name=status.name,
            state=status.state,
            is_running=status.is_running,
            started_at=DateTime(status.started_at) if status.started_at else None,
            heartbeat_at=DateTime(status.heartbeat_at) if status.heartbeat_at else None,
            error=status.error,
            holder=status.holder,
        )
