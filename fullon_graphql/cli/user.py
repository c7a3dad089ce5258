"""`fullon-graphql user`: accounts, from the command line. Passwords are never arguments: those show in `ps`."""

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

app = typer.Typer(help="Accounts: create, give a new password, list.", no_args_is_help=True)

Mail = Annotated[str, typer.Argument(help="The mail the account signs in with.")]
PasswordStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]


@app.command()
def create(
    mail: Mail,
    name: Annotated[str, typer.Option(help="First name.")] = "",
    lastname: Annotated[str, typer.Option(help="Last name.")] = "",
    admin: Annotated[bool, typer.Option("--admin", help="Make it an administrator.")] = False,
    password_stdin: PasswordStdin = False,
) -> None:
    """Create an active account; asks for its password."""
    password = _password(password_stdin)
    role = Role.ADMIN if admin else Role.USER
    uid = with_database(
        lambda database, _: create_account(database, mail, password, role=role, name=name, lastname=lastname)
    )
    typer.echo(f"Created account {uid} for {mail}.")


@app.command()
def passwd(mail: Mail, password_stdin: PasswordStdin = False) -> None:
    """Give an account a new password and end all its sessions."""
    password = _password(password_stdin)
    with_database(lambda database, settings: _change_password(database, settings, mail, password))
    typer.echo(f"Changed the password of {mail}; all its sessions have ended.")


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
