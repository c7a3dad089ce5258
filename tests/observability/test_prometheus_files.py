"""The files in `deploy/observability`: valid for Prometheus, and about metrics that the server exports."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from fullon_graphql.observability.metrics import Metrics

FOLDER = Path(__file__).parents[2] / "deploy" / "observability"
ENDINGS = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}
needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="needs promtool, of the package prometheus"
)


def promtool(*arguments: str) -> None:
    done = subprocess.run(["promtool", *arguments], cwd=FOLDER, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def exported() -> set[str]:
    """The names of all series."""
    found = re.findall(r"^# TYPE (\w+) (\w+)$", Metrics().text().decode(), re.MULTILINE)
    names = {(name.removesuffix("_total"), kind) for name, kind in found}
    return {name + ending for name, kind in names for ending in ENDINGS[kind]}


def rules() -> Iterator[dict[str, Any]]:
    for group in yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]:
        yield from group["rules"]


def dashboard_expressions() -> list[str]:
    panels = json.loads((FOLDER / "dashboard.json").read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel.get("targets", ())]


def test_rules_and_dashboard_use_metrics_of_the_server() -> None:
    expressions = [rule["expr"] for rule in rules()] + dashboard_expressions()
    used = {name for expression in expressions for name in re.findall(r"\bfullon_graphql_\w+", expression)}
    assert used - exported() == set()
    assert len(used) > 30


def test_every_alert_has_a_severity_a_text_and_a_test() -> None:
    tested = (FOLDER / "alerts_test.yml").read_text()
    for rule in rules():
        assert rule["labels"]["severity"] in {"critical", "warning"}, rule["alert"]
        assert rule["annotations"].keys() == {"summary", "description"}, rule["alert"]
        assert re.search(rf"\b{rule['alert']}\b", tested), rule["alert"]


def test_panels_have_a_title_a_unit_and_a_place_of_their_own() -> None:
    panels = json.loads((FOLDER / "dashboard.json").read_text())["panels"]
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels]
    assert len(set(places)) == len(places) == len({panel["title"] for panel in panels})
    assert all(panel["type"] == "row" or panel["fieldConfig"]["defaults"]["unit"] for panel in panels)


@needs_promtool
def test_configuration_is_valid() -> None:
    promtool("check", "config", "prometheus.yml")


@needs_promtool
def test_alerts_fire_as_their_tests_say() -> None:
    promtool("test", "rules", "alerts_test.yml")


@needs_promtool
def test_expressions_of_the_dashboard_are_valid(tmp_path: Path) -> None:
    expressions = [expression.replace("$__rate_interval", "5m") for expression in dashboard_expressions()]
    records = [{"record": f"panel_{number}", "expr": expression} for number, expression in enumerate(expressions)]
    file = tmp_path / "dashboard.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": records}]}))
    promtool("check", "rules", str(file))


@needs_promtool
def test_answer_of_the_server_is_valid() -> None:
    metrics = Metrics()
    metrics.operations.add("plan")
    metrics.http.add("/graphql", "POST", 200, 0.1)
    done = subprocess.run(["promtool", "check", "metrics"], input=metrics.text(), capture_output=True, check=False)
    assert b"error while linting" not in done.stderr
    assert done.returncode in {0, 3}, done.stderr  # 3: hints about style, such as names without a unit
