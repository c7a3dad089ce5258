"""Signing in over REST, as the platform's clients do it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import OAuth2PasswordRequestForm
from pydantic import BaseModel, Field

from fullon_graphql.rest.answers import ERROR_MODEL
from fullon_graphql.rest.dependencies import PrincipalDep, WorkerDep
from fullon_graphql.rest.route_list import RouteList

router = RouteList(prefix="/auth", tags=["auth"])


class Token(BaseModel):
    """Tokens of a new session."""

    access_token: str = Field(description="Send it as `Authorization: Bearer <token>`.")
    token_type: str = Field(description="Always `bearer`.")
    expires_in: int = Field(description="Seconds until the access token expires.")
    refresh_token: str = Field(description="For the GraphQL mutation `refreshToken`; valid once.")


class Verified(BaseModel):
    """The account behind a credential."""

    user_id: int
    username: str
    email: str
    is_active: bool


@router.post("/login", summary="Sign in with mail and password", responses=ERROR_MODEL)
async def login(form: Annotated[OAuth2PasswordRequestForm, Depends()], request: Request, worker: WorkerDep) -> Token:
    """A form with `username` (the mail), `password` and, if the account uses one-time codes, `client_secret`."""
    signed = await worker.sessions.login(
        form.username,
        form.password,
        form.client_secret,
        request.client.host if request.client else None,
        request.headers.get("user-agent"),
        request.scope["request_id"],
    )
    return Token(
        access_token=signed.access_token,
        token_type=signed.token_type,
        expires_in=round((signed.expires_at - datetime.now(UTC)).total_seconds()),
        refresh_token=signed.refresh_token,
    )


@router.get("/verify", summary="Get the account behind the credential")
async def verify(principal: PrincipalDep) -> Verified:
    """The account behind the credential of this request."""
    return Verified(user_id=principal.uid, username=principal.mail, email=principal.mail, is_active=True)
