"""The files of deploy/ as the tests read them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from fullon_graphql.config import Settings
from fullon_graphql.config.platform_names import OTHER_VARIABLES
from fullon_graphql.config.sources import variable

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"

VARIABLES = {variable(field) for field in Settings.model_fields} | OTHER_VARIABLES.keys()
"""The variables that the server reads."""

SECRET_VARIABLES = {"DATABASE_URL", "OHLCV_DATABASE_URL", "REDIS_URL", "JWT_SECRET_KEY", "METRICS_TOKEN"}
"""Those whose values no file may have."""


def documents(path: Path) -> list[dict[str, Any]]:
    """The YAML documents of a file."""
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def unknown_variables(names: Iterable[str]) -> set[str]:
    """Those of the variables that the server does not read."""
    return set(names) - VARIABLES


def seconds(text: str) -> float:
    """Seconds of `30s` or `2m`."""
    found = re.fullmatch(r"(\d+)(ms|s|m)", text)
    assert found, text
    return int(found[1]) * {"ms": 0.001, "s": 1, "m": 60}[found[2]]
