"""An application without a server that runs its lifespan, and under any path."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope, Send

from fullon_graphql.app import framework_application
from fullon_graphql.application import Application, relative
from fullon_graphql.config import Settings
from fullon_graphql.observability.metrics import Metrics
from fullon_graphql.streaming.connections import ConnectionRegistry


class Stage:
    """Records what the application inside has got, and how often its state has been opened and closed."""

    def __init__(self) -> None:
        self.seen: list[Scope] = []
        self.opened = 0
        self.closed = 0
        self.failure: Exception | None = None
        self.application = Application(self.inner, self.open_state, "/api/v1")

    async def inner(self, scope: Scope, _receive: Receive, _send: Send) -> None:
        self.seen.append(scope)

    @asynccontextmanager
    async def open_state(self) -> AsyncIterator[dict[str, Any]]:
        self.opened += 1
        await asyncio.sleep(0)
        if self.failure:
            raise self.failure
        yield {"worker": f"worker {self.opened}"}
        self.closed += 1

    async def request(self, **scope: Any) -> Scope:
        await self.application({"type": "http", "path": "/graphql"} | scope, None, None)  # type: ignore[arg-type]  # unused
        return self.seen[-1]


async def test_state_of_the_server_is_passed_on() -> None:
    stage = Stage()
    assert (await stage.request(state={"worker": "the server's"}))["state"] == {"worker": "the server's"}
    assert stage.opened == 0


async def test_concurrent_first_requests_start_the_application_once() -> None:
    stage = Stage()
    scopes = await asyncio.gather(*(stage.request(state={"theirs": number}) for number in range(3)))
    assert [scope["state"]["worker"] for scope in scopes] == ["worker 1"] * 3
    assert {scope["state"]["theirs"] for scope in stage.seen} == {0, 1, 2}
    assert (stage.opened, stage.closed) == (1, 0)


async def test_cancelled_first_request_does_not_stop_the_start() -> None:
    stage = Stage()
    first = asyncio.create_task(stage.request())
    await asyncio.sleep(0)
    first.cancel()
    assert (await stage.request())["state"] == {"worker": "worker 1"}
    assert stage.opened == 1


async def test_failed_start_is_repeated_by_the_next_request() -> None:
    stage = Stage()
    stage.failure = OSError("the store is down")
    for _ in range(2):
        with pytest.raises(OSError, match="the store is down"):
            await stage.request()
    stage.failure = None
    assert (await stage.request())["state"] == {"worker": "worker 3"}


async def test_last_of_nested_lifespans_ends_the_application() -> None:
    stage = Stage()
    async with stage.application.lifespan():
        assert stage.opened == 1
        async with stage.application.lifespan(object()):
            await stage.request()
        assert (stage.opened, stage.closed) == (1, 0)
    assert (stage.opened, stage.closed) == (1, 1)


async def test_lifespan_ends_an_application_that_a_request_has_started() -> None:
    stage = Stage()
    await stage.request()
    async with stage.application.lifespan():
        pass
    assert (stage.opened, stage.closed) == (1, 1)


@pytest.mark.parametrize(
    ("root_path", "path", "expected"),
    [
        ("/fullon", "/fullon/graphql", ("/graphql", "/fullon/")),
        ("/fullon/", "/fullon/graphql", ("/graphql", "/fullon/")),
        ("/fullon", "/fullon", ("/", "/fullon/")),
        ("/api", "/api/api/v1/orm/bots", ("/api/v1/orm/bots", "/api/")),
        ("/fullon", "/fullonish/graphql", ("/fullonish/graphql", "/fullon")),
        ("/fullon", "/graphql", ("/graphql", "/fullon")),  # a proxy has removed it
    ],
)
def test_path_begins_after_the_mount(root_path: str, path: str, expected: tuple[str, str]) -> None:
    scope = relative({"type": "http", "root_path": root_path, "path": path})
    assert (scope["path"], scope["root_path"]) == expected


def test_routes_are_built_before_the_first_request() -> None:
    """Building them takes half a second, in which a worker would serve nothing. FastAPI builds included ones late."""
    settings = Settings(demo=True)
    rest = framework_application(settings, Metrics(), ConnectionRegistry(settings))
    assert sum(isinstance(route, APIRoute) for route in rest.routes) > 100
