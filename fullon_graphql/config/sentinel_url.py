"""URLs of Redis behind Sentinel: `redis+sentinel://user:password@host1:26379,host2:26379/service/db`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from fullon_graphql.config.url_parts import parse_addresses, parse_authority
from fullon_graphql.errors import SettingsError, shortened

SCHEMES: Final = ("redis+sentinel", "rediss+sentinel")
PORT: Final = 26379

_EXAMPLE: Final = "redis+sentinel://host1:26379,host2:26379/service/0"
_OF_SENTINELS: Final = {"sentinel_username": "username", "sentinel_password": "password"}


@dataclass(frozen=True, slots=True, repr=False)
class SentinelUrl:
    """The parts of a URL. `rediss+sentinel` means TLS to Redis and to the Sentinels."""

    sentinels: tuple[tuple[str, int], ...]
    service: str
    options: dict[str, Any]
    """Options of connections to Redis: `db`, `username` and `password`, as far as they are given."""
    sentinel_options: dict[str, Any]
    """The same of connections to the Sentinels."""
    tls: bool


def is_sentinel_url(url: str) -> bool:
    """True if Sentinel knows the address of Redis."""
    return url.partition("://")[0] in SCHEMES


def parse_sentinel_url(url: str) -> SentinelUrl:
    """The parts of a URL; `sentinel_username` and `sentinel_password` in its query are for the Sentinels.

    Raises:
        SettingsError: a part is missing, or is not of this form.
    """
    parts = urlsplit(url)
    credentials, hosts = parse_authority(parts.netloc)
    service, _, db = parts.path.strip("/").partition("/")
    query = dict(parse_qsl(parts.query))
    unknown = query.keys() - _OF_SENTINELS.keys()
    if not hosts or not service or not (db or "0").isdecimal() or unknown:
        reason = f"has the unknown option {shortened(min(unknown))}" if unknown else "is incomplete"
        raise SettingsError(f"REDIS_URL {reason}. With Sentinel it has the form {_EXAMPLE}.")
    return SentinelUrl(
        parse_addresses(hosts, PORT),
        unquote(service),
        {"db": int(db or 0)} | credentials,
        {_OF_SENTINELS[name]: value for name, value in query.items()},
        parts.scheme == "rediss+sentinel",
    )
