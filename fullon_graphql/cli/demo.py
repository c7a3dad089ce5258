"""`fullon-graphql demo`: the whole platform in one command, with its own engines and data."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_urlsafe
from socket import socket
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
import uvloop
from pydantic import SecretStr
from rich.console import Console
from rich.table import Table

from fullon_graphql.app import create_app
from fullon_graphql.cache.client import connect
from fullon_graphql.cli.listening import listening_socket
from fullon_graphql.config import Settings, demo_env_file, home, load_settings
from fullon_graphql.config.sources import resolve, sources
from fullon_graphql.daemons.control.host import services_process
from fullon_graphql.daemons.feeds.ccxt_client import ExchangesNotInstalledError, UnknownExchangeError
from fullon_graphql.database import Database
from fullon_graphql.embedded.demo import data
from fullon_graphql.embedded.demo.catalogue import PASSWORD, PEOPLE
from fullon_graphql.embedded.demo.live_exchanges import (
    LiveExchange,
    UnreachableError,
    anchored,
    moved,
    reach,
    require_known,
)
from fullon_graphql.embedded.demo.pages import build_pages
from fullon_graphql.embedded.demo.trading import trade
from fullon_graphql.embedded.engines.data_folder import locked, remove_demo_env, write_demo_env
from fullon_graphql.embedded.engines.errors import EngineError
from fullon_graphql.embedded.engines.running import Engines, running_engines
from fullon_graphql.models.migrate import install_feed
from fullon_graphql.observability.logging import configure_logging
from fullon_graphql.server.uvicorn_config import Config, Server, uvicorn_config
from fullon_graphql.services.exchange_catalogue import store_markets

console = Console(highlight=False)


def demo(
    port: Annotated[int, typer.Option(envvar="PORT", min=0, max=65535, help="Port on 127.0.0.1.")] = 8000,
    pages: Annotated[bool, typer.Option(help="Build GraphiQL and the desk in the background.")] = True,
    market: Annotated[
        list[str] | None,
        typer.Option(
            metavar="EXCHANGE",
            help="Show live public data of this exchange, by ccxt's id, e.g. kraken; repeatable. Accounts stay "
            "simulated.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Start PostgreSQL, Redis, a simulated market and the server with demo data. Ctrl-C stops all of them."""
    try:
        with suppress(KeyboardInterrupt), listening_socket("127.0.0.1", port) as listening:
            _run(listening, _reached(list(dict.fromkeys(market or []))), pages=pages)
    except (EngineError, ExchangesNotInstalledError, UnknownExchangeError) as error:
        typer.secho(str(error), fg="red", err=True)
        raise typer.Exit(1) from error
    except SystemExit as ended:
        if ended.code != 128 + signal.SIGTERM:
            raise
    console.print("Stopped. The data is kept for the next start.")


def _reached(exchanges: list[str]) -> list[LiveExchange]:
    """Those of the exchanges that answer. Prints a message about each of the others."""
    if not exchanges:
        return []
    settings = load_settings(demo=True)
    asyncio.run(require_known(settings, exchanges))
    with console.status(f"Connecting to {', '.join(exchanges)} …"):
        answers = asyncio.run(reach(settings, exchanges))
    live = [answer for answer in answers if isinstance(answer, LiveExchange)]
    for answer in answers:
        if isinstance(answer, UnreachableError):
            typer.secho(str(answer), fg="yellow", err=True)
    if not live:
        typer.secho("The demo shows the simulated market.", fg="yellow", err=True)
    return live


def _run(listening: socket, live: list[LiveExchange], *, pages: bool) -> None:
    with _engines(live) as found, TemporaryDirectory(prefix="fullon-graphql-metrics-") as folder:
        host, port, *_ = listening.getsockname()
        settings = _settings(found, live, host, port, metrics_folder=folder)
        configure_logging(settings)
        with console.status("Preparing tables and demo data …"):
            install_feed(settings.database_url)
            asyncio.run(_load_data(settings, live))
        with _published(settings), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(settings, listening, pages=pages))


@contextmanager
def _engines(live: list[LiveExchange]) -> Iterator[Engines]:
    """The engines of the demo. Each set of real exchanges has data of its own: simulated prices must not mix in."""
    if not live:
        with running_engines(home()) as found:
            yield found
        return
    folder = home() / "markets" / "+".join(sorted(one.name for one in live))
    with locked(home()), running_engines(folder) as found:
        yield found


def _settings(found: Engines, live: list[LiveExchange], host: str, port: int, *, metrics_folder: str) -> Settings:
    """The settings with the demo's engines and market, few logs, and a secret of its own."""
    own: dict[str, Any] = {
        "log_level": "WARNING",
        "drain_seconds": 1.0,
        "webhook_private_networks": True,
        "jwt_secret_key": SecretStr(_own_secret(home() / "jwt-secret")),
    }
    for name in resolve(own, sources()):
        del own[name]
    return load_settings(
        demo=True,
        host=host,
        port=port,
        database_url=found.database_url,
        ohlcv_database_url=found.ohlcv_database_url,
        redis_url=found.redis_url,
        metrics_folder=metrics_folder,
        market_feed=f"fullon_graphql.embedded.demo.{'live_market.LiveMarket' if live else 'market.SimulatedMarket'}",
        services_to_auto_start=["ticker", "ohlcv", "account"],
        **own,
    )


