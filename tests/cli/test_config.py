"""`fullon-graphql config`, and settings from files for every command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def run(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FULLON_")}
    return subprocess.run(
        [sys.executable, "-m", "fullon_graphql.cli", *arguments],
        cwd=folder, env=environment | {"PYTHONPATH": str(Path.cwd())} | variables, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip


def test_config_prints_values_and_sources_without_secrets(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("API_PORT=9000\nJWT_EXPIRY=24h\nDB_PASSWORD=hush-hush\nREDIS_PORTS=1\n")
    (tmp_path / "config.yml").write_text("auth: {jwt_secret: quiet-secret}\n")
    answer = run(tmp_path, "config", RATE_LIMIT_WINDOW="2m")
    assert answer.returncode == 0, answer.stderr
    lines = {line.split()[0]: line.split()[1:] for line in answer.stdout.splitlines()}
    assert lines["HOST"] == ["127.0.0.1", "default"]
    assert lines["PORT"] == ["9000", ".env", "(API_PORT)"]
    assert lines["JWT_EXPIRATION_MINUTES"] == ["1440", ".env", "(JWT_EXPIRY)"]
    assert lines["JWT_SECRET_KEY"] == ["[redacted]", "config.yml", "(JWT_SECRET)"]
    assert lines["DB_PASSWORD"] == ["[redacted]", ".env"]
    assert lines["REDIS_PASSWORD"] == ["-", "default"]
    assert lines["RATE_LIMIT_WINDOW"] == ["120", "environment"]
    assert lines["DATABASE_URL"][0] == "postgresql://[redacted]@localhost:5432/fullon2"
    assert lines["DATABASE_URL"][1:] == ["built", "from", "other", "settings"]
    assert not {"hush-hush", "quiet-secret"} & set((answer.stdout + answer.stderr).split())
    assert "hush" not in answer.stdout + answer.stderr
    assert "REDIS_PORTS in .env is not a setting. Did you mean REDIS_PORT?" in answer.stderr
    assert "Access tokens are valid for 1440 minutes" in answer.stderr


def test_env_file_of_the_option_is_read_by_every_command(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("REDIS_DB=1\n")
    (tmp_path / "staging.env").write_text("REDIS_DB=2\n")
    assert run(tmp_path, "cache", "url").stdout.strip() == "redis://localhost:6379/1"
    assert run(tmp_path, "--env-file", "staging.env", "cache", "url").stdout.strip() == "redis://localhost:6379/2"
    assert run(tmp_path, "--env-file", "absent.env", "cache", "url").returncode == 2


def test_invalid_setting_is_one_line_for_every_command(tmp_path: Path) -> None:
    answer = run(tmp_path, "cache", "url", REDIS_PORT="six")
    assert answer.returncode == 1
    assert answer.stderr.strip().splitlines() == [
        "REDIS_PORT in environment is invalid. Input should be a valid integer, unable to parse string as an integer."
    ]
