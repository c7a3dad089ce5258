"""API keys."""

from __future__ import annotations

import strawberry
from sqlalchemy import ARRAY, Text, func

from fullon_graphql import models
from fullon_graphql.engine.fields.relation import to_one
from fullon_graphql.engine.model.columns import column
from fullon_graphql.engine.model.entities import entity
from fullon_graphql.engine.model.relations import relation
from fullon_graphql.schema.support.inputs import optional, required
from fullon_graphql.schema.support.nodes import Node
from fullon_graphql.schema.support.references import UserRef
from fullon_graphql.schema.support.scalars import DateTime

_SCOPES = func.string_to_array(func.replace(models.ApiKey.scopes, " ", ""), ",", type_=ARRAY(Text))


@entity(models.ApiKey)
class ApiKey(Node):
    """A key with which a program signs in as a user. The secret itself is returned once, by `createApiKey`."""

    api_key_id: int = column("Number of the API key. Not secret.")
    uid: int = column("`uid` of the user the key signs in.")
    name: str = column("Name chosen by the owner.")
    description: str | None = column("Purpose of the key.")
    scopes: list[str] = column(
        "Permissions of the key: `read`, `write`, `admin`, or finer ones such as `orders:read`, `bots:write`,"
        " `services:control`. A key without scopes may read.",
        _SCOPES,
    )
    is_active: bool = column("False if the key has been deactivated.", filterable=True)
    expires_at: DateTime | None = column("Time of expiry; null if the key does not expire.", filterable=True)
    last_used_at: DateTime | None = column(
        "Time of the last use, to the minute; null if the key has not been used.", filterable=True
    )
    created_at: DateTime = column("Time of creation.", filterable=True)

    user: UserRef = to_one("The user the key signs in.", relation("User", "uid", models.User.uid))


@strawberry.input(description="A new API key.")
class CreateApiKeyInput:
    name: str = required("Name of the key in lists.")
    scopes: list[str] = required(
        "Permissions of the key: `read`, `write`, `admin`, or finer ones: `<entity>:read`, `<entity>:write`,"
        " `services:control`; only permissions that you have."
    )
    description: str | None = optional("Purpose of the key.", None)
    expires_at: DateTime | None = optional("Time of expiry; by default the key does not expire.", None)


@strawberry.type(description="A new API key with its secret, which is returned only here.")
class CreatedApiKey:
    key: str | None = strawberry.field(
        description="The secret; send it as the header `X-API-Key`. Null if the mutation is repeated with its"
        " `idempotencyKey`: only a hash of the secret is stored."
    )
    api_key: ApiKey = strawberry.field(description="The stored API key.")
