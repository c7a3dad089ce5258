"""FastAPI routers of an application, for composition into another one."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.routing import Route, WebSocketRoute
from starlette.types import Receive, Scope, Send

from fullon_graphql.app import create_app
from fullon_graphql.application import Application
from fullon_graphql.config import load_settings
from fullon_graphql.rest import health, routes
from fullon_graphql.rest.aliases import aliases


class ApplicationRouter(APIRouter):
    """A router that passes requests to the whole application, so that errors, ids and limits are the same.

    Its routes serve for matching, and for the OpenAPI description of the application that includes it.
    """

    def __init__(self, application: Application, prefix: str) -> None:
        super().__init__(prefix=prefix, lifespan=application.lifespan)
        self._application = application

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, of which FastAPI knows that a route of this router matches."""
        root: str = scope.get("root_path", "").rstrip("/")
        await self._application({**scope, "root_path": root + self.prefix}, receive, send)


def graphql_router(application: Application, *, prefix: str = "") -> APIRouter:
    """The graph at `prefix/graphql`, over HTTP and WebSocket."""
    router = ApplicationRouter(application, prefix)
    path = f"{prefix}/graphql"
    router.routes += [Route(path, application, methods=["GET", "POST"]), WebSocketRoute(path, application)]
    return router


def rest_routers(application: Application, *, prefix: str = "") -> list[APIRouter]:
    """REST under `prefix` and API_PREFIX, `prefix/health`, and the platform's sockets."""
    rest, checks, sockets = (ApplicationRouter(application, prefix) for _ in range(3))
    api = application.api_prefix
    rest.routes += routes.api_routes(f"{prefix}{api}")
    rest.routes += [
        Route(f"{prefix}{alias}{rest_of_path}", application)
        for alias in aliases(api)
        for rest_of_path in ("", "/{rest:path}")
    ]
    health.router.register(checks)
    paths = ("/ws", api, *aliases(api))
    sockets.routes += [
        WebSocketRoute(f"{prefix}{path}{rest_of_path}", application)
        for path in paths
        for rest_of_path in ("", "/{rest:path}")
    ]
    return [rest, checks, sockets]


def get_all_routers(application: Application | None = None, *, prefix: str = "") -> list[APIRouter]:
    """All routers of `application`, or of a new one with the settings of the environment.

    Pass the prefix here and not to `include_router`: it must be known to the application too. Including a router adds
    the lifespan of the application to that of the including one.

    Raises:
        InsecureSecretError: without `application`, if JWT_SECRET_KEY is not set or too short.
    """
    application = application or create_app(load_settings())
    return [graphql_router(application, prefix=prefix), *rest_routers(application, prefix=prefix)]
