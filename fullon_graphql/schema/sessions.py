"""Sessions: the tokens of a sign-in, and the list of sign-ins.

No other type leads to a session: `current` depends on the credential, but events of streams are shared by all
connections of a user.
"""

from __future__ import annotations

from uuid import UUID

import strawberry

from fullon_graphql import models
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

IS_CURRENT = Batch(("session_id",), sessions.are_current)


@entity(models.Session)
class Session(Node):
    """A sign-in with a password. Users see their own sessions; administrators see all."""

    session_id: UUID = column("UUID of the session, as it appears in audit entries. Not secret.", models.Session.id)
    uid: int = column("`uid` of the user.")
    created_at: DateTime = column("Time of the sign-in.", filterable=True)
    refreshed_at: DateTime = column("Time at which the tokens were last refreshed.", filterable=True)
    expires_at: DateTime = column("Time of expiry unless the tokens are refreshed before.", filterable=True)
    revoked_at: DateTime | None = column("Time at which the session was revoked; null if it was not.", filterable=True)
    reason: str | None = column("Reason of the revocation, e.g. `logout`; null if it was not revoked.")
    active: bool = column("True while its tokens are valid.", sessions.alive(), filterable=True)
    address: str | None = column("Network address of the sign-in.")
    user_agent: str | None = column("`User-Agent` header of the sign-in.")

    current: bool = batched("True for the session of this request.", IS_CURRENT)
    user: UserRef = to_one("The user.", relation("User", "uid", models.User.uid))


@strawberry.type(description="The credential of a request: an access token or an API key.")
class Credential:
    uid: int = strawberry.field(description="`uid` of the user whom it signs in.")
    scopes: list[str] = strawberry.field(
        description="Permissions: `read`, `write`, `admin`, or finer scopes such as `orders:read`. Scopes that the"
        " account cannot use are left out."
    )
    expires_at: DateTime | None = strawberry.field(description="Time of expiry; null for an API key without one.")


@strawberry.type(description="The tokens of a session.")
class AuthPayload:
    access_token: str = strawberry.field(description="Send it as `Authorization: Bearer <token>`.")
    token_type: str = strawberry.field(description="Always `bearer`.")
    expires_at: DateTime = strawberry.field(description="Time at which the access token expires.")
    refresh_token: str = strawberry.field(
        description="Valid for one call of `refreshToken`, which returns the next one. Using it twice ends the session."
    )
    user: User = strawberry.field(description="The user who signed in.")
