"""`fullon-graphql services`: the background services of a host, without a server."""

from __future__ import annotations

import uvloop

from fullon_graphql.config import load_settings
from fullon_graphql.daemons.control.host import run_services
from fullon_graphql.observability.logging import configure_logging
from fullon_graphql.services.companions import companions


def services() -> None:
    """Run the background services and nothing else. `serve` and `demo` start such a process by themselves."""
    settings = load_settings()
    configure_logging(settings)
    uvloop.run(run_services(settings, companions))
