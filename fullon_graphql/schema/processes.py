"""Running processes of the platform."""

from __future__ import annotations

from typing import Any, cast

import strawberry
from strawberry.scalars import JSON

from fullon_graphql.cache.processes import ProcessType, Report
from fullon_graphql.config import Subgraph
from fullon_graphql.engine.subgraphs import part_of
from fullon_graphql.schema.support.enums import described
from fullon_graphql.schema.support.records import FromRecord
from fullon_graphql.schema.support.scalars import DateTime
from fullon_graphql.services import processes

described(
    ProcessType,
    "Kind of a process of the platform.",
    {
        ProcessType.TICK: "Collects tickers.",
        ProcessType.OHLCV: "Collects candles and public trades.",
        ProcessType.BOT: "Runs a bot.",
        ProcessType.ACCOUNT: "Monitors exchange accounts.",
        ProcessType.ORDER: "Places and tracks orders.",
        ProcessType.BOT_STATUS_SERVICE: "Collects the status of bots.",
        ProcessType.CRAWLER: "Reads sources outside the exchanges.",
        ProcessType.USER_TRADES_SERVICE: "Collects the trades of users.",
    },
)


@part_of(Subgraph.CACHE)
@strawberry.type(description="A running process of the platform, as reported by itself.")
class Process(FromRecord):
    process_id: str = strawberry.field(description="Identifier: `type:component:start time in Unix seconds`.")
    type: ProcessType = strawberry.field(description="Kind of the process.")
    component: str = strawberry.field(
        description="The subject of the process, e.g. `ticker_daemon` or `kraken:BTC/USD`."
    )
    params: JSON = strawberry.field(description="Parameters of the start.")
    status: str | None = strawberry.field(
        description="`starting`, `running`, `processing`, `idle`, `error` or `stopped`; null if not reported."
    )
    message: str | None = strawberry.field(description="Latest status message.")
    created_at: DateTime | None = strawberry.field(description="Time of the start.")
    updated_at: DateTime | None = strawberry.field(description="Time of the latest change of the record.")
    heartbeat_at: DateTime = strawberry.field(description="Time of the last heartbeat.")
    is_stale: bool = strawberry.field(description="True if the last heartbeat is more than ten minutes ago.")

    @classmethod
    def from_record(cls, record: Report) -> Process:
        """The object of a record."""
        return cls(
            process_id=record.id,
            type=record.type,
            component=record.component,
            params=cast("Any", record.params),
            status=record.status,
            message=record.message,
            created_at=DateTime(record.created_at) if record.created_at else None,
            updated_at=DateTime(record.updated_at) if record.updated_at else None,
            heartbeat_at=DateTime(record.heartbeat),
            is_stale=processes.is_stale(record),
        )


@strawberry.type(description="The number of processes of one kind or status.")
class Tally:
    name: str = strawberry.field(description="The kind or status.")
    count: int = strawberry.field(description="Number of processes.")


@part_of(Subgraph.CACHE)
@strawberry.type(description="Summary of the platform's processes of the last hour.")
class SystemHealth(FromRecord):
    healthy: bool = strawberry.field(description="True if no process is stale and none reports an error.")
    total_processes: int = strawberry.field(description="Number of processes with a heartbeat.")
    stale_processes: int = strawberry.field(
        description="Number of processes whose last heartbeat is more than ten minutes ago."
    )
    error_processes: int = strawberry.field(description="Number of processes that report an error.")
    by_type: list[Tally] = strawberry.field(description="Number of processes per kind, by kind.")
    by_status: list[Tally] = strawberry.field(description="Number of processes per status, by status.")

    @classmethod
    def from_record(cls, record: processes.Health) -> SystemHealth:
        """The object of the counts."""
        return cls(
            healthy=record.healthy,
            total_processes=record.total,
            stale_processes=record.stale,
            error_processes=record.failing,
            by_type=[Tally(name=name, count=count) for name, count in sorted(record.by_type.items())],
            by_status=[Tally(name=name, count=count) for name, count in sorted(record.by_status.items())],
        )
