"""The planner's thread leaves the event loop its turns."""

from __future__ import annotations

import sys

import pytest

from fullon_graphql.app import create_app
from fullon_graphql.config import Settings
from fullon_graphql.engine.background import SWITCH_INTERVAL


async def test_threads_hand_over_soon_while_the_application_runs(settings: Settings) -> None:
    before = sys.getswitchinterval()
    async with create_app(settings).lifespan():
        assert sys.getswitchinterval() == pytest.approx(SWITCH_INTERVAL)
    assert sys.getswitchinterval() == before
