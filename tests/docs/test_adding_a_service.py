"""The changes of docs/adding-a-service.md, made in a copy of the package, add a service that runs."""

from __future__ import annotations

import shutil
from pathlib import Path

import httpx

from tests.docs.documents import ROOT, Block, blocks
from tests.fixtures.rows import ADMIN
from tests.fixtures.server import running
from tests.fixtures.signing_in import SignIn

PAGE = ROOT / "docs/adding-a-service.md"
START = "mutation { startService(name: BOTS) { name state error } }"
DESCRIPTION = '{ __type(name: "ServiceName") { enumValues { name description } } }'


def follow(block: Block, copy: Path) -> None:
    """Create the file that the block names, or add its lines marked with `+` behind the others."""
    file = copy / block.note
    if block.language == "python":
        assert not file.exists()
        file.write_text(block.text)
        return
    lines = block.text.splitlines()
    before = "\n".join(line[1:] for line in lines if line.startswith(" "))
    after = "\n".join(line[1:] for line in lines)
    text = file.read_text()
    assert text.count(before) == 1, f"{block.place}: not once in {block.note}"
    file.write_text(text.replace(before, after))


async def test_service_of_the_page_runs(tmp_path: Path, environment: dict[str, str], sign_in: SignIn) -> None:
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "fullon_graphql", tmp_path / "fullon_graphql", ignore=ignored)
    for block in blocks(PAGE):
        follow(block, tmp_path)
    token = await sign_in(ADMIN)
    only_the_copy = {"PYTHONPATH": str(tmp_path), "PYTHONSAFEPATH": "1"}
    async with running(environment | only_the_copy, "/health/ready") as server:
        answer = await server.ask(START, token)
        assert answer == {"data": {"startService": {"name": "BOTS", "state": "RUNNING", "error": None}}}
        values = (await server.ask(DESCRIPTION, token))["data"]["__type"]["enumValues"]
        assert {"name": "BOTS", "description": "Logs the number of active bots."} in values
        async with httpx.AsyncClient(base_url=server.url) as client:
            health = (await client.get("/health")).json()["services"]
        assert (health["bots"], health["daemons"]["bots"]) == ("running", "running")
