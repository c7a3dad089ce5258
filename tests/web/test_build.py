"""The output of the build of `web/`."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Final

import pytest

from fullon_graphql.transports.pages import STATIC
from tests.web.conftest import WEB

pytestmark = pytest.mark.usefixtures("pages")

FIRST_VIEW: Final = 300 * 1000
"""Bytes, packed, that a browser may need before the desk shows prices."""


def first_view(page: str) -> list[Path]:
    """The files that a page names, and those that they import statically."""
    found: list[Path] = []
    wanted = re.findall(r'(?:src|href)="/assets/([^"]+)"', (STATIC / page).read_text())
    while wanted:
        file = STATIC / "assets" / wanted.pop()
        if file in found:
            continue
        found.append(file)
        if file.suffix == ".js":
            wanted += re.findall(r'(?:from|import)\s*"\./([^"]+)"', file.read_text())
    return found


def test_first_view_of_desk_is_small_and_without_editor() -> None:
    files = first_view("desk.html")
    sizes = {file.name: len(gzip.compress(file.read_bytes())) for file in files}
    assert sum(sizes.values()) <= FIRST_VIEW, sizes
    assert not [name for name in sizes if "monaco" in name]


def test_pages_have_no_inline_script_or_style() -> None:
    for page in ("desk.html", "graphiql.html"):
        html = (STATIC / page).read_text()
        assert not re.search(r"<script(?![^>]*\bsrc=)", html)
        assert "<style" not in html
        assert not re.search(r'(?:src|href)="(?!/)', html)


def test_types_of_pages_hold() -> None:
    checked = subprocess.run(
        ["npx", "--no-install", "tsc", "--noEmit"], cwd=WEB, env=os.environ, capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout


def test_lock_file_names_no_registry() -> None:
    lock = json.loads((WEB / "package-lock.json").read_text())
    assert not [name for name, package in lock["packages"].items() if "resolved" in package]
