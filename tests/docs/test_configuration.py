from __future__ import annotations

import re

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from fullon_graphql.config import Settings
from tests.docs.documents import ROOT

_ROW = re.compile(r"^\| `([A-Z_]+)` \| (none|`[^`]*`) \| \S.* \|$", re.MULTILINE)


def test_every_setting_is_documented_with_its_default() -> None:
    documented = dict(_ROW.findall((ROOT / "docs/configuration.md").read_text()))
    assert documented == {variable(name, field): default(field) for name, field in Settings.model_fields.items()}


def variable(name: str, field: FieldInfo) -> str:
    return str(field.validation_alias or name).upper()


def default(field: FieldInfo) -> str:
    value = field.default
    text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
    return f"`{text}`" if text else "none"
