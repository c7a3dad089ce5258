"""The files of the gateways that no gateway runs; tests/e2e/test_gateways.py runs the others."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "deploy" / "federation"


def test_versions_are_exact_and_locked_without_a_registry() -> None:
    wanted = json.loads((FOLDER / "package.json").read_text())["dependencies"]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in wanted.values())
    locked = json.loads((FOLDER / "package-lock.json").read_text())["packages"]
    assert {name: locked[f"node_modules/{name}"]["version"] for name in wanted} == wanted
    assert not any("resolved" in package for package in locked.values())
    assert all("integrity" in package for name, package in locked.items() if name)


def test_unknown_gateway_is_refused_before_anything_starts() -> None:
    ended = subprocess.run(
        [sys.executable, FOLDER / "run.py"],
        env=os.environ | {"GATEWAY": "nonsense"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (1, "GATEWAY is 'nonsense'; it is hive or apollo.\n")
