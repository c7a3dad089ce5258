"""Questionable but valid settings: names that are unknown or have no effect, and long-lived tokens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from fullon_graphql.config.platform_names import (
    INTERNAL_VARIABLES,
    OTHER_VARIABLES,
    PREFIXES,
    WITHOUT_EFFECT,
    is_exchange_key,
)
from fullon_graphql.config.settings import WARNED_EXPIRATION, Settings
from fullon_graphql.config.sources import Source, names


def problems(searched: Iterable[Source], settings: Settings) -> Iterator[str]:
    """One sentence for each questionable name and value. No value of an unknown name is repeated."""
    known = {name for field in Settings.model_fields for name in names(field)}
    for source in searched:
        for name in sorted(set(source.values) - known - OTHER_VARIABLES.keys() - INTERNAL_VARIABLES):
            if is_exchange_key(name):
                continue
            if reason := WITHOUT_EFFECT.get(name):
                yield f"{name} in {source.title} has no effect: {reason}."
            elif source.is_ours or name.startswith(PREFIXES):
                closest = get_close_matches(name, known, n=1, cutoff=0.8)
                hint = f" Did you mean {closest[0]}?" if closest else ""
                yield f"{name} in {source.title} is not a setting.{hint}"
    if settings.jwt_expiration_minutes > WARNED_EXPIRATION:
        yield (
            f"Access tokens are valid for {settings.jwt_expiration_minutes} minutes (JWT_EXPIRATION_MINUTES). "
            f"{WARNED_EXPIRATION} or fewer are recommended: clients renew them with their refresh token."
        )
