"""Queries about people."""

from __future__ import annotations

from typing import Annotated

import strawberry

from fullon_graphql import models
from fullon_graphql.auth.principal import signed_in
from fullon_graphql.context import Info
from fullon_graphql.engine.connections import Connection
from fullon_graphql.engine.relations import relation
from fullon_graphql.engine.roots import ONE, by_key, one_row, root_connection
from fullon_graphql.schema.users import User

MYSELF = relation("User", "caller_uid", models.User.uid)
"""From the caller to their own row."""


@strawberry.type
class UserQueries:
    users: Connection[User] = root_connection(
        "The people you may see, by key: yourself, or all as administrator.", User
    )

    @strawberry.field(description="The person who is signed in.", metadata={ONE: MYSELF})
    async def me(self, info: Info) -> User:
        return await one_row(info.context, User, signed_in(info.context.caller).uid)

    @strawberry.field(
        description="The person with this key; NOT_FOUND where there is none you may see.", metadata=by_key(User)
    )
    async def user(
        self, info: Info, uid: Annotated[int, strawberry.argument(description="Key of the account.")]
    ) -> User | None:
        return await one_row(info.context, User, uid)
