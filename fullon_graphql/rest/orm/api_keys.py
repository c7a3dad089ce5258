"""API keys of the caller over REST. The key itself is shown once."""

from __future__ import annotations

from pydantic import BaseModel, Field

from fullon_graphql.models import ApiKey
from fullon_graphql.rest.answers import Json
from fullon_graphql.rest.dependencies import ReaderDep, WorkerDep
from fullon_graphql.rest.orm.changes import ChangesDep, as_arguments, given
from fullon_graphql.rest.parameters import Key, PageParams, Time
from fullon_graphql.rest.route_list import RouteList
from fullon_graphql.rest.rows import list_of, list_rows, row_model
from fullon_graphql.services import api_keys

router = RouteList(prefix="/orm/api_keys", tags=["api keys"])

Row = row_model(ApiKey)
NewRow = row_model(ApiKey, key=str | None)


class NewKey(BaseModel):
    """Input for a new API key."""

    name: str = Field(examples=["laptop"])
    description: str | None = None
    scopes: str | list[str] = Field(
        "read",
        description="Any of `read`, `write`, `admin`, `<entity>:read`, `<entity>:write` and `services:control`, as a"
        " list or separated by commas.",
        examples=["read,write"],
    )
    expires_at: Time | None = Field(None, description="Expiry; without it the key does not expire.")


@router.get("/me", response_model=list_of(Row), summary="List my API keys")
async def list_my_keys(worker: WorkerDep, principal: ReaderDep, page: PageParams) -> Json:
    """Ordered by `api_key_id`."""
    return await list_rows(worker, principal, ApiKey, page, uid=principal.uid)


@router.post("/me", response_model=NewRow, summary="Create an API key for oneself")
async def create_key(changes: ChangesDep, key: NewKey) -> Json:
    """The new row with `key`, which is shown only here: a repeated request answers null in its place."""
    scopes = key.scopes.split(",") if isinstance(key.scopes, str) else key.scopes
    return await changes.perform_row(
        "createApiKey",
        as_arguments(key),
        lambda write: api_keys.create(write, given(key, "scopes"), scopes),
        ApiKey,
        once="key",
    )


@router.patch("/{api_key_id}/deactivate", response_model=Row, summary="Deactivate an API key")
async def deactivate_key(changes: ChangesDep, api_key_id: Key) -> Json:
    """Permanent. The key is rejected within one second."""
    return await changes.perform_row(
        "deactivateApiKey",
        {"api_key_id": api_key_id},
        lambda write: api_keys.deactivate(write, api_key_id),
        ApiKey,
    )
