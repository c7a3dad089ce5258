"""The short form of `make fuzz`: always the same cases of every kind."""

from __future__ import annotations

import sys

from fullon_graphql.config import Settings
from tests.fixtures.server import running
from tests.fuzz.fuzz import KINDS
from tests.fuzz.harness import Findings, fuzz
from tests.fuzz.world import opened

EXAMPLES = {"operations": 80, "http requests": 80, "redis values": 30, "rows": 15}
"""Cases of a kind; 30 of the others."""


async def test_hostile_input_breaks_no_law(environment: dict[str, str], settings: Settings) -> None:
    findings, options = Findings(), {"LOG_FORMAT": "json", "LOGIN_LIMIT": "1000 per minute"}
    command = running(environment | options, "/health/ready", "--no-services", module="tests.fuzz.observed_server")
    async with command as server, opened(server, settings) as world:
        for kind in KINDS:
            await fuzz(world, kind, EXAMPLES.get(kind.name, 30), findings)
    sys.stdout.write(f"{findings}\n")  # with the pauses, which depend on the machine
    assert not findings.faults
