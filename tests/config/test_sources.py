"""Sources of settings: their order, and the forms of their files."""

from __future__ import annotations

from pathlib import Path

import pytest

from fullon_graphql.config import Settings, load_settings
from fullon_graphql.config.checks import problems
from fullon_graphql.config.sources import Found, resolve, sources
from fullon_graphql.errors import SettingsError


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory without files of settings."""
    monkeypatch.chdir(tmp_path)
    for name in ("FULLON_ENV_FILE", "FULLON_CONFIG"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("FULLON_HOME", str(tmp_path))
    return tmp_path


def test_sources_have_their_order(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [load_settings().port]
    (folder / "demo.env").write_text("PORT='1001'\n")
    found.append(load_settings().port)
    (folder / "config.yml").write_text("port: 1002\n")
    found.append(load_settings().port)
    (folder / ".env").write_text("API_PORT=1003\n")
    found.append(load_settings().port)
    monkeypatch.setenv("MASTER_API_PORT", "1004")
    found.append(load_settings().port)
    assert found == [8000, 1001, 1002, 1003, 1004]


def test_origin_of_a_value_is_known(folder: Path) -> None:
    (folder / ".env").write_text("API_PORT=1003\nHOST=\n")
    assert resolve(Settings.model_fields, sources()) == {"port": Found("1003", ".env", "API_PORT")}


def test_other_files_are_read_if_they_are_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / ".env").write_text("PORT=1\n")
    (folder / "staging.env").write_text("HOST=staging\n")
    (folder / "other.yml").write_text("db: {name: other}\n")
    monkeypatch.setenv("FULLON_ENV_FILE", "staging.env")
    monkeypatch.setenv("FULLON_CONFIG", str(folder / "other.yml"))
    settings = load_settings()
    assert (settings.port, settings.host, settings.db_name) == (8000, "staging", "other")
    monkeypatch.setenv("FULLON_CONFIG", "absent.yml")
    with pytest.raises(SettingsError, match=r"FULLON_CONFIG names absent\.yml, which does not exist"):
        load_settings()


PLATFORM = """
services:
  orm_api:
    instances: ["http://localhost:8001"]
    timeout: 30s
auth:
  jwt_secret: "${MY_SECRET}"
  token_expiry: "24h"
load_balancer:
  strategy: "round_robin"
  circuit_breaker:
    failure_threshold: 3
    timeout: 45s
cors_origins: ["https://app.example"]
DB:
  Port: 5433
  password: null
"""


def test_keys_of_the_platform_are_understood(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "config.yml").write_text(PLATFORM)
    (folder / ".env").write_text("my_secret=from-env-file\n")
    settings = load_settings()
    assert settings.jwt_secret_key.get_secret_value() == "from-env-file"
    assert settings.jwt_expiration_minutes == 1440
    assert (settings.circuit_breaker_threshold, settings.circuit_breaker_timeout) == (3, 45.0)
    assert settings.cors_origins == ["https://app.example"]
    assert settings.db_port == 5433
    assert settings.db_password.get_secret_value() == ""
    found = list(problems(sources(), settings))
    assert [problem.partition(" in ")[0] for problem in found[:-1]] == [
        "LOAD_BALANCER_STRATEGY",
        "ORM_API_ENDPOINTS",
        "SERVICES_ORM_API_TIMEOUT",
    ]
    assert found[-1].startswith("Access tokens are valid for 1440 minutes")


@pytest.mark.parametrize(("text", "message"), [("a: [", "is no valid YAML"), ("- 1", "must be a mapping of settings")])
def test_broken_file_is_named(folder: Path, text: str, message: str) -> None:
    (folder / "config.yml").write_text(text)
    with pytest.raises(SettingsError, match=rf"config\.yml {message}"):
        load_settings()


def test_unknown_names_with_a_prefix_of_ours_are_reported(folder: Path) -> None:
    (folder / ".env").write_text(
        "DB_HOTS=x\nEX_ID_3_SECRET=hidden\nEX_ID_X=hidden\nJAEGER_ENDPOINT=x\nEDITOR=vi\nFULLON_HOME=x\n"
    )
    (folder / "config.yml").write_text("editor: vi\n")
    found = list(problems(sources(), load_settings()))
    assert found[0] == "DB_HOTS in .env is not a setting. Did you mean DB_HOST?"
    assert found[1] == "EX_ID_X in .env is not a setting."
    assert found[2] == "JAEGER_ENDPOINT in .env has no effect: traces are not exported yet."
    assert found[3:] == ["EDITOR in config.yml is not a setting."]
    assert "hidden" not in "".join(found)
