"""`fullon-graphql serve`: the server of an installation."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Annotated, NoReturn

import structlog
import typer
from uvicorn.supervisors import ChangeReload

import fullon_graphql
from fullon_graphql.auth.tokens import InsecureSecretError, refuse_insecure_secret
from fullon_graphql.cli.listening import listening_socket
from fullon_graphql.config import Settings, Subgraph, load_settings
from fullon_graphql.config.checks import problems
from fullon_graphql.config.sources import sources, variable
from fullon_graphql.daemons.control.host import services_process
from fullon_graphql.engine.trusted.manifests import ManifestError, read_manifest
from fullon_graphql.errors import SettingsError
from fullon_graphql.observability.logging import configure_logging
from fullon_graphql.server.uvicorn_config import Server, Workers, uvicorn_config

log = structlog.get_logger(__name__)


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; default HOST or 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on; default PORT or 8000.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Number of worker processes.")] = 1,
    reload: Annotated[bool, typer.Option(help="Start again when a file of the package changes; one worker.")] = False,
    ssl_certfile: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="Certificate for TLS.")] = None,
    ssl_keyfile: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="Its private key.")] = None,
    subgraph: Annotated[
        Subgraph | None, typer.Option(help="Serve a third of the graph to a federated gateway; default SUBGRAPH.")
    ] = None,
    services: Annotated[bool, typer.Option(help="Run the background services in a process beside the workers.")] = True,
) -> None:
    """Serve GraphQL, REST and health with the stores that the settings name."""
    if reload and workers > 1:
        raise typer.BadParameter("--reload works with one worker only.")
    if subgraph:
        os.environ[variable("subgraph")] = subgraph  # for the workers
    settings = _checked_settings()
    configure_logging(settings)
    for problem in problems(sources(), settings):
        log.warning("settings.questionable", problem=problem)
    address = (settings.host if host is None else host, settings.port if port is None else port)
    with listening_socket(*address) as listening, ExitStack() as stack:
        sockets = [listening]
        if not settings.metrics_folder:
            os.environ["METRICS_FOLDER"] = stack.enter_context(TemporaryDirectory(prefix="fullon-graphql-metrics-"))
        if settings.metrics_port is not None and settings.metrics_enabled:
            sockets.append(stack.enter_context(listening_socket(address[0], settings.metrics_port)))
        scheme = "https" if ssl_certfile else "http"
        typer.secho("Listening on {}://{}:{}".format(scheme, *listening.getsockname()[:2]), err=True)
        config = uvicorn_config(
            "fullon_graphql.app:handler_from_environment",
            settings,
            factory=True,
            workers=workers,
            reload=reload,
            reload_dirs=[str(Path(fullon_graphql.__file__).parent)] if reload else None,
            ssl_certfile=ssl_certfile,
            ssl_keyfile=ssl_keyfile,
        )
        process = stack.enter_context(services_process(settings.shutdown_timeout)) if services else None
        on_shutdown = process.terminate if process else None
        has_failed = False
        if reload:
            ChangeReload(config, Server(config).run, sockets).run()
        elif workers == 1:
            signal.signal(signal.SIGTERM, _exit_cleanly)
            server = Server(config, on_shutdown)
            server.run(sockets=sockets)
            has_failed = not server.started
        else:
            Workers(config, sockets, on_shutdown).run()
    if has_failed:
        raise typer.Exit(3)


def _exit_cleanly(_number: int, _frame: FrameType | None) -> NoReturn:
    """Exit with 0 after SIGTERM. uvicorn raises the signal again when its orderly shutdown is complete."""
    raise SystemExit(0)


def _checked_settings() -> Settings:
    """The settings. An error in them is reported here once, not by every worker."""
    try:
        settings = load_settings()
        refuse_insecure_secret(settings)
        if settings.trusted_documents != "off" and settings.trusted_documents_path:
            read_manifest(Path(settings.trusted_documents_path))
    except (SettingsError, InsecureSecretError, ManifestError) as error:
        typer.secho(str(error), fg="red", err=True)
        raise typer.Exit(1) from error
    return settings
