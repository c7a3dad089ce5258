"""From what a client presents to who it is: the one question every face asks first."""

from __future__ import annotations

from fullon_graphql.auth.credentials import ApiKeyValue, BearerToken, Credential
from fullon_graphql.auth.principal import Anonymous, Caller
from fullon_graphql.errors import Unauthenticated
from fullon_graphql.services.api_keys import ApiKeys
from fullon_graphql.services.sessions import Sessions


async def identify(credential: Credential, sessions: Sessions, api_keys: ApiKeys) -> Caller:
    """The caller behind `credential`; `Anonymous` with the reason where it is no good.

    What needs nobody in particular stays open to such a caller. A store that does not answer raises: it is no reason
    to call somebody a stranger.
    """
    try:
        match credential:
            case BearerToken(token):
                return await sessions.identify_token(token)
            case ApiKeyValue(key):
                return await api_keys.identify_api_key(key)
            case None:
                return Anonymous()
    except Unauthenticated as refusal:
        return Anonymous(refusal.message)
