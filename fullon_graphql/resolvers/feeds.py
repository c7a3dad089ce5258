"""Queries and mutations about feeds of strategies."""

from __future__ import annotations

from typing import Annotated

import strawberry

from fullon_graphql.context import Info
from fullon_graphql.engine.fields.connection import Connection
from fullon_graphql.engine.fields.mutations import change, given
from fullon_graphql.engine.fields.root import by_key, one_row, root_connection
from fullon_graphql.schema.feeds import CreateFeedInput, Feed, UpdateFeedInput
from fullon_graphql.schema.support.arguments import WhichFeed
from fullon_graphql.services import feeds


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


NewFeed = Annotated[CreateFeedInput, strawberry.argument(name="input", description="The feed.")]
FeedChanges = Annotated[UpdateFeedInput, strawberry.argument(name="input", description="The feed, and what changes.")]


@strawberry.type
class FeedMutations:
    @change(Feed, "Let a strategy listen to an instrument.")
    async def create_feed(self, info: Info, feed: NewFeed) -> int:
        return await feeds.create(info.context.write, given(feed))

    @change(Feed, "Change what a feed brings.")
    async def update_feed(self, info: Info, feed: FeedChanges) -> int:
        return await feeds.change(info.context.write, feed.feed_id, given(feed, "feed_id"))

    @change(bool, "Delete a feed.")
    async def delete_feed(self, info: Info, feed_id: WhichFeed) -> bool:
        return await feeds.remove(info.context.write, feed_id)
