"""People over REST: oneself, and for administrators everybody."""

from __future__ import annotations

from fastapi import APIRouter

from fullon_graphql.models import User
from fullon_graphql.rest.answers import Json
from fullon_graphql.rest.dependencies import TheCaller, ThePrincipal, TheProcess
from fullon_graphql.rest.parameters import Key, ThePage
from fullon_graphql.rest.rows import listed, one, row_model, rows_of
from fullon_graphql.services import users

orm = APIRouter(prefix="/orm/users", tags=["users"])

Row = row_model(User)


@orm.get("/me", response_model=Row, summary="Who am I?")
async def me(process: TheProcess, principal: ThePrincipal) -> Json:
    """The account that is signed in."""
    return await one(process, users.visible(principal).where(User.uid == principal.uid))


@orm.get("", response_model=rows_of(Row), summary="Everybody one may see")
async def everybody(process: TheProcess, caller: TheCaller, page: ThePage) -> Json:
    """By key; for those who are no administrators, themselves."""
    return await listed(process, users.visible(caller), page)


@orm.get("/{uid}", response_model=Row, summary="Somebody")
async def somebody(process: TheProcess, caller: TheCaller, uid: Key) -> Json:
    """Anybody else is not found, unless an administrator asks."""
    return await one(process, users.visible(caller).where(User.uid == uid))
