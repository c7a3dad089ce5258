"""Writes docs/configuration.md and .env.example from the settings in the code, into the folder that is named."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import wrap

from pydantic import SecretStr

from fullon_graphql.config import Settings
from fullon_graphql.config.platform_names import ALIASES, OTHER_VARIABLES
from fullon_graphql.config.settings import SECTIONS, Section
from fullon_graphql.config.sources import variable

INTRODUCTION = """\
# Settings

Written from the code by `make settings`. Names are the platform's if it has one; other names that it uses are given \
as "also". An empty value counts as absent. An invalid value stops the start with a message that names the setting.

A setting is read from these sources; the first one that has it decides:

1. the environment;
2. `.env` in the working directory, or the file that `fullon-graphql --env-file FILE` names;
3. `config.yml` in the working directory, or the file that `FULLON_CONFIG` names;
4. the file of a running demo with the same `FULLON_HOME`;
5. the default.

`fullon-graphql config` prints every setting with its value and source, without secrets, and warns of names that are \
unknown or have no effect.

In `config.yml`, a key is the name of a setting in any letter case; the keys of nested sections are joined with `_`. \
`${NAME}` is replaced with the variable. The platform's own keys are understood too:

```yaml
auth:
  jwt_secret: "${JWT_SECRET}"
  token_expiry: "24h"
load_balancer:
  circuit_breaker:
    failure_threshold: 5
    timeout: 30s
db:
  host: db.internal
cors_origins: ["https://app.example.com"]
```
"""


def configuration() -> Iterator[str]:
    """The page, part by part."""
    yield INTRODUCTION
    for section in SECTIONS:
        yield f"\n## {section.title}\n\n"
        if section.introduction:
            yield f"{section.introduction}\n\n"
        yield "| Variable | Default | Meaning |\n|---|---|---|\n"
        for name, default, meaning in _settings(section):
            shown = f"`{default}`" if default else "none"
            yield f"| `{variable(name)}` | {shown} | {meaning}{_also(name)} |\n"
    yield "\n## Not settings\n\nThese are read from the environment only.\n\n| Variable | Meaning |\n|---|---|\n"
    yield from (f"| `{name}` | {meaning} |\n" for name, meaning in OTHER_VARIABLES.items())


def env_example() -> Iterator[str]:
    """The file, part by part. Each setting is commented out, so that an unchanged copy changes nothing."""
    yield "# Copy this file to .env and set what differs from the default. Written by `make settings`.\n"
    for section in SECTIONS:
        yield f"\n# ---- {section.title} ----\n"
        for name, default, meaning in _settings(section):
            yield "\n"
            yield from (f"# {line}\n" for line in wrap(_plain(meaning), 118))
            secret = Settings.model_fields[name].annotation is SecretStr
            yield f"#{variable(name)}={'' if secret else default}\n"


def _settings(section: type[Section]) -> Iterator[tuple[str, str, str]]:
    """The name, default and meaning of each setting of a section."""
    for name, field in section.model_fields.items():
        yield name, _text(field.default), field.description or ""


def _also(name: str) -> str:
    aliases = ", ".join(f"`{alias}`" for alias in ALIASES.get(name, ()))
    return f"; also {aliases}" if aliases else ""


def _plain(meaning: str) -> str:
    """Markdown without its marks."""
    return re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", meaning.replace("`", ""))


def _text(default: object) -> str:
    match default:
        case SecretStr():
            return default.get_secret_value()
        case None:
            return ""
        case list():
            return json.dumps(default)
        case _:
            return str(default)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    (folder / "docs").mkdir(exist_ok=True)
    (folder / "docs" / "configuration.md").write_text("".join(configuration()))
    (folder / ".env.example").write_text("".join(env_example()))
