"""API keys."""

from __future__ import annotations

import strawberry
from sqlalchemy import ARRAY, Text, func

from fullon_graphql import models
from fullon_graphql.engine.fields.relation import to_one
from fullon_graphql.engine.model.columns import column
from fullon_graphql.engine.model.entities import entity
from fullon_graphql.engine.model.relations import relation
from fullon_graphql.schema.support.inputs import needed, optional
from fullon_graphql.schema.support.nodes import Node
from fullon_graphql.schema.support.references import UserRef
from fullon_graphql.schema.support.scalars import DateTime

_SCOPES = func.string_to_array(func.replace(models.ApiKey.scopes, " ", ""), ",", type_=ARRAY(Text))


@entity(models.ApiKey)
class ApiKey(Node):
    """A key with which a program signs in for a person. The key itself is shown once, when it is made."""

    api_key_id: int = column("Number of the key: what tells keys apart, and no secret.")
    uid: int = column("Key of the person it signs in.")
    name: str = column("Name given by the owner.")
    description: str | None = column("What it is for.")
    scopes: list[str] = column("What it may do, of `read`, `write` and `admin`; one without any may read.", _SCOPES)
    is_active: bool = column("False for a key that has been switched off.", filterable=True)
    expires_at: DateTime | None = column("When it ends; null for one without an end.", filterable=True)
    last_used_at: DateTime | None = column(
        "When it was last used, to the minute; null before the first time.", filterable=True
    )
    created_at: DateTime = column("When it was made.", filterable=True)

    user: UserRef = to_one("The person it signs in.", relation("User", "uid", models.User.uid))


@strawberry.input(description="A new API key.")
class CreateApiKeyInput:
    name: str = needed("What it is called in lists.")
    scopes: list[str] = needed("What it may do, of `read`, `write` and `admin`; no more than you may yourself.")
    description: str | None = optional("What it is for.", None)
    expires_at: DateTime | None = optional("When it ends; never, where this is left out.", None)


@strawberry.type(description="A new API key. This is the only time that it is shown.")
class CreatedApiKey:
    key: str | None = strawberry.field(
        description="Send it as `X-API-Key`. Null in the answer to a repetition: only its hash has been stored."
    )
    api_key: ApiKey = strawberry.field(description="What is stored of it.")
