"""The description of REST, `/openapi.json`, and its pages `/docs` and `/redoc`.

The pages have a Content-Security-Policy of their own.
"""

from __future__ import annotations

import asyncio
import re
from base64 import b64encode
from hashlib import sha256
from typing import Final

from fastapi import Request
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from fastapi.responses import HTMLResponse

from fullon_graphql.rest.answers import Json
from fullon_graphql.rest.dependencies import WorkerDep
from fullon_graphql.rest.route_list import RouteList

OPENAPI_URL: Final = "/openapi.json"

_POLICY: Final = (
    "default-src 'none'; script-src https://cdn.jsdelivr.net {scripts}; connect-src 'self'; worker-src blob:; "
    "style-src 'unsafe-inline' https://cdn.jsdelivr.net https://fonts.googleapis.com; "
    "font-src https://fonts.gstatic.com; img-src 'self' data: https://fastapi.tiangolo.com https://cdn.redoc.ly; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_INLINE_SCRIPT: Final = re.compile(rb"<script>(.*?)</script>", re.DOTALL)

router = RouteList(include_in_schema=False)


@router.get(OPENAPI_URL)
async def get_openapi(request: Request, worker: WorkerDep) -> Json:
    """The OpenAPI document. It is built in a thread, once for all first requests of a worker."""
    document = await worker.first_runs("openapi", lambda: asyncio.to_thread(request.app.openapi))
    root = _root_path(request)
    return Json(document | {"servers": [{"url": root}]} if root else document)


@router.get("/docs")
async def get_swagger_ui(request: Request) -> HTMLResponse:
    """Swagger UI, which loads its files from a CDN."""
    return _with_policy(get_swagger_ui_html(openapi_url=_openapi_address(request), title="Fullon REST"))


@router.get("/redoc")
async def get_redoc(request: Request) -> HTMLResponse:
    """ReDoc, which loads its files from a CDN."""
    return _with_policy(get_redoc_html(openapi_url=_openapi_address(request), title="Fullon REST"))


def _openapi_address(request: Request) -> str:
    """The path of the description, below the path at which the application is mounted."""
    return _root_path(request) + OPENAPI_URL


def _root_path(request: Request) -> str:
    root: str = request.scope.get("root_path", "")
    return root.rstrip("/")


def _with_policy(page: HTMLResponse) -> HTMLResponse:
    """The page with a policy that allows its own inline scripts by their hash."""
    hashes = (b64encode(sha256(script).digest()).decode() for script in _INLINE_SCRIPT.findall(bytes(page.body)))
    page.headers["content-security-policy"] = _POLICY.format(scripts=" ".join(f"'sha256-{one}'" for one in hashes))
    return page
