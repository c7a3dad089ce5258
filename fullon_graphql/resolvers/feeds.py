"""Queries about feeds of strategies."""

from __future__ import annotations

from typing import Annotated

import strawberry

from fullon_graphql.context import Info
from fullon_graphql.engine.connections import Connection
from fullon_graphql.engine.roots import by_key, one_row, root_connection
from fullon_graphql.schema.feeds import Feed


@strawberry.type
class FeedQueries:
    feeds: Connection[Feed] = root_connection(
        "The feeds you may see, by key: those of your own bots, or all as administrator.", Feed
    )

    @strawberry.field(
        description="The feed with this key; NOT_FOUND where there is none you may see.", metadata=by_key(Feed)
    )
    async def feed(
        self, info: Info, feed_id: Annotated[int, strawberry.argument(description="Key of the feed.")]
    ) -> Feed | None:
        return await one_row(info.context, Feed, feed_id)
