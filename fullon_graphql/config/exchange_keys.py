"""Keys of exchange accounts, under the platform's names: `EX_ID_{n}_KEY` and `EX_ID_{n}_SECRET` of the account `n`."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fullon_graphql.config.platform_names import is_exchange_key
from fullon_graphql.config.sources import sources
from fullon_graphql.errors import SettingsError


@dataclass(frozen=True, slots=True, repr=False)
class ExchangeKeys:
    """The keys of an account. Some exchanges have a password beside the key and its secret."""

    key: str
    secret: str
    password: str = ""

    @property
    def secrets(self) -> frozenset[str]:
        """All values, to be left out of texts."""
        return frozenset(value for value in (self.key, self.secret, self.password) if value)


def exchange_keys(ex_id: int) -> ExchangeKeys | None:
    """The keys of an account, or None if it has no key. `…_FILE` names a file with the value.

    Raises:
        SettingsError: a file cannot be read, or there is a key without its secret.
    """
    key, secret, password = (_value(f"EX_ID_{ex_id}_{part}") for part in ("KEY", "SECRET", "PASSWORD"))
    if not key:
        return None
    if not secret:
        raise SettingsError(f"EX_ID_{ex_id}_KEY is set, but EX_ID_{ex_id}_SECRET is not.")
    return ExchangeKeys(key, secret, password)


def account_secrets(ex_id: int) -> frozenset[str]:
    """The values of the keys of an account that can be read, to be left out of texts."""
    with suppress(SettingsError):
        keys = exchange_keys(ex_id)
        return keys.secrets if keys else frozenset()
    return frozenset()


def all_account_secrets() -> frozenset[str]:
    """The same of all accounts with keys."""
    with suppress(SettingsError):
        names = {name for source in sources() for name in source.values if is_exchange_key(name)}
        return frozenset(
            value for number in {name.split("_")[2] for name in names} for value in account_secrets(int(number))
        )
    return frozenset()


def _value(name: str) -> str:
    for source in sources():
        if value := source.values.get(name):
            return str(value)
        if file := source.values.get(f"{name}_FILE"):
            try:
                return Path(str(file)).read_text().strip()
            except (OSError, ValueError) as error:
                why = error.strerror if isinstance(error, OSError) else "it is no text"
                raise SettingsError(f"{name}_FILE names {file}, which cannot be read: {why}.") from error
    return ""
