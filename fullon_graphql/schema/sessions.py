"""Sessions: what a client gets when it signs in."""

from __future__ import annotations

import strawberry

from fullon_graphql.schema.scalars import DateTime
from fullon_graphql.schema.users import User


@strawberry.type(description="What a client goes on with after it has signed in.")
class AuthPayload:
    access_token: str = strawberry.field(description="Send it as `Authorization: Bearer <token>`.")
    token_type: str = strawberry.field(description="Always `bearer`.")
    expires_at: DateTime = strawberry.field(description="When the access token ends.")
    refresh_token: str = strawberry.field(
        description="Good for one `refreshToken`, which answers the next one. Using it twice ends the session."
    )
    user: User = strawberry.field(description="Who is signed in now.")
