"""Queries and mutations about people."""

from __future__ import annotations

from typing import Annotated

import strawberry

from fullon_graphql import models
from fullon_graphql.auth.principal import signed_in
from fullon_graphql.context import Info
from fullon_graphql.engine.fields.connection import Connection
from fullon_graphql.engine.fields.mutations import change, given
from fullon_graphql.engine.fields.root import ONE, by_key, one_row, root_connection
from fullon_graphql.engine.model.relations import relation
from fullon_graphql.schema.support.arguments import WhichUser
from fullon_graphql.schema.users import CreateUserInput, TotpEnrolment, UpdateProfileInput, UpdateUserInput, User
from fullon_graphql.services import users
from fullon_graphql.services.signing_in import totp
from fullon_graphql.services.writing.executor import Key, UnitOfWork

MYSELF = relation("User", "caller_uid", models.User.uid)
"""From the caller to their own row."""


@strawberry.type
class UserQueries:
    users: Connection[User] = root_connection(
        "The people you may see, by key: yourself, or all as administrator.", User
    )

    @strawberry.field(description="The person who is signed in.", metadata={ONE: MYSELF})
    async def me(self, info: Info) -> User:
        return await one_row(info.context, User, signed_in(info.context.caller).uid)

    @strawberry.field(
        description="The person with this key; NOT_FOUND where there is none you may see.", metadata=by_key(User)
    )
    async def user(
        self, info: Info, uid: Annotated[int, strawberry.argument(description="Key of the account.")]
    ) -> User | None:
        return await one_row(info.context, User, uid)


Profile = Annotated[UpdateProfileInput, strawberry.argument(name="input", description="What changes.")]
NewUser = Annotated[CreateUserInput, strawberry.argument(name="input", description="The account.")]
UserChanges = Annotated[
    UpdateUserInput, strawberry.argument(name="input", description="The account, and what changes.")
]
CurrentPassword = Annotated[str, strawberry.argument(description="The password until now.")]
NewPassword = Annotated[str, strawberry.argument(description="The password from now on, of at most 72 bytes.")]
Code = Annotated[str, strawberry.argument(description="A current one-time code.")]


async def _seed(write: UnitOfWork, _key: Key) -> TotpEnrolment:
    seed = write.shown_once
    return TotpEnrolment(secret=seed, uri=totp.address(seed, write.principal.mail) if seed else None)


@strawberry.type
class UserMutations:
    @change(User, "Change your own name, phone or identity document.")
    async def update_profile(self, info: Info, profile: Profile) -> int:
        values = given(profile, "expected_timestamp")
        return await users.change_profile(info.context.write, values, profile.expected_timestamp)

    @change(bool, "Replace your password. All your other sessions end.")
    async def change_password(self, info: Info, current_password: CurrentPassword, new_password: NewPassword) -> bool:
        return await users.change_password(info.context.write, current_password, new_password)

    @change(
        TotpEnrolment,
        "Begin to protect your account with one-time codes. Nothing changes until `confirmTotp` has seen one.",
        _seed,
    )
    async def enrol_totp(self, info: Info) -> int:
        return await totp.enrol(info.context.write)

    @change(User, "From now on your account asks for one-time codes when you sign in.")
    async def confirm_totp(self, info: Info, code: Code) -> int:
        return await totp.confirm(info.context.write, code)

    @change(User, "From now on your account asks for no one-time codes.")
    async def disable_totp(self, info: Info, code: Code) -> int:
        return await totp.disable(info.context.write, code)

    @change(User, "Make an account. Administrators only.")
    async def create_user(self, info: Info, user: NewUser) -> int:
        return await users.create(info.context.write, given(user, "password"), user.password)

    @change(User, "Change an account; another role, or none, ends its sessions. Administrators only.")
    async def update_user(self, info: Info, user: UserChanges) -> int:
        values = given(user, "uid", "expected_timestamp")
        return await users.change(info.context.write, user.uid, values, user.expected_timestamp)

    @change(User, "Deactivate an account: its sessions end, and it can no longer sign in. Administrators only.")
    async def deactivate_user(self, info: Info, uid: WhichUser) -> int:
        return await users.change(info.context.write, uid, {"active": False})

    @change(User, "Let a deactivated account sign in again. Administrators only.")
    async def activate_user(self, info: Info, uid: WhichUser) -> int:
        return await users.change(info.context.write, uid, {"active": True})

    @change(
        bool,
        "Delete an account with its bots, exchange accounts and API keys; orders and trades stay. CONFLICT where"
        " simulations or balances of the past stand against it: deactivate it instead. Administrators only.",
    )
    async def delete_user(self, info: Info, uid: WhichUser) -> bool:
        return await users.remove(info.context.write, uid)
