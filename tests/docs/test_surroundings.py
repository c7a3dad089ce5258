"""The files around the code agree with the code."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.docs.documents import ROOT

DECISIONS = sorted((ROOT / "docs/decisions").glob("0*.md"))
_HEAD = re.compile(r"\A# (\d+)\. (.+)\n\nDate: (\d{4}-\d\d-\d\d)\. Status: (accepted|superseded)\b.*\.\n")

UNMIRRORED = {"data", "deploy", "docs", "e2e", "examples", "fixtures", "fuzz", "torture", "web"}
"""Folders of tests/ that belong to no folder of the package."""


@pytest.mark.parametrize("page", ["docs/configuration.md", ".env.example"])
def test_settings_are_documented_as_in_the_code(page: str, tmp_path: Path) -> None:
    subprocess.run([sys.executable, ROOT / ".ci/settings_pages.py", tmp_path], cwd=ROOT, check=True)
    assert (ROOT / page).read_text() == (tmp_path / page).read_text(), "A setting has changed: run `make settings`."


def test_tests_have_the_folders_of_the_package() -> None:
    folders = {path.parent.relative_to(ROOT / "tests") for path in (ROOT / "tests").rglob("test_*.py")}
    strays = {
        str(folder)
        for folder in folders
        if not {*folder.parts[:1]} & UNMIRRORED and not (ROOT / "fullon_graphql" / folder).is_dir()
    }
    assert strays == set()


def test_tests_at_the_top_cover_modules_at_the_top() -> None:
    names = {path.stem.removeprefix("test_") for path in (ROOT / "tests").glob("test_*.py")}
    modules = {path.stem for path in (ROOT / "fullon_graphql").glob("*.py")}
    assert names - {"package"} - modules == set()


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda path: path.name)
def test_decision_has_number_date_and_status(decision: Path) -> None:
    head = _HEAD.match(decision.read_text())
    assert head, decision.read_text()[:200]
    assert int(head[1]) == int(decision.name[:4])
    listed = (ROOT / "docs/decisions/README.md").read_text()
    assert f"{head[1]}. [{head[2]}]({decision.name})" in listed


def test_metadata_names_the_license_and_the_supported_versions_of_python() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["license"] == "MIT"
    assert (ROOT / "LICENSE").read_text().startswith("MIT License\n")
    tested = re.findall(r'"(3\.\d+)"', (ROOT / ".github/workflows/ci.yml").read_text())
    classified = [name.rpartition(" :: ")[2] for name in project["classifiers"] if re.search(r":: 3\.\d+$", name)]
    assert tested == classified
    assert project["requires-python"] == f">={tested[0]}"


def test_version_has_a_section_in_the_changelog() -> None:
    sections = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert sections[:2] == ["Unreleased", project["version"]]
