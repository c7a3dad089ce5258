"""`GET /.well-known/jwks.json`: the public keys of our access tokens, for servers that verify them."""

from __future__ import annotations

from typing import Any

from fastapi import Response

from fullon_graphql.auth.signing_keys import signing_keys
from fullon_graphql.rest.dependencies import WorkerDep
from fullon_graphql.rest.route_list import RouteList

router = RouteList(tags=["auth"])


@router.get("/.well-known/jwks.json", summary="Get the public keys of access tokens")
async def get_keys(worker: WorkerDep, response: Response) -> dict[str, Any]:
    """A JSON Web Key Set; empty if tokens are signed with a secret."""
    response.headers["cache-control"] = "public, max-age=300"
    return dict(signing_keys(worker.settings).jwks)
