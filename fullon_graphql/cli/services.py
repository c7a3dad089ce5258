"""`fullon-graphql services`: the background services of a host, without a server."""

from __future__ import annotations

import pydantic
import typer
import uvloop

from fullon_graphql.config import load_settings
from fullon_graphql.daemons.control.host import run_services
from fullon_graphql.observability.logging import configure_logging


def services() -> None:
    """Run the background services and nothing else. `serve` and `demo` start such a process by themselves."""
    try:
        settings = load_settings()
    except pydantic.ValidationError as error:
        typer.secho(str(error), fg="red", err=True)
        raise typer.Exit(1) from error
    configure_logging(settings)
    uvloop.run(run_services(settings))
