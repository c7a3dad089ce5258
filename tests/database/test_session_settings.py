"""Settings of the server, the database or the role that would change results."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

import pytest
from sqlalchemy import text

from fullon_graphql.config import Settings
from fullon_graphql.database import Database

STRANGE: Final = {
    "default_transaction_isolation": "serializable",
    "extra_float_digits": "-3",
    "bytea_output": "escape",
    "IntervalStyle": "iso_8601",
    "DateStyle": "German",
    "TimeZone": "Asia/Tokyo",
}

PROBE: Final = """
    SELECT concat_ws('|', current_setting('transaction_isolation'), 0.1::float8 + 0.2, '\\x00ff'::bytea,
        interval '1 day 02:00', timestamptz '2026-11-30 05:00:00Z', date '2026-11-30')
"""
EXPECTED: Final = "read committed|0.30000000000000004|\\x00ff|1 day 02:00:00|2026-11-30 05:00:00+00|2026-11-30"


@pytest.fixture
async def strange(database: Database, settings: Settings) -> AsyncIterator[Database]:
    """Pools that connect while the database has other settings."""
    name = database.engine.url.database
    async with database.transaction() as connection:
        for setting, value in STRANGE.items():
            await connection.execute(text(f"ALTER DATABASE \"{name}\" SET {setting} = '{value}'"))
    connected = Database.connect(settings.database_url, "tests", settings)
    yield connected
    await connected.close()
    async with database.transaction() as connection:
        await connection.execute(text(f'ALTER DATABASE "{name}" RESET ALL'))


async def test_results_do_not_depend_on_them_on_any_connection(strange: Database) -> None:
    probe = text(PROBE.replace(":", "\\:"))
    read = await strange.row(probe)
    async with strange.transaction() as connection:
        changed = await connection.scalar(probe)
    async with strange.dedicated_connection("tests") as driver:
        dedicated = await driver.fetchval(PROBE)
    found = {
        "read": read and read[0],
        "transaction": changed,
        "dedicated": dedicated,
        "plan": (await strange.text(PROBE)).result,
    }
    assert found == dict.fromkeys(found, EXPECTED)
