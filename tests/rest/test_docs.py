"""The description of REST."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from fastapi import FastAPI

from tests.fixtures.rest import Rest
from tests.fixtures.rows import TRADER


async def test_first_requests_for_the_description_share_its_building(
    rest: Rest, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = 0
    build = FastAPI.openapi

    def counted(app: FastAPI) -> dict[str, Any]:
        nonlocal built
        built += app.openapi_schema is None
        return build(app)

    monkeypatch.setattr(FastAPI, "openapi", counted)
    trader = await rest.as_(TRADER)
    descriptions = await asyncio.gather(*(trader.get("/openapi.json") for _ in range(5)))
    assert built == 1
    assert all("/api/v1/orm/bots" in description["paths"] for description in descriptions)
