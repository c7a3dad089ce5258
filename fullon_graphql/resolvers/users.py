"""Queries and mutations about users."""

from __future__ import annotations

from typing import Annotated

import strawberry

from fullon_graphql import models
from fullon_graphql.auth.principal import reader
from fullon_graphql.context import Info
from fullon_graphql.engine.fields.connection import Connection
from fullon_graphql.engine.fields.mutations import change, given
from fullon_graphql.engine.fields.root import ONE, one_row, root_connection, root_row
from fullon_graphql.engine.model.relations import relation
from fullon_graphql.schema.support.arguments import WhichUser
from fullon_graphql.schema.users import CreateUserInput, TotpEnrolment, UpdateProfileInput, UpdateUserInput, User
from fullon_graphql.services import users
from fullon_graphql.services.signing_in import totp
from fullon_graphql.services.writing.executor import Key, UnitOfWork

MYSELF = relation("User", "caller_uid", models.User.uid)
"""From the caller to the caller's own row."""


@strawberry.type
class UserQueries:
    users: Connection[User] = root_connection(
        "The users you may see, by key: yourself, or all for administrators.", User
    )

    @strawberry.field(description="The signed-in user.", metadata={ONE: MYSELF})
    async def me(self, info: Info) -> User:
        return await one_row(info.context, User, reader(info.context.caller).uid)

    user: User | None = root_row("The user with this key; null if there is none you may see.", User)


Profile = Annotated[UpdateProfileInput, strawberry.argument(name="input", description="The changes.")]
NewUser = Annotated[CreateUserInput, strawberry.argument(name="input", description="The user.")]
UserChanges = Annotated[UpdateUserInput, strawberry.argument(name="input", description="The user and its changes.")]
CurrentPassword = Annotated[str, strawberry.argument(description="Current password.")]
NewPassword = Annotated[str, strawberry.argument(description="New password, at most 72 bytes.")]
Code = Annotated[str, strawberry.argument(description="A current one-time code.")]


async def _seed(write: UnitOfWork, _key: Key) -> TotpEnrolment:
    seed = write.shown_once
    return TotpEnrolment(secret=seed, uri=totp.address(seed, write.principal.mail) if seed else None)


@strawberry.type
class UserMutations:
    @change(User, "Change your own name, phone or identity document.")
    async def update_profile(self, write: UnitOfWork, profile: Profile) -> int:
        values = given(profile, "expected_timestamp")
        return await users.change_profile(write, values, profile.expected_timestamp)

    @change(bool, "Change your password. All your other sessions end.")
    async def change_password(
        self, write: UnitOfWork, current_password: CurrentPassword, new_password: NewPassword
    ) -> bool:
        return await users.change_password(write, current_password, new_password)

    @change(
        TotpEnrolment,
        "Start to enable one-time codes for your sign-in. Nothing changes until `confirmTotp` has accepted a code.",
        _seed,
    )
    async def enrol_totp(self, write: UnitOfWork) -> int:
        return await totp.enrol(write)

    @change(User, "Enable one-time codes for your sign-in.")
    async def confirm_totp(self, write: UnitOfWork, code: Code) -> int:
        return await totp.confirm(write, code)

    @change(User, "Disable one-time codes for your sign-in.")
    async def disable_totp(self, write: UnitOfWork, code: Code) -> int:
        return await totp.disable(write, code)

    @change(User, "Create a user. Administrators only.")
    async def create_user(self, write: UnitOfWork, user: NewUser) -> int:
        return await users.create(write, given(user, "password"), user.password)

    @change(
        User, "Change a user. A change of the role or a deactivation ends the user's sessions. Administrators only."
    )
    async def update_user(self, write: UnitOfWork, user: UserChanges) -> int:
        values = given(user, "uid", "expected_timestamp")
        return await users.change(write, user.uid, values, user.expected_timestamp)

    @change(User, "Deactivate a user: all sessions end, and the user cannot sign in. Administrators only.")
    async def deactivate_user(self, write: UnitOfWork, uid: WhichUser) -> int:
        return await users.change(write, uid, {"active": False})

    @change(User, "Activate a deactivated user. Administrators only.")
    async def activate_user(self, write: UnitOfWork, uid: WhichUser) -> int:
        return await users.change(write, uid, {"active": True})

    @change(
        bool,
        "Delete a user with the bots, exchange accounts and API keys; orders and trades are kept. CONFLICT if there are"
        " simulations or past balances: deactivate the user instead. Administrators only.",
    )
    async def delete_user(self, write: UnitOfWork, uid: WhichUser) -> bool:
        return await users.remove(write, uid)

    @change(
        User,
        "Blank the personal data of a user (name, phone, identity document, note, mail) in the account and in the"
        " audit log, and deactivate the account with its sessions and API keys. Bots, orders and trades are kept."
        " It cannot be undone. Administrators only.",
    )
    async def anonymize_user(self, write: UnitOfWork, uid: WhichUser) -> int:
        return await users.anonymize(write, uid)
