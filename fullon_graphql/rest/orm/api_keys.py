"""API keys over REST: one's own, and the key itself only once."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from fullon_graphql.models import ApiKey
from fullon_graphql.rest.answers import Json
from fullon_graphql.rest.dependencies import ThePrincipal, WorkerDep
from fullon_graphql.rest.orm.changes import TheChanges, as_arguments, given
from fullon_graphql.rest.parameters import Key, PageParams, Time
from fullon_graphql.rest.rows import listed, row_model, rows_of
from fullon_graphql.services import api_keys
from fullon_graphql.services.access import visible

orm = APIRouter(prefix="/orm/api_keys", tags=["api keys"])

Row = row_model(ApiKey)
NewRow = row_model(ApiKey, key=str | None)


class NewKey(BaseModel):
    """A key to be made."""

    name: str = Field(examples=["laptop"])
    description: str | None = None
    scopes: str | list[str] = Field("read", description="Of `read`, `write` and `admin`.", examples=["read,write"])
    expires_at: Time | None = Field(None, description="When it ends; never unless given.")


@orm.get("/me", response_model=rows_of(Row), summary="My keys")
async def mine(worker: WorkerDep, principal: ThePrincipal, page: PageParams) -> Json:
    """By key of the row."""
    return await listed(worker, visible(ApiKey, principal).where(ApiKey.uid == principal.uid), page)


@orm.post("/me", response_model=NewRow, summary="Make a key of one's own")
async def create(changes: TheChanges, key: NewKey) -> Json:
    """The new row with the `key` itself, which is shown this once: a repetition has null in its place."""
    scopes = key.scopes.split(",") if isinstance(key.scopes, str) else key.scopes
    return await changes.row(
        "createApiKey",
        as_arguments(key),
        lambda write: api_keys.create(write, given(key, "scopes"), scopes),
        ApiKey,
        once="key",
    )


@orm.patch("/{api_key_id}/deactivate", response_model=Row, summary="Switch a key off")
async def deactivate(changes: TheChanges, api_key_id: Key) -> Json:
    """For good; within a second it is refused."""
    return await changes.row(
        "deactivateApiKey",
        {"api_key_id": api_key_id},
        lambda write: api_keys.deactivate(write, api_key_id),
        ApiKey,
    )
