"""People: one sees oneself, an administrator sees all."""

from __future__ import annotations

from sqlalchemy import Select

from fullon_graphql.auth.principal import Caller
from fullon_graphql.models import User
from fullon_graphql.services.visibility import own_rows


def visible(caller: Caller) -> Select[tuple[User]]:
    """The accounts `caller` may see."""
    return own_rows(User, User.uid, caller)
