"""REST on FastAPI with SQLAlchemy as in its guide: a session per request, response models read from attributes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated

import tables
from fastapi import Depends, FastAPI, HTTPException, Query, Request
from fastapi.security import OAuth2PasswordBearer
from identity import uid_of
from pydantic import BaseModel, ConfigDict
from sessions import session
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

app = FastAPI()
token = OAuth2PasswordBearer("token")


class Bot(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    bot_id: int
    uid: int
    name: str
    dry_run: bool | None
    active: bool
    timestamp: datetime


async def get_session() -> AsyncIterator[AsyncSession]:
    async with session() as opened:
        yield opened


async def get_uid(request: Request, _: Annotated[str, Depends(token)]) -> int:
    """The guide verifies the token of each request; this caches it, as the other peers do."""
    return uid_of(request.headers["authorization"])


SessionDep = Annotated[AsyncSession, Depends(get_session)]
UidDep = Annotated[int, Depends(get_uid)]


@app.get("/api/v1/orm/bots", response_model=list[Bot])
async def bots(
    opened: SessionDep,
    uid: UidDep,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    offset: Annotated[int, Query(ge=0)] = 0,
):  # type: ignore[no-untyped-def]  # the response model is the type, as in the guide
    query = select(tables.Bot).where(tables.Bot.uid == uid).order_by(tables.Bot.bot_id)
    return (await opened.scalars(query.limit(limit).offset(offset))).all()


@app.get("/api/v1/orm/bots/{bot_id}", response_model=Bot)
async def bot(opened: SessionDep, uid: UidDep, bot_id: int):  # type: ignore[no-untyped-def]  # the same
    found = await opened.scalar(select(tables.Bot).where(tables.Bot.bot_id == bot_id, tables.Bot.uid == uid))
    if found is None:
        raise HTTPException(404)
    return found
