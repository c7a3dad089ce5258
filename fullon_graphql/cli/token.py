"""`fullon-graphql token`: an access token for scripts and experiments."""

from __future__ import annotations

from typing import Annotated

import typer

from fullon_graphql.auth.principal import ALL_SCOPES
from fullon_graphql.auth.tokens import refuse_insecure_secret
from fullon_graphql.cache.client import connect
from fullon_graphql.cli.connection import with_database
from fullon_graphql.config import Settings
from fullon_graphql.database import Database
from fullon_graphql.services.access import SCOPES
from fullon_graphql.services.signing_in.sessions import Sessions
from fullon_graphql.services.signing_in.sign_in_log import SignIn
from fullon_graphql.services.user_admin import active_account
from fullon_graphql.services.writing.checks import one_of


def token(
    mail: Annotated[str, typer.Argument(help="Mail of an active account.")],
    scope: Annotated[
        list[str] | None, typer.Option(help="Limit the token to this scope, e.g. orders:read; may be repeated.")
    ] = None,
) -> None:
    """Print an access token of an account. Without --scope it gives full access until it expires."""

    async def opened(database: Database, settings: Settings) -> str:
        refuse_insecure_secret(settings)
        account = await active_account(database, mail)
        attempt = SignIn("command line", user_agent="fullon-graphql token")
        scopes = {one_of(each, SCOPES, "scope") for each in scope} if scope else ALL_SCOPES
        async with connect(settings.redis_url, settings, "cli") as redis:
            sessions = Sessions(database, redis, settings)
            return (await sessions.open(account.uid, account.mail, attempt, scopes)).access_token

    typer.echo(with_database(opened))
