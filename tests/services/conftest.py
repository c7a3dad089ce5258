"""Accounts and API keys, and the services that authenticate them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import bcrypt
import pytest
from redis.asyncio import Redis
from sqlalchemy import insert

from fullon_graphql.config import Settings
from fullon_graphql.database import Database
from fullon_graphql.models import ApiKey, User
from fullon_graphql.services.api_keys import ApiKeys
from fullon_graphql.services.signing_in.sessions import Sessions

AddAccount = Callable[..., Awaitable[int]]
AddApiKey = Callable[..., Awaitable[int]]


@pytest.fixture
def sessions(database: Database, redis: Redis, settings: Settings) -> Sessions:
    return Sessions(database, redis, settings)


@pytest.fixture
def api_keys(database: Database, settings: Settings) -> ApiKeys:
    return ApiKeys(database, settings)


@pytest.fixture
def add_account(database: Database) -> AddAccount:
    async def add(mail: str = "trader@fullon", password: str = "secret", **values: Any) -> int:
        hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()  # cheap: these tests are not about bcrypt
        required = {
            "mail": mail,
            "password": hashed,
            "f2a": "---",
            "name": "",
            "lastname": "",
            "phone": "",
            "id_num": "",
        }
        async with database.transaction() as connection:
            added = await connection.execute(insert(User).values(required | values).returning(User.uid))
            return added.scalar_one()

    return add


@pytest.fixture
def add_api_key(database: Database) -> AddApiKey:
    async def add(uid: int, key: str, scopes: str = "read,write", **values: bool | datetime) -> int:
        row = {"uid": uid, "key": key, "name": "test", "scopes": scopes}
        async with database.transaction() as connection:
            added = await connection.execute(insert(ApiKey).values(row | values).returning(ApiKey.api_key_id))
            return added.scalar_one()

    return add
