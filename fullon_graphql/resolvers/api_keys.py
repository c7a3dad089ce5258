"""Queries and mutations about API keys."""

from __future__ import annotations

from typing import Annotated

import strawberry

from fullon_graphql.context import Info
from fullon_graphql.engine.fields.connection import Connection
from fullon_graphql.engine.fields.mutations import change, given, row_of
from fullon_graphql.engine.fields.root import by_key, one_row, root_connection
from fullon_graphql.schema.api_keys import ApiKey, CreateApiKeyInput, CreatedApiKey
from fullon_graphql.schema.support.arguments import WhichApiKey
from fullon_graphql.services import api_keys
from fullon_graphql.services.writing.executor import Key, UnitOfWork


@strawberry.type
class ApiKeyQueries:
    api_keys: Connection[ApiKey] = root_connection(
        "The API keys you may see, by number: your own, or all as administrator.", ApiKey
    )

    @strawberry.field(
        description="The API key with this key; NOT_FOUND where there is none you may see.", metadata=by_key(ApiKey)
    )
    async def api_key(
        self, info: Info, api_key_id: Annotated[int, strawberry.argument(description="Number of the API key.")]
    ) -> ApiKey | None:
        return await one_row(info.context, ApiKey, api_key_id)


NewApiKey = Annotated[CreateApiKeyInput, strawberry.argument(name="input", description="The key.")]


async def _shown(write: UnitOfWork, key: Key) -> CreatedApiKey:
    return CreatedApiKey(key=write.shown_once, api_key=await row_of(ApiKey)(write, key))


@strawberry.type
class ApiKeyMutations:
    @change(CreatedApiKey, "Make an API key for yourself.", _shown)
    async def create_api_key(self, info: Info, api_key: NewApiKey) -> int:
        return await api_keys.create(info.context.write, given(api_key, "scopes"), api_key.scopes)

    @change(ApiKey, "Switch an API key off for good; within a second it is refused.")
    async def deactivate_api_key(self, info: Info, api_key_id: WhichApiKey) -> int:
        return await api_keys.deactivate(info.context.write, api_key_id)
