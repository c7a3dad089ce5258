"""PostgreSQL with a replica that confirms every commit, and the part of a cluster manager: it promotes and rejoins."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

import asyncpg

from fullon_graphql.embedded.engines import postgres
from tests.fixtures.eventually import eventually
from tests.fixtures.replica import PostgresServer, postgres_server, primary_of

_CONFIRMS: Final = "SELECT 1 FROM pg_stat_replication WHERE state = 'streaming' AND sync_state = 'sync'"


class PostgresCluster:
    """Two servers, of which one is the primary. A commit waits for the replica while it is connected."""

    def __init__(self, primary: PostgresServer, replica: PostgresServer) -> None:
        self._servers = (primary, replica)
        self._primary, self._replica = self._servers

    def url(self, database: str) -> str:
        """The address of a database on the server that accepts writes."""
        return primary_of(f"postgresql:///{database}", *(server.sockets for server in self._servers))

    def replica_urls(self, database: str) -> list[str]:
        """The addresses of a database on each server; the primary is not used as its own replica."""
        return [postgres.address(server.sockets, database) for server in self._servers]

    async def start(self) -> None:
        await asyncio.to_thread(self._primary.start)
        await self._join()

    async def restart_replica(self) -> None:
        """Kill the replica, let commits no longer wait for it, and start it again."""
        await asyncio.to_thread(self._replica.kill)
        await self._wait_for_commits_of("")
        await asyncio.to_thread(self._replica.start)
        await self._become_synchronous()

    async def fail_over(self) -> None:
        """Kill the primary, promote the replica, and let the former primary follow it with a copy of its data."""
        await asyncio.to_thread(self._primary.kill)
        self._primary, self._replica = self._replica, self._primary
        async with self._connected() as connection:
            await connection.execute("SELECT pg_promote()")
        await self._join()

    async def _join(self) -> None:
        # The copy has the settings of the primary, which must not wait for a replica once it is promoted.
        await asyncio.to_thread(self._replica.copy, postgres.address(self._primary.sockets, "postgres"))
        await self._become_synchronous()

    async def _become_synchronous(self) -> None:
        """Let commits wait for the replica, once it has received all earlier ones."""
        await self._wait_for_commits_of("*")
        async with self._connected() as connection:

            async def confirms() -> Any:
                return await connection.fetchval(_CONFIRMS)

            await eventually(confirms, seconds=60)

    async def _wait_for_commits_of(self, replicas: str) -> None:
        async with self._connected() as connection:
            await connection.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{replicas}'")
            await connection.execute("SELECT pg_reload_conf()")

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection to the primary."""
        connection = await asyncpg.connect(postgres.address(self._primary.sockets, "postgres"), timeout=60)
        try:
            yield connection
        finally:
            connection.terminate()


@contextmanager
def postgres_cluster(folder: Path) -> Iterator[PostgresCluster]:
    """A cluster that is not started. Its servers are stopped with the block."""
    with (
        postgres_server(folder / "a", durable=True) as primary,
        postgres_server(folder / "b", durable=True) as replica,
    ):
        yield PostgresCluster(primary, replica)
