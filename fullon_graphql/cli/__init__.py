"""The command line: one file per command or group of commands."""

from __future__ import annotations

import typer

from fullon_graphql.cli import audit, cache, db, demo, documents, explain, ohlcv, schema, serve, services, token, user

app = typer.Typer(
    help="GraphQL, REST and WebSocket server of the Fullon trading platform.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)
app.command()(demo.demo)
app.command()(serve.serve)
app.command()(services.services)
app.command()(explain.explain)
app.command()(token.token)
app.add_typer(schema.app, name="schema")
app.add_typer(documents.app, name="documents")
app.add_typer(user.app, name="user")
app.add_typer(db.app, name="db")
app.add_typer(audit.app, name="audit")
app.add_typer(cache.app, name="cache")
app.add_typer(ohlcv.app, name="ohlcv")


def main() -> None:
    """Run the command that the arguments name."""
    app()
