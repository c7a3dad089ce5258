"""The faults that are injected into the scaled deployment, and the windows in which requests may fail."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from random import Random
from typing import Final

from tests.torture.clients import StreamClient
from tests.torture.faults import Fault, disconnect_clients
from tests.torture.scaled import ScaledDeployment


async def restart_servers(deployment: ScaledDeployment, clients: Sequence[StreamClient], random: Random) -> None:
    """The servers are restarted, each once HAProxy uses the other one."""
    for server in deployment.servers:
        await server.stop()
        await server.start()
        await deployment.becomes_complete()


async def kill_a_server(deployment: ScaledDeployment, clients: Sequence[StreamClient], random: Random) -> None:
    """One server is killed, with all its sockets, and started again."""
    server = random.choice(deployment.servers)
    await server.kill()
    await server.start()
    await deployment.becomes_complete()


async def fail_over_redis(deployment: ScaledDeployment, clients: Sequence[StreamClient], random: Random) -> None:
    """The master of Redis is killed, and Sentinel promotes its replica."""
    await deployment.redis.restart(signal.SIGKILL)


async def restart_replica(deployment: ScaledDeployment, clients: Sequence[StreamClient], random: Random) -> None:
    """The replica of PostgreSQL is killed and started again."""
    await deployment.postgres.restart_replica()


async def fail_over_postgresql(deployment: ScaledDeployment, clients: Sequence[StreamClient], random: Random) -> None:
    """The primary of PostgreSQL is killed, and its replica promoted."""
    await deployment.postgres.fail_over()


WINDOWS: Final[Mapping[Fault[ScaledDeployment], Mapping[str, float]]] = {
    disconnect_clients: {},
    restart_servers: {},
    kill_a_server: {"rows": 2, "changes": 2, "prices": 2},
    fail_over_redis: {"changes": 5, "prices": 5},
    restart_replica: {},
    fail_over_postgresql: {"rows": 5, "changes": 5, "prices": 5},
}
"""The faults of one round, and the seconds after each in which requests of a kind may fail; none by default."""
