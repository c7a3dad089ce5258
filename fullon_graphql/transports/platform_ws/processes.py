"""Running processes of the platform, for administrators."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from fullon_graphql.auth.principal import administrator
from fullon_graphql.transports.platform_ws.graph_client import (
    GraphClient,
    Params,
    Read,
    Result,
    Source,
    Stream,
    on_length_change,
    present_params,
)

_HEALTH = """{ systemHealth {
  healthy totalProcesses staleProcesses errorProcesses byType { name count } byStatus { name count }
} }"""
_ACTIVE = """query ($type: ProcessType, $component: String, $minutes: Int) {
  processes(type: $type, component: $component, sinceMinutes: $minutes) {
    processId component status params heartbeatAt
  }
}"""
_LIVE = "subscription { processes { processId } }"


async def get_system_health(client: GraphClient, _params: Params) -> Result:
    health = (await client.data(_HEALTH))["systemHealth"]
    return {
        "healthy": health["healthy"],
        "total_processes": health["totalProcesses"],
        "by_type": {tally["name"]: tally["count"] for tally in health["byType"]},
        "by_status": {tally["name"]: tally["count"] for tally in health["byStatus"]},
        "stale_processes": health["staleProcesses"],
        "error_processes": health["errorProcesses"],
    }


async def get_active_processes(client: GraphClient, params: Params) -> Result:
    """Processes with a heartbeat within the last `since_minutes` (default 5), newest first."""
    filters = present_params(params, "component") | {"minutes": params.get("since_minutes", 5)}
    if params.get("process_type") is not None:
        filters["type"] = str(params["process_type"]).upper()
    processes = (await client.data(_ACTIVE, **filters))["processes"]
    return {"processes": [_result(process) for process in processes]}


async def stream_process_health(client: GraphClient, _params: Params) -> Sequence[Source]:
    """The number of processes, now and at each change."""
    administrator(client.context.caller)
    count = on_length_change(lambda number: {"active_processes": number, "timestamp": datetime.now(UTC).isoformat()})
    return [Source(client.events(_LIVE), lambda data: count(data["processes"]))]


def _result(process: Result) -> Result:
    return {
        "process_id": process["processId"],
        "name": process["component"],
        "status": process["status"],
        "pid": process["params"].get("pid"),
        "last_seen": process["heartbeatAt"],
    }


READS = {"get_system_health": Read(get_system_health), "get_active_processes": Read(get_active_processes)}
STREAMS = {"stream_process_health": Stream(stream_process_health, "process_health_update")}
