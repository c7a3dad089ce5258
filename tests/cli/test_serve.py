"""`serve` rejects invalid settings in one line, and replaces workers."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

import fullon_graphql
from tests.fixtures.eventually import eventually
from tests.fixtures.server import running


async def run(environment: dict[str, str], *options: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "fullon_graphql.cli", "serve", "--port", "0", *options,
        env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    async with asyncio.timeout(30):
        output, _ = await process.communicate()
    return process.returncode, output.decode()


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("secret", [None, "", "too short", "insecure-development-secret-do-not-use"])
async def test_serve_rejects_insecure_secrets(environment: dict[str, str], secret: str | None, workers: str) -> None:
    del environment["JWT_SECRET_KEY"]
    changed = environment if secret is None else environment | {"JWT_SECRET_KEY": secret}
    code, output = await run(changed, "--workers", workers)
    assert code == 1
    assert len(output.strip().splitlines()) == 1, output
    assert "JWT_SECRET_KEY" in output
    assert "too short" not in output.replace("too short to", "")  # the secret is not repeated


async def test_serve_names_an_invalid_setting(environment: dict[str, str]) -> None:
    code, output = await run(environment | {"DB_POOL_SIZE": "many"})
    assert code == 1
    assert "pool_size" in output.lower()
    assert "Traceback" not in output


async def test_killed_worker_is_replaced_even_while_it_starts(
    environment: dict[str, str],
) -> None:
    async with running(environment, "/health/ready", "--workers", "2") as server:
        parent = psutil.Process(server.process.pid)
        before = workers(parent)
        assert len(before) == 2
        before[0].kill()
        starting = await other_than(before, parent)
        starting.kill()
        await other_than([*before, starting], parent)
        assert (await server.ask("{ __typename }"))["data"] == {"__typename": "Query"}
        after = workers(parent)
        server.process.terminate()
        await server.process.wait()
        assert not psutil.wait_procs(after, timeout=10)[1]


async def other_than(known: Sequence[psutil.Process], parent: psutil.Process) -> psutil.Process:
    """Wait for a new worker."""
    new = await eventually(lambda: set(workers(parent)) - set(known), seconds=30)
    return new.pop()


def workers(parent: psutil.Process) -> list[psutil.Process]:
    """The worker processes, without the helpers of multiprocessing."""
    return [child for child in parent.children() if serves(child)]


def serves(child: psutil.Process) -> bool:
    try:
        return child.status() != psutil.STATUS_ZOMBIE and "spawn_main" in " ".join(child.cmdline())
    except psutil.NoSuchProcess:  # it has just ended
        return False


async def test_reload_starts_the_server_again_when_a_file_of_the_package_changes(
    environment: dict[str, str],
) -> None:
    module = Path(fullon_graphql.__file__).parent / "__init__.py"
    async with running(environment, "/health/live", "--reload", "--no-services") as server:
        [before] = workers(psutil.Process(server.process.pid))
        module.touch()
        await other_than([before], psutil.Process(server.process.pid))