def _own_secret(path: Path) -> str:
    """The demo's secret, stored so that its tokens survive a restart."""
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(token_urlsafe(32))
    return path.read_text()


async def _load_data(settings: Settings, live: list[LiveExchange]) -> None:
    database = Database.connect(settings.database_url, "demo", settings)
    ohlcv_database = Database.connect(settings.ohlcv_database_url, "demo", settings)
    seed, now = settings.market_seed, datetime.now(UTC)
    try:
        if not live:
            await data.load(database, ohlcv_database, seed=seed, now=now)
            return
        prices = anchored(seed, live, now.timestamp())
        await data.load(database, ohlcv_database, seed=seed, now=now, catalogue=moved(live), prices=prices)
        async with connect(settings.redis_url, settings, "demo") as redis:
            for one in live:
                await store_markets(database, redis, one.name, one.markets)
    finally:
        await database.close()
        await ohlcv_database.close()


@contextmanager
def _published(settings: Settings) -> Iterator[None]:
    """Publish the demo's settings to commands with the same FULLON_HOME while it runs."""
    write_demo_env(
        demo_env_file(),
        {
            "FULLON_DEMO": "true",
            "DATABASE_URL": settings.database_url,
            "OHLCV_DATABASE_URL": settings.ohlcv_database_url,
            "REDIS_URL": settings.redis_url,
            "JWT_SECRET_KEY": settings.jwt_secret_key.get_secret_value(),
            "MARKET_FEED": settings.market_feed,
        },
    )
    try:
        yield
    finally:
        remove_demo_env(demo_env_file())


async def _serve(settings: Settings, listening: socket, *, pages: bool) -> None:
    """Run the server and the simulated traders."""
    config = uvicorn_config(lambda: create_app(settings).handle, settings, factory=True)
    server = _DemoServer(config, lambda: _print_addresses(settings))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, server.handle_exit, number, None)
    database = Database.connect(settings.database_url, "trading", settings)
    redis = connect(settings.redis_url, settings, "trading")
    beside = [asyncio.create_task(trade(database, redis, seed=settings.market_seed), name="trading")]
    if pages:
        beside.append(asyncio.create_task(_build_pages(server), name="pages"))
    try:
        with services_process(settings.shutdown_timeout, _services_environment(settings)) as services:
            server.on_shutdown = services.terminate
            await server.serve(sockets=[listening])
    finally:
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        await redis.aclose()
        await database.close()
    if not server.started:
        raise EngineError("The server did not start. The log above has the reason.")


def _services_environment(settings: Settings) -> dict[str, str]:
    """The settings of the demo's services process that its environment does not have."""
    return {
        "DATABASE_URL": settings.database_url,
        "OHLCV_DATABASE_URL": settings.ohlcv_database_url,
        "REDIS_URL": settings.redis_url,
        "MARKET_FEED": settings.market_feed,
        "METRICS_FOLDER": settings.metrics_folder,
        "SERVICES_TO_AUTO_START": json.dumps(settings.services_to_auto_start),
        "LOG_LEVEL": settings.log_level,
        "JWT_SECRET_KEY": settings.jwt_secret_key.get_secret_value(),  # it encrypts the secrets of webhooks
        "WEBHOOK_PRIVATE_NETWORKS": json.dumps(settings.webhook_private_networks),
    }


async def _build_pages(server: _DemoServer) -> None:
    """Build GraphiQL and the desk once the server is ready, so that the build does not delay its start."""
    await server.ready.wait()
    if said := await build_pages():
        console.print(said)


class _DemoServer(Server):
    """Calls `ready` after the start, and leaves signals to the demo, which has more to stop than the server."""

    def __init__(self, config: Config, say_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._say_ready = say_ready
        self.ready = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._say_ready()
            self.ready.set()


def _print_addresses(settings: Settings) -> None:
    server = f"{settings.host}:{settings.port}"
    table = Table(show_header=False, box=None, padding=(0, 2))
    table.add_row("The desk: prices, bots, accounts", f"http://{server}/desk")
    table.add_row("GraphiQL, and GraphQL over HTTP", f"http://{server}/graphql")
    table.add_row("Subscriptions (graphql-transport-ws)", f"ws://{server}/graphql")
    table.add_row("REST", f"http://{server}/docs")
    table.add_row("Health", f"http://{server}/health")
    table.add_row("Demo logins", ", ".join(person.mail for person in PEOPLE))
    table.add_row("Password of all three", PASSWORD)
    console.print(table)
    console.print("Ready. Press Ctrl-C to stop.")
