"""The pages for browsers: GraphiQL at `/graphql`, the desk under `/desk`, and what both load from `/assets/`.

They are written in `web/` and built into `fullon_graphql/static`, which the wheel contains. A checkout has them once
`make web` has run; until then their addresses answer with a page that reloads itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from fullon_graphql.observability.request_record import record_of

STATIC: Final = Path(__file__).parents[1] / "static"

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'{styles}; img-src 'self' data:; font-src 'self'{fonts}; "
    "connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
DESK_POLICY: Final = _POLICY.format(styles="", fonts="")
"""Content-Security-Policy of the desk: its own files and its own server, nothing else and nothing inline."""

GRAPHIQL_POLICY: Final = _POLICY.format(styles=" 'unsafe-inline'", fonts=" data:")
"""The same with inline styles and fonts, but no inline script.

GraphiQL's editor, Monaco, positions each line of text with a style attribute in the HTML it inserts, and adds style
elements for themes and decorations; it offers no nonce for either. Its style sheet contains its fonts.
"""

_SECURITY: Final[Mapping[str, str]] = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
}
_FOREVER: Final = "public, max-age=31536000, immutable"
"""For assets: a changed file has another name."""

_ASSET: Final = re.compile(r"/assets/([\w-][\w.-]*)")

_WAITING: Final = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="color-scheme" content="dark light">
<meta name="viewport" content="width=device-width">
<meta http-equiv="refresh" content="2">
<title>fullon: building the pages</title>
</head>
<body>
<h1>The pages are being built</h1>
<p>The first start of the demo builds them in the background, which takes up to a minute. This page reloads itself.</p>
<p>The API works already. If this stays here, <code>make web</code> builds the pages and shows errors.</p>
</body>
</html>
"""


def _route(path: str) -> str:
    """The template of the route, for metrics."""
    if path == "/":
        return path
    return "/assets/{name}" if path.startswith("/assets/") else "/desk/{page}"


def wants_page(scope: Scope) -> bool:
    """True for a browser that opens an address; programs do not ask for HTML."""
    return scope["method"] in {"GET", "HEAD"} and "text/html" in Headers(scope=scope).get("accept", "")


class Pages:
    """An ASGI application for the pages that are built in `folder`."""

    def __init__(self, folder: Path = STATIC) -> None:
        self._folder = folder

    def serves(self, scope: Scope) -> bool:
        """True if the request is for a page or an asset; `/` is a page for browsers only."""
        path: str = scope["path"]
        if path == "/":
            return wants_page(scope)
        return path == "/desk" or path.startswith(("/desk/", "/assets/"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what `serves` accepts."""
        if record := record_of(scope):
            record.route = _route(scope["path"])
        await self._response(scope)(scope, receive, send)

    async def graphiql(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with GraphiQL."""
        await self._page("graphiql.html", GRAPHIQL_POLICY)(scope, receive, send)

    def _response(self, scope: Scope) -> Response:
        if scope["method"] not in {"GET", "HEAD"}:
            return PlainTextResponse("Use GET.", HTTPStatus.METHOD_NOT_ALLOWED, {"allow": "GET, HEAD"})
        if scope["path"] == "/":
            return RedirectResponse(Request(scope).url.replace(path="/desk"), HTTPStatus.FOUND)
        if scope["path"].startswith("/assets/"):
            return self._asset(scope)
        return self._page("desk.html", DESK_POLICY)

    def _page(self, name: str, policy: str) -> Response:
        headers = {**_SECURITY, "content-security-policy": policy, "cache-control": "no-cache"}
        page = self._folder / name
        if not page.is_file():
            return HTMLResponse(_WAITING, HTTPStatus.SERVICE_UNAVAILABLE, {**headers, "retry-after": "2"})
        return FileResponse(page, headers=headers)

    def _asset(self, scope: Scope) -> Response:
        found = _ASSET.fullmatch(scope["path"])
        asset = self._folder / "assets" / found[1] if found else None
        if asset is None or not asset.is_file():
            return PlainTextResponse("There is no such file.", HTTPStatus.NOT_FOUND, _SECURITY)
        headers = {**_SECURITY, "cache-control": _FOREVER, "vary": "accept-encoding"}
        response = FileResponse(asset, headers=headers)
        packed = asset.with_name(asset.name + ".gz")
        if "gzip" in Headers(scope=scope).get("accept-encoding", "") and packed.is_file():
            response.path = packed
            response.headers["content-encoding"] = "gzip"
        return response
