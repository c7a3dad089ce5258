"""Requests by route, method and status."""

from __future__ import annotations

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from fullon_graphql.app import Router, rest_application
from fullon_graphql.config import Settings
from fullon_graphql.observability.http_requests import HttpRequests
from fullon_graphql.observability.metrics import Metrics
from fullon_graphql.server.request_middleware import RequestMiddleware
from fullon_graphql.streaming.connections import ConnectionRegistry
from fullon_graphql.transports.pages import Pages


def counted(requests: HttpRequests) -> dict[tuple[str, ...], float]:
    """Requests by route, method and status."""
    family = next(iter(requests.collect()))
    return {tuple(sample.labels.values()): sample.value for sample in family.samples}


async def _unused(scope: Scope, receive: Receive, send: Send) -> None:
    raise AssertionError(scope["path"])


@pytest.fixture
def app(settings: Settings, requests: HttpRequests) -> ASGIApp:
    rest = rest_application(settings, Metrics(), ConnectionRegistry(settings))
    router = Router(graphql=_unused, graphql_sockets=_unused, platform_sockets=_unused, pages=Pages(), rest=rest)
    return RequestMiddleware(router, None, requests)


@pytest.fixture
def requests() -> HttpRequests:
    return HttpRequests()


async def test_paths_are_counted_by_their_template(app: ASGIApp, requests: HttpRequests) -> None:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://rest") as client:
        for method, path in (
            ("GET", "/health/live"),
            ("GET", "/health/live/"),
            ("POST", "/health/live"),
            ("GET", "/no/such/path"),
            ("GET", "/api/v1/orm/bots/../../../etc/passwd%00"),
            ("BREW", "/health/live"),
            ("BREW", "/tea"),
            ("GET", "/assets/x%22%7D.js"),
            ("GET", "/desk/anything/at/all"),
            *(("GET", f"/hostile/{number}") for number in range(50)),
        ):
            await client.request(method, path)
    assert counted(requests) == {
        ("/health/live", "GET", "200"): 2,
        ("/health/live", "POST", "405"): 1,
        ("/health/live", "other", "405"): 1,
        ("other", "other", "404"): 1,
        ("other", "GET", "404"): 52,
        ("/assets/{name}", "GET", "404"): 1,
        ("/desk/{page}", "GET", str((await _page(app)).status_code)): 1,
    }


async def _page(app: ASGIApp) -> httpx.Response:
    """The desk, or the page that waits until it is built."""
    pages = httpx.ASGITransport(RequestMiddleware(Pages()))
    async with httpx.AsyncClient(transport=pages, base_url="http://rest") as client:
        return await client.get("/desk/bots")


async def test_request_that_crashes_or_has_no_response_is_counted(requests: HttpRequests) -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("broken")

    async def abandoned(scope: Scope, receive: Receive, send: Send) -> None:
        """The client has disconnected."""

    scope = {"type": "http", "method": "GET", "path": "/x", "headers": []}
    with pytest.raises(RuntimeError):
        await RequestMiddleware(broken, None, requests)(dict(scope), _unused, _unused)  # type: ignore[arg-type]  # neither is called
    await RequestMiddleware(abandoned, None, requests)(dict(scope), _unused, _unused)  # type: ignore[arg-type]  # as above
    assert counted(requests) == {("other", "GET", "500"): 1, ("other", "GET", "499"): 1}


def test_durations_are_those_of_all_statuses_without_streams() -> None:
    requests = HttpRequests()
    requests.add("/graphql", "POST", 200, 0.002)
    requests.add("/graphql", "POST", 400, 0.0002)
    requests.add("/graphql", "POST", 200, None)
    _, seconds = requests.collect()
    found = {(sample.name.rpartition("_")[2], sample.labels.get("le")): sample.value for sample in seconds.samples}
    assert (found["bucket", "0.001"], found["bucket", "+Inf"], found["count", None]) == (1, 2, 2)
    assert found["sum", None] == pytest.approx(0.0022)
    assert counted(requests)["/graphql", "POST", "200"] == 2
