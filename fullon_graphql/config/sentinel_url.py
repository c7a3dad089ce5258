"""URLs of Redis behind Sentinel: `redis+sentinel://user:password@host1:26379,host2:26379/service/db`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

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
    credentials, _, hosts = parts.netloc.rpartition("@")
    service, _, db = parts.path.strip("/").partition("/")
    query = dict(parse_qsl(parts.query))
    unknown = query.keys() - _OF_SENTINELS.keys()
    if not hosts or not service or not (db or "0").isdecimal() or unknown:
        reason = f"has the unknown option {shortened(min(unknown))}" if unknown else "is incomplete"
        raise SettingsError(f"REDIS_URL {reason}. With Sentinel it has the form {_EXAMPLE}.")
    user, _, password = credentials.partition(":")
    named = {"username": unquote(user), "password": unquote(password)}
    return SentinelUrl(
        tuple(parse_address(host, PORT) for host in hosts.split(",")),
        unquote(service),
        {"db": int(db or 0)} | {name: value for name, value in named.items() if value},
        {_OF_SENTINELS[name]: value for name, value in query.items()},
        parts.scheme == "rediss+sentinel",
    )


def parse_address(host: str, default_port: int) -> tuple[str, int]:
    """The host and the port of `host`, `host:port` or `[address]:port`.

    Raises:
        SettingsError: the port is not a number.
    """
    name, _, port = host.rpartition(":") if not host.endswith("]") else (host, "", "")
    if not name:
        name, port = host, ""
    if port and not port.isdecimal():
        raise SettingsError(f"REDIS_URL has the address {shortened(host)} without a port of digits.")
    return name.strip("[]"), int(port or default_port)
