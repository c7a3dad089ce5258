"""The checks of signatures in docs/alerts.md accept genuine requests only."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from fullon_graphql.services.webhooks.signing import sign
from tests.services.webhooks.recipe import is_genuine

BODY = '{"id":"wh1-1-1","data":{"row":{"name":"ä"}}}'
NOW = int(time.time())
GENUINE = sign("whsec_x", NOW, BODY.encode())
CASES: Sequence[tuple[str, str, str, bool]] = [
    ("whsec_x", GENUINE, BODY, True),
    ("whsec_y", GENUINE, BODY, False),
    ("whsec_x", GENUINE, BODY + " ", False),
    ("whsec_x", GENUINE.replace(f"t={NOW}", f"t={NOW + 1}"), BODY, False),
    ("whsec_x", sign("whsec_x", NOW - 3600, BODY.encode()), BODY, False),
    ("whsec_x", f"t={NOW},v1=00", BODY, False),
]


def test_recipe_in_python_accepts_genuine_requests_only() -> None:
    for secret, signature, body, genuine in CASES:
        assert is_genuine(secret, signature, body.encode()) is genuine


async def test_recipe_in_javascript_accepts_genuine_requests_only() -> None:
    if not shutil.which("node"):
        pytest.skip("node is not on this machine")
    script = (
        'import { isGenuine } from "./recipe.mjs"; const cases = JSON.parse(process.argv[1]);'
        "console.log(JSON.stringify(cases.map(([secret, signature, body]) => isGenuine(secret, signature, body))));"
    )
    process = await asyncio.create_subprocess_exec(
        "node", "--input-type=module", "-e", script, json.dumps(CASES),
        cwd=Path(__file__).parent, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, _ = await process.communicate()
    assert json.loads(output) == [genuine for *_, genuine in CASES]
