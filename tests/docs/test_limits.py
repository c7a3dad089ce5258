"""The table of limits against the settings."""

from __future__ import annotations

import re

from fullon_graphql.config import Settings
from tests.docs.documents import ROOT

_ROW = re.compile(r"^\| .+? \| (`[A-Z_]+`[^|]*) \| ([^|]+) \| [^|]+ \| [^|]+ \|$", re.MULTILINE)
_LIMIT = re.compile(
    r"(_limit|_per_\w+|_bytes|_backlog|^rate_limit_\w+|^(operation|db|redis|stream_execution)_timeout)$"
)


def test_every_limit_is_in_the_table_with_its_default() -> None:
    rows = _ROW.findall((ROOT / "docs/limits.md").read_text())
    documented = {tuple(re.findall(r"[A-Z_]{3,}", settings)): amount.strip() for settings, amount in rows}
    limits = {name for name in Settings.model_fields if _LIMIT.search(name)}
    assert {name.lower() for names in documented for name in names} == limits
    for names, amount in documented.items():
        for name in names:
            default = Settings.model_fields[name.lower()].default
            assert default in numbers(amount) or str(default) == amount, name


def numbers(text: str) -> set[float]:
    """The numbers in a text: `64 MiB`, `1 000 000`, `1000 per 60`."""
    joined = re.sub(r"(?<=\d) (?=\d{3})", "", text)
    found = {float(number) for number in re.findall(r"[\d.]+", joined)}
    return {number * 2**20 for number in found} if "MiB" in text else found


def test_counted_limits_are_those_of_the_table() -> None:
    documented = re.findall(r'limits_total\{limit="(\w+)"\}', (ROOT / "docs/limits.md").read_text())
    code = "".join(path.read_text() for path in (ROOT / "fullon_graphql").rglob("*.py"))
    counted = set(re.findall(r'count_limit\("(\w+)"\)', code)) | set(re.findall(r'"(SUBSCRIPTION_COST_\w+)"', code))
    assert counted == set(documented)
