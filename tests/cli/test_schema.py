from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from fullon_graphql.cli import app

COMMITTED = Path(__file__).parents[2] / "schema.graphql"


def test_committed_schema_equals_the_code() -> None:
    printed = CliRunner().invoke(app, ["schema"])
    assert printed.exit_code == 0, printed.output
    assert COMMITTED.read_text() == printed.stdout, (
        "The schema has changed: run `make schema` and review the difference."
    )
