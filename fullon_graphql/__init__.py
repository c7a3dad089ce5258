"""One GraphQL graph over PostgreSQL, candles and live Redis state of the Fullon trading platform.

The names below are the library's public interface. They are imported on first use, so that `import fullon_graphql` is
cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from fullon_graphql.app import create_app as create_app
    from fullon_graphql.application import Application as Application
    from fullon_graphql.config import Settings as Settings
    from fullon_graphql.config import load_settings as load_settings
    from fullon_graphql.routers import get_all_routers as get_all_routers
    from fullon_graphql.routers import graphql_router as graphql_router
    from fullon_graphql.routers import rest_routers as rest_routers

_MODULES: Final = {
    "Application": "application",
    "Settings": "config",
    "create_app": "app",
    "get_all_routers": "routers",
    "graphql_router": "routers",
    "load_settings": "config",
    "rest_routers": "routers",
}

__all__ = [
    "Application",
    "Settings",
    "create_app",
    "get_all_routers",
    "graphql_router",
    "load_settings",
    "rest_routers",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *__all__]
