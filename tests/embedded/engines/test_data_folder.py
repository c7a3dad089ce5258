from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from dotenv import dotenv_values
from hypothesis import given
from hypothesis import strategies as st

from fullon_graphql.config import demo_env_file, load_settings
from fullon_graphql.embedded import remove_demo_env, write_demo_env


def test_command_finds_the_stores_of_a_running_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FULLON_HOME", str(tmp_path))
    write_demo_env(demo_env_file(), {"DATABASE_URL": "postgresql://postgres@/fullon2?host=/a b", "PORT": "8100"})
    assert load_settings().database_url == "postgresql://postgres@/fullon2?host=/a b"
    assert load_settings().port == 8100
    remove_demo_env(demo_env_file())
    remove_demo_env(demo_env_file())
    assert load_settings().port == 8000


def test_demo_env_has_mode_600_and_is_replaced_by_a_second_demo(tmp_path: Path) -> None:
    file = tmp_path / "demo.env"
    write_demo_env(file, {"PORT": "1", "REDIS_URL": "old"})
    write_demo_env(file, {"PORT": "2"})
    assert file.stat().st_mode & 0o777 == 0o600
    assert dotenv_values(file) == {"PORT": "2"}
    assert list(tmp_path.iterdir()) == [file]


@given(st.text(st.characters(exclude_characters="$\r", exclude_categories=("Cs", "Cc"))))
def test_value_is_read_as_it_was_written(value: str) -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "demo.env"
        write_demo_env(file, {"VALUE": value})
        assert dotenv_values(file) == {"VALUE": value}
