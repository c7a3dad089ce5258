"""Prints .env.example: every setting with its default, and its meaning as docs/configuration.md has it."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import wrap

from pydantic import SecretStr

from fullon_graphql.config import Settings

_HEADING = re.compile(r"^## (.+)$")
_ROW = re.compile(r"^\| `([A-Z_]+)` \| (?:none|`[^`]*`) \| (.+) \|$")


def lines(configuration: str) -> Iterator[str]:
    """The file, line by line. Each setting is commented out, so that an unchanged copy changes nothing."""
    defaults = {
        str(field.validation_alias or name).upper(): field.default for name, field in Settings.model_fields.items()
    }
    yield "# Copy this file to .env and set what differs from the default. Written by `make env-example`."
    for line in configuration.splitlines():
        if heading := _HEADING.match(line):
            title = heading[1]
        elif (row := _ROW.match(line)) and row[1] in defaults:
            if title:
                yield f"\n# ---- {title} ----"
                title = ""
            yield ""
            yield from (f"# {part}" for part in wrap(_plain(row[2]), 118))
            yield f"#{row[1]}={_text(defaults[row[1]])}"


def _plain(meaning: str) -> str:
    """Markdown without its marks."""
    return re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", meaning.replace("`", ""))


def _text(default: object) -> str:
    match default:
        case SecretStr():
            return ""
        case list():
            return json.dumps(default)
        case _:
            return str(default)


if __name__ == "__main__":
    document = Path(__file__).parents[1] / "docs" / "configuration.md"
    sys.stdout.writelines(f"{line}\n" for line in lines(document.read_text()))
