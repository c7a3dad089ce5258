"""Users over REST: the caller, and for administrators every user."""

from __future__ import annotations

from pydantic import BaseModel, Field

from fullon_graphql.models import User
from fullon_graphql.rest.answers import Json
from fullon_graphql.rest.dependencies import CallerDep, ReaderDep, WorkerDep
from fullon_graphql.rest.orm.changes import ChangesDep, Done, as_arguments, given
from fullon_graphql.rest.parameters import Key, PageParams
from fullon_graphql.rest.route_list import RouteList
from fullon_graphql.rest.rows import get_row, list_of, list_rows, row_model
from fullon_graphql.services import users
from fullon_graphql.services.writing.executor import UnitOfWork

router = RouteList(prefix="/orm/users", tags=["users"])

Row = row_model(User)


@router.get("/me", response_model=Row, summary="Get the signed-in user")
async def get_me(worker: WorkerDep, principal: ReaderDep) -> Json:
    """The row of the signed-in user."""
    return await get_row(worker, principal, User, uid=principal.uid)


@router.get("", response_model=list_of(Row), summary="List users")
async def list_users(worker: WorkerDep, caller: CallerDep, page: PageParams) -> Json:
    """Ordered by `uid`: every user for administrators, only the caller otherwise."""
    return await list_rows(worker, caller, User, page)


@router.get("/{uid}", response_model=Row, summary="Get a user")
async def get_user(worker: WorkerDep, caller: CallerDep, uid: Key) -> Json:
    """404 for another user, unless the caller is an administrator."""
    return await get_row(worker, caller, User, uid=uid)


class Profile(BaseModel):
    """Changes of a user; omitted fields keep their values."""

    name: str | None = None
    lastname: str | None = None
    phone: str | None = None
    id_num: str | None = None


class AccountChanges(Profile):
    """Changes of a user, with the fields that only administrators may change."""

    mail: str | None = None
    role: str | None = Field(None, examples=["USER"])
    active: bool | None = None
    note: str | None = None
    external_id: str | None = None


class NewUser(AccountChanges):
    """Input for a new user."""

    mail: str = Field(examples=["trader@example.org"])
    password: str


@router.post("", response_model=Row, status_code=201, summary="Create a user (administrators)")
async def create_user(changes: ChangesDep, user: NewUser) -> Json:
    """The new row."""
    return await changes.perform_row(
        "createUser",
        as_arguments(user),
        lambda write: users.create(write, given(user, "password"), user.password),
        User,
        status=201,
    )


@router.put("/{uid}", response_model=Row, summary="Update a user")
async def update_user(changes: ChangesDep, uid: Key, user: AccountChanges) -> Json:
    """The updated row. Without the role of administrator only the fields of the profile change; others are ignored."""

    async def change(write: UnitOfWork) -> int:
        if write.principal.admin:
            return await users.change(write, uid, given(user))
        await write.find(User, uid)
        return await users.change_profile(write, user.model_dump(exclude_unset=True, include=set(Profile.model_fields)))

    return await changes.perform_row("updateUser", {"uid": uid} | as_arguments(user), change, User)


@router.delete("/{uid}", response_model=Done, summary="Delete a user (administrators)")
async def delete_user(changes: ChangesDep, uid: Key) -> Json:
    """Deletes bots, exchange accounts and API keys too; 409 if the user has simulations or a history of balances."""
    return await changes.perform_delete("deleteUser", {"uid": uid}, lambda write: users.remove(write, uid))
