"""Keys of exchange accounts in variables and in files."""

from __future__ import annotations

from pathlib import Path

import pytest

from fullon_graphql.config.exchange_keys import account_secrets, all_account_secrets, exchange_keys
from fullon_graphql.errors import SettingsError


def test_keys_are_read_from_variables_and_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("secret-in-a-file\n")
    monkeypatch.setenv("EX_ID_7_KEY", "key-of-7")
    monkeypatch.setenv("EX_ID_7_SECRET_FILE", str(file))
    monkeypatch.setenv("EX_ID_7_PASSWORD", "passphrase-of-7")
    monkeypatch.setenv("EX_ID_8_KEY", "key-of-8")
    keys = exchange_keys(7)
    assert keys is not None
    assert (keys.key, keys.secret, keys.password) == ("key-of-7", "secret-in-a-file", "passphrase-of-7")
    assert account_secrets(7) == all_account_secrets() == {"key-of-7", "secret-in-a-file", "passphrase-of-7"}
    assert "key-of-7" not in repr(keys)
    assert exchange_keys(9) is None
    with pytest.raises(SettingsError, match="EX_ID_8_SECRET is not"):
        exchange_keys(8)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="it is no text"):
        exchange_keys(7)
    file.unlink()
    with pytest.raises(SettingsError, match="cannot be read: No such file"):
        exchange_keys(7)
