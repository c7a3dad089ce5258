"""API keys over REST: one's own, never the key itself."""

from __future__ import annotations

from fastapi import APIRouter

from fullon_graphql.models import ApiKey
from fullon_graphql.rest.answers import Json
from fullon_graphql.rest.dependencies import ThePrincipal, TheProcess
from fullon_graphql.rest.parameters import ThePage
from fullon_graphql.rest.rows import listed, row_model, rows_of
from fullon_graphql.services import api_keys

orm = APIRouter(prefix="/orm/api_keys", tags=["api keys"])

Row = row_model(ApiKey)


@orm.get("/me", response_model=rows_of(Row), summary="My keys")
async def mine(process: TheProcess, principal: ThePrincipal, page: ThePage) -> Json:
    """By key of the row."""
    return await listed(process, api_keys.visible(principal).where(ApiKey.uid == principal.uid), page)
