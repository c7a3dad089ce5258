"""Queries about sessions, and mutations that open, renew and end them."""

from __future__ import annotations

from typing import Annotated, Any

import strawberry

from fullon_graphql.auth.principal import signed_in
from fullon_graphql.context import Context, Info
from fullon_graphql.engine.fields.connection import Connection
from fullon_graphql.engine.fields.mutations import change
from fullon_graphql.engine.fields.root import one_row, root_connection
from fullon_graphql.schema.sessions import AuthPayload, Session
from fullon_graphql.schema.support.nodes import place
from fullon_graphql.schema.support.scalars import DateTime
from fullon_graphql.schema.users import User
from fullon_graphql.services.signing_in import sessions
from fullon_graphql.services.signing_in.sessions import SignedIn
from fullon_graphql.services.writing.executor import Key, UnitOfWork

Mail = Annotated[str, strawberry.argument(description="The account's mail, exactly as it is stored.")]
Password = Annotated[str, strawberry.argument(description="The account's password.")]
OneTimeCode = Annotated[
    str | None, strawberry.argument(description="Current one-time code, where the account asks for one.")
]
RefreshToken = Annotated[str, strawberry.argument(description="The session's current refresh token.")]
WhichSession = Annotated[strawberry.ID, strawberry.argument(name="id", description="`id` of the session.")]


@strawberry.type
class SessionQueries:
    sessions: Connection[Session] = root_connection(
        "Where you are signed in, or anybody as administrator, and where that was; those that go on are `active`.",
        Session,
    )


async def _how_many(_write: UnitOfWork, ended: Key) -> Any:
    return ended


@strawberry.type
class SessionMutations:
    @strawberry.mutation(description="Sign in. Repeated failures are answered with RATE_LIMITED.")
    async def login(self, info: Info, mail: Mail, password: Password, totp: OneTimeCode = None) -> AuthPayload:
        context = info.context
        signed = await context.worker.sessions.login(mail, password, totp, context.address, context.user_agent)
        return await _payload(context, signed)

    @strawberry.mutation(description="Renew a session: new tokens for the session's current refresh token.")
    async def refresh_token(self, info: Info, refresh_token: RefreshToken) -> AuthPayload:
        return await _payload(info.context, await info.context.worker.sessions.refresh(refresh_token))

    @strawberry.mutation(description="End the session: its access and refresh tokens are good no more.")
    async def logout(self, info: Info) -> bool:
        await info.context.worker.sessions.logout(signed_in(info.context.caller))
        return True

    @change(Session, "End a session of yours, or anybody's as administrator: its tokens and sockets, within a second.")
    async def end_session(self, info: Info, session: WhichSession) -> str:
        _, (session_id,) = place(session, only="Session")
        return await sessions.end(info.context.write, session_id)

    @change(int, "End all your sessions but the one in which this is asked, and say how many there were.", _how_many)
    async def end_other_sessions(self, info: Info) -> int:
        return await sessions.end_others(info.context.write)


async def _payload(context: Context, signed: SignedIn) -> AuthPayload:
    """The payload, and the rest of this operation in the name of who has just signed in."""
    context.forget()
    context.caller = await context.worker.sessions.identify_token(signed.access_token)
    return AuthPayload(
        access_token=signed.access_token,
        token_type=signed.token_type,
        expires_at=DateTime(signed.expires_at),
        refresh_token=signed.refresh_token,
        user=await one_row(context, User, signed.uid),
    )
