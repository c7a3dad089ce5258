"""Background services, for administrators only."""

from __future__ import annotations

from fullon_graphql.auth.principal import Caller, administrator
from fullon_graphql.daemons.manager import ServiceManager
from fullon_graphql.daemons.state import ServiceName, ServiceStatus


async def status(manager: ServiceManager, caller: Caller, name: ServiceName) -> ServiceStatus:
    """What is true of a service now.

    Raises:
        Unauthenticated, Forbidden: the caller is no administrator.
    """
    administrator(caller)
    return await manager.status(name)


async def statuses(manager: ServiceManager, caller: Caller) -> list[ServiceStatus]:
    """What is true of all services now. Raises as `status` does."""
    administrator(caller)
    return await manager.statuses()


async def start(manager: ServiceManager, caller: Caller, name: ServiceName) -> ServiceStatus:
    """Start a service; answers once it is RUNNING or FAILED.

    Raises:
        Unauthenticated, Forbidden: the caller is no administrator.
        Conflict: somebody has ordered the opposite meanwhile.
        Timeout: it took too long; the order stands.
    """
    administrator(caller)
    return await manager.start(name)


async def stop(manager: ServiceManager, caller: Caller, name: ServiceName) -> ServiceStatus:
    """Stop a service; answers once it is STOPPED. Raises as `start` does."""
    administrator(caller)
    return await manager.stop(name)


async def restart(manager: ServiceManager, caller: Caller, name: ServiceName) -> ServiceStatus:
    """Stop a service where it runs and start it; answers and raises as `start` does."""
    administrator(caller)
    return await manager.restart(name)
