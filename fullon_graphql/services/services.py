"""Background services, for administrators only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from fullon_graphql.auth.principal import Caller
from fullon_graphql.daemons.control.manager import ServiceManager
from fullon_graphql.daemons.control.state import ServiceName, ServiceStatus
from fullon_graphql.services.access import service_controller, service_reader
from fullon_graphql.services.writing.executor import UnitOfWork

_log = structlog.get_logger(__name__)


async def status(manager: ServiceManager, caller: Caller, name: ServiceName) -> ServiceStatus:
    """The current status of a service.

    Raises:
        Unauthenticated, Forbidden: the caller is not an administrator.
    """
    service_reader(caller)
    return await manager.status(name)


async def statuses(manager: ServiceManager, caller: Caller) -> list[ServiceStatus]:
    """The current status of all services. Raises as `status` does."""
    service_reader(caller)
    return await manager.statuses()


async def start(write: UnitOfWork, name: ServiceName) -> str:
    """Start a service; returns its name once it is RUNNING or FAILED.

    Raises:
        Unauthenticated, Forbidden: the caller is not an administrator.
        Conflict: the opposite was requested meanwhile.
        Timeout: the state was not reached in time; the request stays in effect.
    """
    return await _request(write, name, write.services.start)


async def stop(write: UnitOfWork, name: ServiceName) -> str:
    """Stop a service; returns its name once it is STOPPED. Raises as `start` does."""
    return await _request(write, name, write.services.stop)


async def restart(write: UnitOfWork, name: ServiceName) -> str:
    """Stop a service if it runs, and start it. Returns and raises as `start` does."""
    return await _request(write, name, write.services.restart)


async def _request(write: UnitOfWork, name: ServiceName, act: Callable[[ServiceName], Awaitable[ServiceStatus]]) -> str:
    service_controller(write.principal)
    before = await write.services.status(name)
    if not write.dry_run:
        _log.info("service.requested", service=name, action=act.__name__, administrator=write.principal.mail)
    after = before if write.dry_run else await act(name)
    write.record("Service", name, _image(before), _image(after))
    return name


def _image(status: ServiceStatus) -> dict[str, Any]:
    return {"state": status.state, "holder": status.holder, "error": status.error}
