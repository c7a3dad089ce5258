"""What is done to the server and to its clients while they talk."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Final

import asyncpg

from fullon_graphql.cache import keys
from tests.torture.followers import Follower
from tests.torture.stage import Stage, client

Blow = Callable[[Stage, Sequence[Follower], Random], Awaitable[None]]


async def cut_connections(stage: Stage, followers: Sequence[Follower], random: Random) -> None:
    """Half of the clients are suddenly gone."""
    for follower in random.sample(followers, len(followers) // 2):
        follower.cut()


async def kill_a_worker(stage: Stage, followers: Sequence[Follower], random: Random) -> None:
    """One of the workers is killed, with all its sockets."""
    if workers := stage.workers:
        random.choice(workers).kill()


async def kill_all_workers(stage: Stage, followers: Sequence[Follower], random: Random) -> None:
    """Nobody serves any more, until the workers are replaced."""
    for worker in stage.workers:
        worker.kill()


async def restart_redis(stage: Stage, followers: Sequence[Follower], random: Random) -> None:
    """Redis ends, in order or not, and comes back with its data."""
    await stage.redis.restart(random.choice([signal.SIGTERM, signal.SIGKILL]))


async def restart_postgresql(stage: Stage, followers: Sequence[Follower], random: Random) -> None:
    """PostgreSQL ends, in order or as in a crash, and comes back with its data."""
    await stage.postgres.restart(random.choice([signal.SIGINT, signal.SIGQUIT]))


async def break_database_connections(stage: Stage, followers: Sequence[Follower], random: Random) -> None:
    """Whoever is connected to PostgreSQL is so no longer, in the middle of whatever it did."""
    connection = await asyncpg.connect(stage.settings.database_url, timeout=60)
    others = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname IS NOT NULL"
    )
    await connection.execute(others)
    await connection.close()


async def force_an_election(stage: Stage, followers: Sequence[Follower], random: Random) -> None:
    """The worker that reads the change feed loses its lease, and sometimes the stream is gone too."""
    lost = [keys.CHANGE_FEED_LEASE, keys.CHANGE_FEED]
    async with client(stage.settings) as redis:
        await redis.delete(*lost[: random.choice([1, 2])])


BLOWS: Final[Sequence[Blow]] = (
    cut_connections,
    kill_a_worker,
    restart_redis,
    cut_connections,
    restart_postgresql,
    kill_all_workers,
    break_database_connections,
    force_an_election,
)
"""One round of them, in whatever order."""
