"""deploy/systemd: verified by an installed systemd, and compared with the settings."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from dotenv import dotenv_values

from fullon_graphql.cli import COMMANDS
from tests.deploy.files import DEPLOY, unknown_variables

FOLDER = DEPLOY / "systemd"
PROGRAM = "/opt/fullon-graphql/bin/fullon-graphql"
UNITS = sorted(FOLDER.glob("*.service"))


def values(unit: Path, key: str) -> list[str]:
    lines = (line.split("=", 1) for line in unit.read_text().splitlines() if "=" in line and not line.startswith("#"))
    return [value for name, value in lines if name == key]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_accepts_the_unit(unit: Path, tmp_path: Path) -> None:
    copy = tmp_path / unit.name.replace("@", "@8001")
    copy.write_text(unit.read_text().replace(PROGRAM, sys.executable))
    verified = subprocess.run(["systemd-analyze", "verify", str(copy)], capture_output=True, text=True, check=False)
    assert (verified.returncode, [line for line in verified.stderr.splitlines() if copy.name in line]) == (0, [])


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_command_and_variables_are_those_of_the_package(unit: Path) -> None:
    [command] = values(unit, "ExecStart")
    program, name, *_ = command.split()
    assert program == PROGRAM
    assert name in COMMANDS
    assert unknown_variables(pair.split("=")[0] for pair in values(unit, "Environment")) == set()
    assert values(unit, "EnvironmentFile") == ["/etc/fullon-graphql/environment"]
    assert values(unit, "DynamicUser") == values(unit, "NoNewPrivileges") == ["yes"]
    assert values(unit, "ProtectSystem") == ["strict"]


def test_example_of_the_environment_has_no_values_of_secrets() -> None:
    given = dotenv_values(FOLDER / "environment.example")
    assert unknown_variables(given) == set()
    assert {name for name, value in given.items() if value} == {"LOG_FORMAT"}


def test_server_has_time_to_drain() -> None:
    unit = FOLDER / "fullon-graphql@.service"
    given = dict(pair.split("=") for pair in values(unit, "Environment"))
    [stop] = values(unit, "TimeoutStopSec")
    assert float(stop) > float(given["DRAIN_SECONDS"]) + float(given["SHUTDOWN_TIMEOUT"])
