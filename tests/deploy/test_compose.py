"""deploy/compose.yaml and its variant for development."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from dotenv import dotenv_values

from fullon_graphql.cli import COMMANDS
from tests.deploy.files import DEPLOY, documents, seconds, unknown_variables

FILES = ("compose.yaml", "compose.dev.yaml")
[PRODUCTION], [DEVELOPMENT] = (documents(DEPLOY / name) for name in FILES)
OURS = {"tables", "server-a", "server-b", "services"}
IMAGE_VARIABLES = {"PYTHONPATH"}


def services(name: str) -> dict[str, Any]:
    found: dict[str, Any] = {"compose.yaml": PRODUCTION, "compose.dev.yaml": DEVELOPMENT}[name]["services"]
    return found


@pytest.mark.parametrize("name", FILES)
def test_images_have_a_version_and_ports_are_local(name: str) -> None:
    for title, service in services(name).items():
        assert re.search(r":(?!latest)[\w.-]+$", service["image"]), title
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), title


@pytest.mark.parametrize("name", FILES)
def test_variables_of_the_server_are_settings(name: str) -> None:
    for title, service in services(name).items():
        if service["image"].startswith("fullon-graphql:"):
            assert unknown_variables(service["environment"].keys() - IMAGE_VARIABLES) == set(), title


@pytest.mark.parametrize("name", FILES)
def test_files_and_dependencies_exist(name: str) -> None:
    for title, service in services(name).items():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (DEPLOY / source).exists(), (title, source)
            else:
                assert source in PRODUCTION["volumes"], (title, source)
        if "build" in service:
            context = DEPLOY / service["build"]["context"]
            assert (context / service["build"]["dockerfile"]).is_file()
        for other in service.get("depends_on", {}):
            assert other in services(name), (title, other)


def test_secrets_come_from_a_file_that_is_not_kept() -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    used = set(re.findall(r"\$\{(\w+)", text))
    assert used == dotenv_values(DEPLOY / "env.example").keys()
    assert not any(dotenv_values(DEPLOY / "env.example").values())
    for name in used:
        assert f"${{{name}:?" in text, f"compose must refuse to start without {name}"
    for title in OURS:
        environment = services("compose.yaml")[title]["environment"]
        for variable in ("DATABASE_URL", "REDIS_URL", "JWT_SECRET_KEY"):
            assert "${" in environment[variable]


def test_servers_cannot_write_and_have_time_to_drain() -> None:
    for title in OURS:
        service = services("compose.yaml")[title]
        assert service["read_only"], title
        assert service["cap_drop"] == ["ALL"], title
        assert service["security_opt"] == ["no-new-privileges:true"], title
        assert (service.get("command") or ["serve"])[0] in COMMANDS, title
    for title in ("server-a", "server-b"):
        service = services("compose.yaml")[title]
        drain = float(service["environment"]["DRAIN_SECONDS"]) + float(service["environment"]["SHUTDOWN_TIMEOUT"])
        assert seconds(service["stop_grace_period"]) > drain


def test_proxy_and_prometheus_name_the_servers() -> None:
    proxied = re.findall(r"(?m)^ +server \w+ (\S+)$", (DEPLOY / "haproxy" / "haproxy.cfg").read_text())
    assert sorted(set(proxied)) == ["server-a:8000", "server-b:8000"]
    assert "targets: [server-a:8000, server-b:8000]" in PRODUCTION["configs"]["prometheus"]["content"]


@pytest.mark.skipif(
    not shutil.which("docker") or subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode != 0,
    reason="Docker Compose is not installed",
)  # fmt: skip
@pytest.mark.parametrize("name", FILES)
def test_compose_reads_the_file(name: str, tmp_path: Path) -> None:
    secrets = tmp_path / "env"
    secrets.write_text("".join(f"{variable}=x\n" for variable in dotenv_values(DEPLOY / "env.example")))
    command = ["docker", "compose", "--env-file", str(secrets), "-f", str(DEPLOY / name), "config", "--quiet"]
    assert subprocess.run(command, capture_output=True, text=True, check=False).stderr == ""
