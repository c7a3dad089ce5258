"""Sessions: what a client gets when it signs in, and where people are signed in.

No other type leads to a session. Which one is the current one depends on the credential, and the events of streams
are the same for all connections of an account.
"""

from __future__ import annotations

from uuid import UUID

import strawberry

from fullon_graphql import models
from fullon_graphql.context import Context
from fullon_graphql.engine.fields.relation import to_one
from fullon_graphql.engine.model.batches import Batch, batched
from fullon_graphql.engine.model.columns import column
from fullon_graphql.engine.model.entities import entity
from fullon_graphql.engine.model.relations import relation
from fullon_graphql.schema.support.nodes import Node
from fullon_graphql.schema.support.references import UserRef
from fullon_graphql.schema.support.scalars import DateTime
from fullon_graphql.schema.users import User
from fullon_graphql.services.signing_in import sessions


async def _are_current(context: Context, keys: list[tuple[UUID | str]]) -> list[bool]:
    return [sessions.names(context.caller, session_id) for (session_id,) in keys]


IS_CURRENT = Batch(("session_id",), _are_current)


@entity(models.Session)
class Session(Node):
    """A sign-in with a password, on one device or in one program. People see their own; administrators see all."""

    session_id: UUID = column("Number of the session, as audit entries name it: no secret.", models.Session.id)
    uid: int = column("Key of the person who is signed in.")
    created_at: DateTime = column("When they signed in.", filterable=True)
    refreshed_at: DateTime = column("When the session was last renewed by its refresh token.", filterable=True)
    expires_at: DateTime = column("When it ends unless it is renewed before.", filterable=True)
    revoked_at: DateTime | None = column(
        "When it was ended before its time; null for one that was not.", filterable=True
    )
    reason: str | None = column("Why it was ended, e.g. `logout`; null for one that was not.")
    active: bool = column("True while its tokens are good.", sessions.alive(), filterable=True)
    address: str | None = column("Network address it was opened from; personal.")
    user_agent: str | None = column("What the client said it is when it signed in.")

    current: bool = batched("True for the session in which this is asked.", IS_CURRENT)
    user: UserRef = to_one("The person who is signed in.", relation("User", "uid", models.User.uid))


@strawberry.type(description="What a client goes on with after it has signed in.")
class AuthPayload:
    access_token: str = strawberry.field(description="Send it as `Authorization: Bearer <token>`.")
    token_type: str = strawberry.field(description="Always `bearer`.")
    expires_at: DateTime = strawberry.field(description="When the access token ends.")
    refresh_token: str = strawberry.field(
        description="Good for one `refreshToken`, which answers the next one. Using it twice ends the session."
    )
    user: User = strawberry.field(description="Who is signed in now.")
