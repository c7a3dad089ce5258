"""Requests to reading routes, past FastAPI's layers, its router and its solver of dependencies.

FastAPI declares, validates and describes all routes, and answers errors. But its router compares a path with all
routes, and it walks the tree of dependencies with each request; both take longer than the query of a row. Here routes
are indexed by the beginning of their path, and the dependencies of a route are put in order once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from inspect import iscoroutinefunction
from typing import Any, Final, get_type_hints

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import request_params_to_args
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from fastapi.security.base import SecurityBase
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from fullon_graphql.observability.request_record import record_of
from fullon_graphql.rest.answers import Json

_SEGMENTS: Final = 4
"""Segments of a path by which routes are indexed: `/api/v1/orm/bots`."""
_ERROR: Final = "fullon_graphql.error"
"""Key of a scope: the exception of a reading route."""
_MISSING: Final = object()
"""The result of a dependency that was not called, because its input is invalid."""


class ReadDispatcher:
    """ASGI layer in front of FastAPI, which keeps everything that no reading route answers, and all errors."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        routes = [_IndexedRoute(route) for route in app.routes if isinstance(route, APIRoute)]
        self._by_place: dict[tuple[str | None, int | None], list[_IndexedRoute]] = {
            (start, segments): [route for route in routes if route.is_at(start, segments)]
            for start in {route.start for route in routes}
            for segments in {route.segments for route in routes}
        }
        app.router.middleware_stack = _Raising(app.router.middleware_stack)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        read = self.find(scope) if scope["type"] == "http" else None
        if read is None:
            await self._app(scope, receive, send)
            return
        scope["app"] = self._app
        try:
            response = await read(Request(scope, receive))
        except Exception as error:
            await self._app({**scope, _ERROR: error}, receive, send)
        else:
            await response(scope, receive, send)

    def find(self, scope: Scope) -> Read | None:
        """The first route that matches, in the order of FastAPI; None if it does not only read."""
        path: str = scope["path"]
        place = _place(path)
        routes = self._by_place.get(place)
        for route in self._others(*place) if routes is None else routes:
            if scope["method"] in route.methods and (found := route.pattern.match(path)):
                if route.read:
                    convertors = route.convertors
                    values = found.groupdict()
                    scope["path_params"] = {name: convertors[name].convert(value) for name, value in values.items()}
                    _note_route(scope, route.path)
                return route.read
        return None

    def _others(self, start: str, segments: int) -> Sequence[_IndexedRoute]:
        """The routes for paths at a place that no route names."""
        places = ((start, None), (None, segments), (None, None))
        return next((routes for place in places if (routes := self._by_place.get(place)) is not None), ())


class _Raising:
    """ASGI layer behind FastAPI's handlers of exceptions: raises what a reading route has raised.

    It notes the routes of all other requests.
    """

    def __init__(self, router: ASGIApp) -> None:
        self._router = router

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if _ERROR in scope:
            raise scope[_ERROR]
        try:
            await self._router(scope, receive, send)
        finally:
            if isinstance(route := scope.get("route"), APIRoute):
                _note_route(scope, route.path)


class _IndexedRoute:
    """A route of FastAPI."""

    def __init__(self, route: APIRoute) -> None:
        literal, parameter, _ = route.path.partition("{")
        start, segments = _place(route.path)
        self.start = None if parameter and literal.count("/") <= _SEGMENTS else start
        """The beginning of every path that it answers; None if that varies."""
        self.path = route.path
        """Its template."""
        self.segments = None if ":path}" in route.path else segments
        """The number of segments of every path that it answers; None if that varies."""
        self.methods = route.methods or set()
        self.pattern = route.path_regex
        self.convertors = route.param_convertors
        self.read = Read(route.dependant) if _only_reads(route) else None

    def is_at(self, start: str | None, segments: int | None) -> bool:
        """True if it may answer a path with these properties; None is a value that no route names."""
        return self.start in {start, None} and self.segments in {segments, None}


class Read:
    """A reading route: its dependencies, each after its own ones, and at last its function."""

    def __init__(self, dependant: Dependant) -> None:
        self._steps: list[_Step] = []
        self._add(dependant)

    async def __call__(self, request: Request) -> Json:
        """The response.

        Raises:
            RequestValidationError: a parameter is invalid.
            FullonError: as the dependencies and the function raise.
        """
        results: list[Any] = []
        errors: list[Any] = []
        for step in self._steps:
            arguments = step.arguments(request, results, errors)
            results.append(_MISSING if arguments is None else await step.function(**arguments))
        if errors:
            raise RequestValidationError(errors)
        response: Json = results[-1]
        return response

    def _add(self, dependant: Dependant) -> int:
        """Append a dependency after its own ones, unless it is there; returns its place."""
        inputs = [(each.name, self._add(each)) for each in _dependencies(dependant)]
        for place, step in enumerate(self._steps):
            if step.function is dependant.call:
                return place
        self._steps.append(_Step(dependant, inputs))
        return len(self._steps) - 1


class _Step:
    """One function, with the places of its inputs among the results before it."""

    def __init__(self, dependant: Dependant, inputs: Sequence[tuple[str | None, int]]) -> None:
        assert dependant.call is not None, "every dependency is a function"
        self.function: Callable[..., Awaitable[Any]] = dependant.call
        self._inputs = [(name, place) for name, place in inputs if name is not None]
        self._places = [place for _, place in inputs]
        self._request = dependant.request_param_name
        self._path = dependant.path_params
        self._query = dependant.query_params

    def arguments(self, request: Request, results: Sequence[Any], errors: list[Any]) -> dict[str, Any] | None:
        """The arguments of the function; None if one is invalid or missing, with its `errors` added."""
        values = {name: results[place] for name, place in self._inputs}
        if self._request:
            values[self._request] = request
        if not (self._path or self._query or errors):
            return values
        known = len(errors)
        for field in self._path:
            value = request.path_params[field.alias]
            values[field.name], found = field.validate(value, {}, loc=("path", field.alias))
            errors += found
        if self._query:
            checked, found = request_params_to_args(self._query, request.query_params)
            values |= checked
            errors += found
        if errors and (len(errors) > known or any(results[place] is _MISSING for place in self._places)):
            return None
        return values


def _note_route(scope: Scope, template: str) -> None:
    """Note the route in the request's record, for metrics."""
    if record := record_of(scope):
        record.route = template


def _place(path: str) -> tuple[str, int]:
    """The beginning of a path, and the number of its segments."""
    segments = path.split("/")
    return "/".join(segments[: _SEGMENTS + 1]), len(segments)


def _only_reads(route: APIRoute) -> bool:
    if route.methods != {"GET"} or get_type_hints(route.endpoint).get("return") is not Json:
        return False
    return _is_plain(route.dependant)


def _is_plain(dependant: Dependant) -> bool:
    """True if `_Step` has all that this dependency and its own ones need."""
    unknown = (
        dependant.header_params,
        dependant.cookie_params,
        dependant.body_params,
        dependant.http_connection_param_name,
        dependant.response_param_name,
        dependant.background_tasks_param_name,
        dependant.security_scopes_param_name,
    )
    return (
        not any(unknown)
        and iscoroutinefunction(dependant.call)
        and all(_is_plain(each) for each in _dependencies(dependant))
    )


def _dependencies(dependant: Dependant) -> Iterator[Dependant]:
    """The direct dependencies, without those that only describe the sign-in."""
    return (each for each in dependant.dependencies if not isinstance(each.call, SecurityBase))
