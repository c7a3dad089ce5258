"""The faults that are injected into the server, its stores and its clients."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Final, TypeVar

import asyncpg

from fullon_graphql.cache import keys
from tests.torture.clients import StreamClient
from tests.torture.deployment import Deployment, OneServer, redis_client

D = TypeVar("D", bound=Deployment)
Fault = Callable[[D, Sequence[StreamClient], Random], Awaitable[None]]


async def disconnect_clients(deployment: Deployment, clients: Sequence[StreamClient], random: Random) -> None:
    """Half of the clients lose their connections."""
    for client in random.sample(clients, len(clients) // 2):
        client.disconnect()


async def kill_a_worker(deployment: OneServer, clients: Sequence[StreamClient], random: Random) -> None:
    """One worker is killed, with all its sockets, and the services process, which delivers webhooks."""
    if workers := deployment.workers:
        random.choice(workers).kill()
    for process in deployment.services:
        process.kill()


async def kill_all_workers(deployment: OneServer, clients: Sequence[StreamClient], random: Random) -> None:
    """All workers are killed, and replaced by the supervisor."""
    for worker in deployment.workers:
        worker.kill()


async def restart_redis(deployment: Deployment, clients: Sequence[StreamClient], random: Random) -> None:
    """Redis is terminated or killed, and restarted with its data."""
    await deployment.redis.restart(random.choice([signal.SIGTERM, signal.SIGKILL]))


async def restart_postgresql(deployment: OneServer, clients: Sequence[StreamClient], random: Random) -> None:
    """PostgreSQL is stopped in order or as in a crash, and restarted with its data."""
    await deployment.postgres.restart(random.choice([signal.SIGINT, signal.SIGQUIT]))


async def break_database_connections(deployment: Deployment, clients: Sequence[StreamClient], random: Random) -> None:
    """All connections to PostgreSQL are terminated."""
    connection = await asyncpg.connect(deployment.settings.database_url, timeout=60)
    others = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname IS NOT NULL"
    )
    await connection.execute(others)
    await connection.close()


async def force_an_election(deployment: Deployment, clients: Sequence[StreamClient], random: Random) -> None:
    """The worker that reads the change feed loses its lease, and sometimes the stream is deleted too."""
    deleted = [keys.CHANGE_FEED_LEASE, keys.CHANGE_FEED]
    async with redis_client(deployment.settings) as redis:
        await redis.delete(*deleted[: random.choice([1, 2])])


FAULTS: Final[Sequence[Fault[OneServer]]] = (
    disconnect_clients,
    kill_a_worker,
    restart_redis,
    disconnect_clients,
    restart_postgresql,
    kill_all_workers,
    break_database_connections,
    force_an_election,
)
"""The faults of one round, in any order."""
