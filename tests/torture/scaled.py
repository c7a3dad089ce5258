"""The scaled deployment: HAProxy, two servers, PostgreSQL with a replica, and Redis behind Sentinel."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from fullon_graphql.config import Settings
from tests.deploy.proxies import Proxy, free_ports, haproxy
from tests.fixtures.eventually import eventually
from tests.fixtures.server import ServerProcess, running
from tests.torture.cluster import PostgresCluster, postgres_cluster
from tests.torture.deployment import SECRET, Deployment, RedisBehindSentinel, environment, fill

DRAIN_SECONDS: Final = 4
"""Longer than HAProxy needs to notice that a server is not ready."""


class RestartableServer:
    """A server that is started again at the same address."""

    def __init__(self, environment: Mapping[str, str], port: int) -> None:
        self.address = f"127.0.0.1:{port}"
        self._environment = {**environment, "PORT": str(port), "DRAIN_SECONDS": str(DRAIN_SECONDS)}
        self._running = AsyncExitStack()
        self._server: ServerProcess | None = None

    async def start(self) -> None:
        """Start it, and wait until it is ready."""
        opened = running(self._environment, "/health/ready", "--no-services")
        self._server = await self._running.enter_async_context(opened)

    async def stop(self) -> None:
        """Terminate it, and wait until it has drained and ended."""
        await self._running.aclose()

    async def kill(self) -> None:
        """End it at once, as in a crash."""
        assert self._server
        self._server.process.kill()
        await self._server.process.wait()
        await self.stop()


@dataclass(frozen=True)
class ScaledDeployment(Deployment):
    """Clients connect to HAProxy, which has `servers` behind it."""

    postgres: PostgresCluster
    servers: Sequence[RestartableServer]
    proxy: Proxy

    async def becomes_complete(self) -> None:
        """Wait until HAProxy uses all servers."""
        await eventually(self._uses_all, seconds=60)

    async def _uses_all(self) -> bool:
        return await self.proxy.states() == ["UP"] * len(self.servers)


@asynccontextmanager
async def scaled(clients: int) -> AsyncIterator[ScaledDeployment]:
    """A deployment of which each server accepts `clients` connections per user."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="fullon-tests-")))
        cluster = stack.enter_context(postgres_cluster(folder / "postgres"))
        redis = RedisBehindSentinel(folder / "sentinel")
        stack.push_async_callback(redis.stop)
        await cluster.start()
        await redis.start()
        settings = Settings(
            database_url=cluster.url("torture"),
            ohlcv_database_url=cluster.url("torture_ohlcv"),
            redis_url=redis.url,
            jwt_secret_key=SECRET,  # type: ignore[arg-type]  # pydantic makes a secret of it
            db_pool_size=5,
        )
        tokens = await fill(settings)
        replicas = {"DATABASE_REPLICA_URLS": ",".join(cluster.replica_urls("torture"))}
        shared = environment(settings, clients) | replicas
        servers = [RestartableServer(shared, port) for port in free_ports(2)]
        for server in servers:
            stack.push_async_callback(server.stop)
            await server.start()
        proxy = await stack.enter_async_context(haproxy(folder, [server.address for server in servers]))
        deployment = ScaledDeployment(settings, proxy.url, redis, tokens, cluster, servers, proxy)
        await deployment.becomes_complete()
        yield deployment
