"""Queries about API keys."""

from __future__ import annotations

from typing import Annotated

import strawberry

from fullon_graphql.context import Info
from fullon_graphql.engine.connections import Connection
from fullon_graphql.engine.roots import by_key, one_row, root_connection
from fullon_graphql.schema.api_keys import ApiKey


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
