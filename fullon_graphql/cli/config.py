"""`fullon-graphql config`: every setting, its value and where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import typer
from pydantic import SecretStr

from fullon_graphql.config import Settings, load_settings
from fullon_graphql.config.checks import problems
from fullon_graphql.config.settings import SECTIONS
from fullon_graphql.config.sources import Found, resolve, sources, variable
from fullon_graphql.observability.redaction import REDACTED, redact


def config() -> None:
    """Print every setting, its value without secrets, and its source. Warn of names that are unknown or unused."""
    settings, searched = load_settings(), sources()
    found = resolve(Settings.model_fields, searched)
    rows = [
        (variable(field), _shown(getattr(settings, field)), _origin(field, settings, found))
        for section in SECTIONS
        for field in section.model_fields
    ]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for name, value, origin in rows:
        typer.echo(f"{name:{widths[0]}}  {value:{widths[1]}}  {origin}")
    for problem in problems(searched, settings):
        typer.secho(problem, fg="yellow", err=True)


def _shown(value: Any) -> str:
    match value:
        case SecretStr():
            return REDACTED if value.get_secret_value() else "-"
        case None | "" | []:
            return "-"
        case list():
            return redact(",".join(value))
        case _:
            return redact(str(value))


def _origin(field: str, settings: Settings, found: Mapping[str, Found]) -> str:
    if one := found.get(field):
        return one.source if one.name == variable(field) else f"{one.source} ({one.name})"
    is_default = getattr(settings, field) == Settings.model_fields[field].default
    return "default" if is_default else "built from other settings"
