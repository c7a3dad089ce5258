"""Queries and mutations about API keys."""

from __future__ import annotations

from typing import Annotated

import strawberry

from fullon_graphql.engine.fields.connection import Connection
from fullon_graphql.engine.fields.mutations import change, given, row_of
from fullon_graphql.engine.fields.root import root_connection, root_row
from fullon_graphql.schema.api_keys import ApiKey, CreateApiKeyInput, CreatedApiKey
from fullon_graphql.schema.support.arguments import WhichApiKey
from fullon_graphql.services import api_keys
from fullon_graphql.services.writing.executor import Key, UnitOfWork


@strawberry.type
class ApiKeyQueries:
    api_keys: Connection[ApiKey] = root_connection(
        "The API keys you may see, by number: your own, or all for administrators.", ApiKey
    )
    api_key: ApiKey | None = root_row("The API key with this number; null if there is none you may see.", ApiKey)


NewApiKey = Annotated[CreateApiKeyInput, strawberry.argument(name="input", description="The API key.")]


async def _shown(write: UnitOfWork, key: Key) -> CreatedApiKey:
    return CreatedApiKey(key=write.shown_once, api_key=await row_of(ApiKey)(write, key))


@strawberry.type
class ApiKeyMutations:
    @change(CreatedApiKey, "Create an API key of your own.", _shown)
    async def create_api_key(self, write: UnitOfWork, api_key: NewApiKey) -> int:
        return await api_keys.create(write, given(api_key, "scopes"), api_key.scopes)

    @change(ApiKey, "Deactivate an API key permanently. It is refused within a second.")
    async def deactivate_api_key(self, write: UnitOfWork, api_key_id: WhichApiKey) -> int:
        return await api_keys.deactivate(write, api_key_id)
