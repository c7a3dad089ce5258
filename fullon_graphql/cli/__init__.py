"""The command line: one file per command or group of commands."""

from __future__ import annotations

import os
from collections import UserDict
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from fullon_graphql.errors import SettingsError
from fullon_graphql.server.garbage import leave_memory_to_the_system, paused_collection

COMMANDS: Final = (
    "demo", "serve", "services", "config", "explain", "token",
    "schema", "daemon", "documents", "mcp", "user", "db", "audit", "cache", "ohlcv", "exchanges",
)  # fmt: skip
"""The commands in the order of `--help`. Each is a module: a function of the same name, or `app`, a group."""


class LazyCommands(UserDict[str, Any]):
    """The commands by name. The module of a command is imported when the command is looked up.

    So the services process does not import the server, and the supervisor of workers does not import the application.
    """

    def __init__(self) -> None:
        super().__init__(dict.fromkeys(COMMANDS))

    def __getitem__(self, name: str) -> Any:
        if name in COMMANDS and self.data[name] is None:
            self.data[name] = _load(name)
        return self.data[name]


def _load(name: str) -> Any:
    with paused_collection():
        module = import_module(f"{__name__}.{name}")
    group = getattr(module, "app", None)
    if group is None:
        single = typer.Typer(add_completion=False)
        single.command(name)(getattr(module, name))
        return typer.main.get_command(single)
    command = typer.main.get_group(group)
    command.name = name
    return command


class LazyGroup(TyperGroup):
    """The group of all commands."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands = LazyCommands()


app = typer.Typer(cls=LazyGroup, no_args_is_help=True, pretty_exceptions_show_locals=False)


@app.callback()
def options(
    env_file: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="File of settings to read instead of .env.")
    ] = None,
) -> None:
    """GraphQL, REST and WebSocket server of the Fullon trading platform."""
    if env_file:
        os.environ["FULLON_ENV_FILE"] = str(env_file.absolute())  # so that workers and the services process read it too


def main() -> None:
    """Run the command that the arguments name. Invalid settings are a message and exit code 1."""
    leave_memory_to_the_system()
    try:
        app()
    except SettingsError as error:
        typer.secho(str(error), fg="red", err=True)
        raise SystemExit(1) from error
