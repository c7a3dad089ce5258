"""`fullon-graphql token`: an access token for scripts and experiments."""

from __future__ import annotations

from typing import Annotated

import typer
from redis.asyncio import Redis

from fullon_graphql.auth.tokens import refuse_insecure_secret
from fullon_graphql.cli.connection import with_database
from fullon_graphql.config import Settings
from fullon_graphql.database import Database
from fullon_graphql.services.signing_in.sessions import Sessions
from fullon_graphql.services.signing_in.sign_in_log import SignIn
from fullon_graphql.services.user_admin import active_account


def token(mail: Annotated[str, typer.Argument(help="Mail of an active account.")]) -> None:
    """Print an access token of an account. It gives full access to the account until it expires."""

    async def opened(database: Database, settings: Settings) -> str:
        refuse_insecure_secret(settings)
        account = await active_account(database, mail)
        sessions = Sessions(database, Redis.from_url(settings.redis_url), settings)
        attempt = SignIn("command line", user_agent="fullon-graphql token")
        return (await sessions.open(account.uid, account.mail, attempt)).access_token

    typer.echo(with_database(opened))
