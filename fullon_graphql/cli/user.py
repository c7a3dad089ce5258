"""`fullon-graphql user`: accounts. Passwords are never arguments, which `ps` would show."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from fullon_graphql.cache.client import connect
from fullon_graphql.cli.connection import with_database
from fullon_graphql.config import Settings
from fullon_graphql.database import Database
from fullon_graphql.models import Role
from fullon_graphql.services.user_admin import all_accounts, create_account, set_password

app = typer.Typer(help="Create accounts, set passwords, list accounts.", no_args_is_help=True)

Mail = Annotated[str, typer.Argument(help="Mail of the account.")]
PasswordStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]


@app.command()
def create(
    mail: Mail,
    name: Annotated[str, typer.Option(help="First name.")] = "",
    lastname: Annotated[str, typer.Option(help="Last name.")] = "",
    admin: Annotated[bool, typer.Option("--admin", help="Give the account the role of administrator.")] = False,
    password_stdin: PasswordStdin = False,
) -> None:
    """Create an active account. Prompts for its password."""
    password = _password(password_stdin)
    role = Role.ADMIN if admin else Role.USER
    uid = with_database(
        lambda database, _: create_account(database, mail, password, role=role, name=name, lastname=lastname)
    )
    typer.echo(f"Created account {uid} for {mail}.")


@app.command()
def passwd(mail: Mail, password_stdin: PasswordStdin = False) -> None:
    """Set the password of an account and end all its sessions."""
    password = _password(password_stdin)
    with_database(lambda database, settings: _change_password(database, settings, mail, password))
    typer.echo(f"Changed the password of {mail} and ended all its sessions.")


@app.command("list")
def list_accounts() -> None:
    """List all accounts."""
    table = Table("uid", "mail", "role", "active")
    for account in with_database(lambda database, _: all_accounts(database)):
        table.add_row(str(account.uid), account.mail, account.role, "yes" if account.active else "no")
    Console().print(table)


async def _change_password(database: Database, settings: Settings, mail: str, password: str) -> None:
    async with connect(settings.redis_url, settings, "cli") as redis:
        await set_password(database, redis, mail, password)


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    password: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    return password
