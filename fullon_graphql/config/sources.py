"""Where settings come from: the environment, `.env`, `config.yml`, and the file of a running demo, in this order.

Names are compared in any letter case; an empty value counts as absent.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from dotenv import dotenv_values

from fullon_graphql.config.platform_names import ALIASES, CONFIG_KEYS
from fullon_graphql.errors import SettingsError

_REFERENCE: Final = re.compile(r"\$\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Source:
    """One source, and the values in it by name in capital letters."""

    title: str
    values: Mapping[str, Any]
    is_ours: bool = False
    """True if it contains settings of this project only, so that any other name is a mistake."""


@dataclass(frozen=True, slots=True)
class Found:
    """A value of a setting as it was written, the title of its source, and its name there."""

    value: Any
    source: str
    name: str


def home() -> Path:
    """The folder of a demo's state: `FULLON_HOME`, else `.fullon` in the working directory."""
    return Path(os.environ.get("FULLON_HOME", ".fullon")).expanduser().absolute()


def demo_env_file() -> Path:
    """The file with a running demo's settings; absent while none runs."""
    return home() / "demo.env"


def environment() -> Source:
    """The environment of this process."""
    return Source("environment", _by_name(os.environ))


def sources() -> list[Source]:
    """All sources, the strongest first.

    Raises:
        SettingsError: a file that is named does not exist, or config.yml is not a mapping.
    """
    env_file = _named_file("FULLON_ENV_FILE", ".env")
    variables = _by_name(dotenv_values(env_file)) if env_file else {}
    config_file = _named_file("FULLON_CONFIG", "config.yml")
    known = {**variables, **_by_name(os.environ)}
    found = [environment()]
    if env_file:
        found.append(Source(env_file.name, variables))
    if config_file:
        found.append(Source(config_file.name, _by_name(dict(_config_values(config_file, known))), is_ours=True))
    if demo_env_file().is_file():
        found.append(Source("demo.env", _by_name(dotenv_values(demo_env_file()))))
    return found


def resolve(fields: Iterable[str], searched: Iterable[Source]) -> dict[str, Found]:
    """The value of each field that a source has, from the strongest source.

    Raises:
        SettingsError: JWT_EXPIRY is a number without a unit.
    """
    found: dict[str, Found] = {}
    for source in searched:
        for field in fields:
            if field not in found and (one := _find(field, source)):
                found[field] = one
    return found


def variable(field: str) -> str:
    """The own name of a setting."""
    return "FULLON_DEMO" if field == "demo" else field.upper()


def names(field: str) -> tuple[str, ...]:
    """The names of a setting, its own first."""
    return (variable(field), *ALIASES.get(field, ()))


def _find(field: str, source: Source) -> Found | None:
    for name in names(field):
        value = source.values.get(name)
        if value is None or value == "":
            continue
        if name == "JWT_EXPIRY" and str(value).strip().isdigit():
            raise SettingsError(f"JWT_EXPIRY is {value!r} in {source.title}; it needs a unit, for example 24h or 90m.")
        return Found(value, source.title, name)
    return None


def _by_name(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values by name in capital letters. A name written in capital letters takes precedence over others."""
    return {name.upper(): value for name, value in sorted(values.items(), key=lambda pair: pair[0].isupper())}


def _named_file(name: str, default: str) -> Path | None:
    """The file that a variable names; else `default` in the working directory, if it exists."""
    if named := os.environ.get(name):
        if not Path(named).exists():
            raise SettingsError(f"{name} names {named}, which does not exist.")
        return Path(named)
    return Path(default) if Path(default).is_file() else None


def _config_values(file: Path, known: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The settings in a YAML file. Keys of nested sections are joined with `_`; `${NAME}` is a variable."""
    import yaml

    try:
        content = yaml.safe_load(file.read_text()) or {}
    except yaml.YAMLError as error:
        raise SettingsError(f"{file} is no valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise SettingsError(f"{file} must be a mapping of settings; its top level is a {type(content).__name__}.")
    for path, value in _leaves(content):
        yield CONFIG_KEYS.get(path, path.replace(".", "_")), _expand(value, known)


def _leaves(section: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in section.items():
        path = f"{prefix}{key}"
        if isinstance(value, dict):
            yield from _leaves(value, f"{path}.")
        else:
            yield path, value


def _expand(value: Any, known: Mapping[str, Any]) -> Any:
    if not isinstance(value, str):
        return value
    return _REFERENCE.sub(lambda reference: str(known.get(reference[1].upper()) or ""), value)
