"""The documentation pages of REST, `/docs` and `/redoc`, with a Content-Security-Policy of their own."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from typing import Final

from fastapi import APIRouter, Request
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from fastapi.responses import HTMLResponse

OPENAPI_URL: Final = "/openapi.json"

_POLICY: Final = (
    "default-src 'none'; script-src https://cdn.jsdelivr.net {scripts}; connect-src 'self'; worker-src blob:; "
    "style-src 'unsafe-inline' https://cdn.jsdelivr.net https://fonts.googleapis.com; "
    "font-src https://fonts.gstatic.com; img-src 'self' data: https://fastapi.tiangolo.com https://cdn.redoc.ly; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_INLINE_SCRIPT: Final = re.compile(rb"<script>(.*?)</script>", re.DOTALL)

router = APIRouter(include_in_schema=False)


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
    root: str = request.scope.get("root_path", "")
    return root.rstrip("/") + OPENAPI_URL


def _with_policy(page: HTMLResponse) -> HTMLResponse:
    """The page with a policy that allows its own inline scripts by their hash."""
    hashes = (b64encode(sha256(script).digest()).decode() for script in _INLINE_SCRIPT.findall(bytes(page.body)))
    page.headers["content-security-policy"] = _POLICY.format(scripts=" ".join(f"'sha256-{one}'" for one in hashes))
    return page
