"""Queries and mutations about feeds of strategies."""

from __future__ import annotations

from typing import Annotated

import strawberry

from fullon_graphql.engine.fields.connection import Connection
from fullon_graphql.engine.fields.mutations import change, given
from fullon_graphql.engine.fields.root import root_connection, root_row
from fullon_graphql.schema.feeds import CreateFeedInput, Feed, UpdateFeedInput
from fullon_graphql.schema.support.arguments import WhichFeed
from fullon_graphql.services import feeds
from fullon_graphql.services.writing.executor import UnitOfWork


@strawberry.type
class FeedQueries:
    feeds: Connection[Feed] = root_connection(
        "The feeds you may see, by key: those of your own bots, or all for administrators.", Feed
    )

    feed: Feed | None = root_row("The feed with this key; null if there is none you may see.", Feed)


NewFeed = Annotated[CreateFeedInput, strawberry.argument(name="input", description="The feed.")]
FeedChanges = Annotated[UpdateFeedInput, strawberry.argument(name="input", description="The feed and its changes.")]


@strawberry.type
class FeedMutations:
    @change(Feed, "Create a feed of a strategy.")
    async def create_feed(self, write: UnitOfWork, feed: NewFeed) -> int:
        return await feeds.create(write, given(feed))

    @change(Feed, "Change the instrument or the bars of a feed.")
    async def update_feed(self, write: UnitOfWork, feed: FeedChanges) -> int:
        return await feeds.change(write, feed.feed_id, given(feed, "feed_id"))

    @change(bool, "Delete a feed.")
    async def delete_feed(self, write: UnitOfWork, feed_id: WhichFeed) -> bool:
        return await feeds.remove(write, feed_id)
