"""Settings have a meaning, and the platform's names of settings are explained."""

from __future__ import annotations

import re

import pytest

from fullon_graphql.config import Settings
from fullon_graphql.config.platform_names import ALIASES, WITHOUT_EFFECT
from tests.docs.documents import ROOT

COMPATIBILITY = (ROOT / "docs/compatibility.md").read_text()


@pytest.mark.parametrize("name", Settings.model_fields)
def test_setting_has_a_meaning(name: str) -> None:
    assert Settings.model_fields[name].description


@pytest.mark.parametrize("name", sorted({*WITHOUT_EFFECT, *(alias for names in ALIASES.values() for alias in names)}))
def test_name_of_the_platform_is_explained(name: str) -> None:
    assert re.search(rf"^\|[^|]*`{name}`", COMPATIBILITY, re.MULTILINE)


def test_aliases_are_names_of_no_setting() -> None:
    assert {*ALIASES} <= {*Settings.model_fields}
    assert not {alias.lower() for names in ALIASES.values() for alias in names} & {*Settings.model_fields}
