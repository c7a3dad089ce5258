"""Queries about sessions, and mutations to sign in, refresh and sign out."""

from __future__ import annotations

from typing import Annotated, Any

import strawberry

from fullon_graphql.auth.principal import authenticated, reader
from fullon_graphql.context import Context, Info
from fullon_graphql.engine.fields.connection import Connection
from fullon_graphql.engine.fields.mutations import change
from fullon_graphql.engine.fields.root import one_row, root_connection
from fullon_graphql.engine.model.global_ids import parse_global_id
from fullon_graphql.errors import NotFound
from fullon_graphql.schema.sessions import AuthPayload, Credential, Session
from fullon_graphql.schema.support.scalars import DateTime
from fullon_graphql.schema.users import User
from fullon_graphql.services.access import effective_scopes
from fullon_graphql.services.signing_in import sessions
from fullon_graphql.services.signing_in.sessions import SignedIn
from fullon_graphql.services.writing.executor import Key, UnitOfWork

Mail = Annotated[str, strawberry.argument(description="Mail address of the user, as stored.")]
Password = Annotated[str, strawberry.argument(description="Password of the user.")]
OneTimeCode = Annotated[
    str | None,
    strawberry.argument(description="Current one-time code; required if the user has enabled one-time codes."),
]
RefreshToken = Annotated[str, strawberry.argument(description="The session's current refresh token.")]
WhichSession = Annotated[strawberry.ID, strawberry.argument(name="id", description="The `id` of the session.")]


@strawberry.type
class SessionQueries:
    sessions: Connection[Session] = root_connection(
        "The sessions you may see, including ended ones: your own, or all for administrators."
        " Current ones are `active`.",
        Session,
    )

    @strawberry.field(description="The credential of this request. Requires no scope.")
    async def credential(self, info: Info) -> Credential:
        caller = info.context.caller
        principal = authenticated(caller)
        end = principal.expires_at
        return Credential(uid=principal.uid, scopes=effective_scopes(caller), expires_at=DateTime(end) if end else None)


async def _how_many(_write: UnitOfWork, ended: Key) -> Any:
    return ended


@strawberry.type
class SessionMutations:
    @strawberry.mutation(description="Sign in with mail and password. RATE_LIMITED after repeated failures.")
    async def login(self, info: Info, mail: Mail, password: Password, totp: OneTimeCode = None) -> AuthPayload:
        context = info.context
        signed = await context.worker.sessions.login(
            mail, password, totp, context.address, context.user_agent, context.request_id
        )
        return await _payload(context, signed)

    @strawberry.mutation(description="Refresh a session: returns new tokens for its current refresh token.")
    async def refresh_token(self, info: Info, refresh_token: RefreshToken) -> AuthPayload:
        return await _payload(info.context, await info.context.worker.sessions.refresh(refresh_token))

    @strawberry.mutation(description="End the session of this request and invalidate its tokens.")
    async def logout(self, info: Info) -> bool:
        await info.context.worker.sessions.logout(reader(info.context.caller))
        return True

    @change(
        Session, "End a session, with its tokens and sockets, within a second: your own, or any for administrators."
    )
    async def end_session(self, write: UnitOfWork, session: WhichSession) -> str:
        reference = parse_global_id(session, only="Session")
        if reference is None:
            raise NotFound("No session has this id.")
        _, (session_id,) = reference
        return await sessions.end(write, session_id)

    @change(
        int, "End all your sessions except the one of this request. Returns the number of ended sessions.", _how_many
    )
    async def end_other_sessions(self, write: UnitOfWork) -> int:
        return await sessions.end_others(write)


async def _payload(context: Context, signed: SignedIn) -> AuthPayload:
    """The payload; the rest of the operation is executed as the signed-in user."""
    context.forget()
    context.caller = await context.worker.sessions.identify_token(signed.access_token)
    return AuthPayload(
        access_token=signed.access_token,
        token_type=signed.token_type,
        expires_at=DateTime(signed.expires_at),
        refresh_token=signed.refresh_token,
        user=await one_row(context, User, signed.uid),
    )
