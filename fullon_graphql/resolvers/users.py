"""Queries about people."""

from __future__ import annotations

import strawberry

from fullon_graphql.auth.principal import signed_in
from fullon_graphql.context import Info
from fullon_graphql.engine.connections import Connection
from fullon_graphql.engine.roots import one_row, root_connection
from fullon_graphql.schema.users import User


@strawberry.type
class UserQueries:
    users: Connection[User] = root_connection(
        "The people you may see, by key: yourself, or all as administrator.", User
    )

    @strawberry.field(description="The person who is signed in.")
    async def me(self, info: Info) -> User:
        return await one_row(info.context, User, signed_in(info.context.caller).uid)

    @strawberry.field(description="The person with this key; NOT_FOUND where there is none you may see.")
    async def user(self, info: Info, uid: int) -> User | None:
        return await one_row(info.context, User, uid)
