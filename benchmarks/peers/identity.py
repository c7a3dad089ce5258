"""The caller: the token is verified once and cached, as the libraries of the other peers do."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import cast

import jwt

SECRET = os.environ["JWT_SECRET_KEY"]


@lru_cache(1000)
def uid_of(authorization: str) -> int:
    """The uid behind an `Authorization` header.

    Raises:
        jwt.InvalidTokenError: the token is invalid.
    """
    token = authorization.removeprefix("Bearer ")
    claims = jwt.decode(token, SECRET, algorithms=["HS256"], issuer="fullon", audience="fullon-graphql")
    return cast("int", claims["user_id"])
