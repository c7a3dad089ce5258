"""People over REST: oneself, and for administrators everybody."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from fullon_graphql.models import User
from fullon_graphql.rest.answers import Json
from fullon_graphql.rest.dependencies import CallerDep, ThePrincipal, WorkerDep
from fullon_graphql.rest.orm.changes import Done, TheChanges, as_arguments, given
from fullon_graphql.rest.parameters import Key, PageParams
from fullon_graphql.rest.rows import listed, one, row_model, rows_of
from fullon_graphql.services import users
from fullon_graphql.services.access import visible
from fullon_graphql.services.writing.executor import UnitOfWork

orm = APIRouter(prefix="/orm/users", tags=["users"])

Row = row_model(User)


@orm.get("/me", response_model=Row, summary="Who am I?")
async def me(worker: WorkerDep, principal: ThePrincipal) -> Json:
    """The account that is signed in."""
    return await one(worker, visible(User, principal).where(User.uid == principal.uid))


@orm.get("", response_model=rows_of(Row), summary="Everybody one may see")
async def everybody(worker: WorkerDep, caller: CallerDep, page: PageParams) -> Json:
    """By key; for those who are no administrators, themselves."""
    return await listed(worker, visible(User, caller), page)


@orm.get("/{uid}", response_model=Row, summary="Somebody")
async def somebody(worker: WorkerDep, caller: CallerDep, uid: Key) -> Json:
    """Anybody else is not found, unless an administrator asks."""
    return await one(worker, visible(User, caller).where(User.uid == uid))


class Profile(BaseModel):
    """What becomes different of somebody; what is left out stays."""

    name: str | None = None
    lastname: str | None = None
    phone: str | None = None
    id_num: str | None = None


class AccountChanges(Profile):
    """The same, and what only administrators change."""

    mail: str | None = None
    role: str | None = Field(None, examples=["USER"])
    active: bool | None = None
    note: str | None = None
    external_id: str | None = None


class NewUser(AccountChanges):
    """An account to be made."""

    mail: str = Field(examples=["trader@example.org"])
    password: str


@orm.post("", response_model=Row, status_code=201, summary="Make an account, as administrator")
async def create(changes: TheChanges, user: NewUser) -> Json:
    """The new row."""
    return await changes.row(
        "createUser",
        as_arguments(user),
        lambda write: users.create(write, given(user, "password"), user.password),
        User,
        status=201,
    )


@orm.put("/{uid}", response_model=Row, summary="Change oneself or, as administrator, anybody")
async def change(changes: TheChanges, uid: Key, user: AccountChanges) -> Json:
    """The row as it is now. Who is no administrator changes name and particulars; the rest is left as it is."""

    async def changed(write: UnitOfWork) -> int:
        if write.principal.admin:
            return await users.change(write, uid, given(user))
        await write.find(User, uid)
        return await users.change_profile(write, user.model_dump(exclude_unset=True, include=set(Profile.model_fields)))

    return await changes.row("updateUser", {"uid": uid} | as_arguments(user), changed, User)


@orm.delete("/{uid}", response_model=Done, summary="Delete an account, as administrator")
async def delete(changes: TheChanges, uid: Key) -> Json:
    """With bots, exchange accounts and API keys; 409 where it has simulations or balances of the past."""
    return await changes.gone("deleteUser", {"uid": uid}, lambda write: users.remove(write, uid))
