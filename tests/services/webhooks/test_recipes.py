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


def cases() -> Sequence[tuple[str, str, str, bool]]:
    """Secret, signature and body of requests received now, and whether they are genuine."""
    now = int(time.time())
    genuine = sign("whsec_x", now, BODY.encode())
    return [
        ("whsec_x", genuine, BODY, True),
        ("whsec_y", genuine, BODY, False),
        ("whsec_x", genuine, BODY + " ", False),
        ("whsec_x", genuine.replace(f"t={now}", f"t={now + 1}"), BODY, False),
        ("whsec_x", sign("whsec_x", now - 3600, BODY.encode()), BODY, False),
        ("whsec_x", f"t={now},v1=00", BODY, False),
    ]


def test_recipe_in_python_accepts_genuine_requests_only() -> None:
    for secret, signature, body, genuine in cases():
        assert is_genuine(secret, signature, body.encode()) is genuine


async def test_recipe_in_javascript_accepts_genuine_requests_only() -> None:
    if not shutil.which("node"):
        pytest.skip("node is not on this machine")
    script = (
        'import { isGenuine } from "./recipe.mjs"; const cases = JSON.parse(process.argv[1]);'
        "console.log(JSON.stringify(cases.map(([secret, signature, body]) => isGenuine(secret, signature, body))));"
    )
    received = cases()
    process = await asyncio.create_subprocess_exec(
        "node", "--input-type=module", "-e", script, json.dumps(received),
        cwd=Path(__file__).parent, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, _ = await process.communicate()
    assert json.loads(output) == [genuine for *_, genuine in received]
