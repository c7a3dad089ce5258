"""URLs of Redis Cluster: `redis+cluster://user:password@host1:6379,host2:6379`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from fullon_graphql.config.url_parts import parse_addresses, parse_authority
from fullon_graphql.errors import SettingsError

SCHEMES: Final = ("redis+cluster", "rediss+cluster")
PORT: Final = 6379

_EXAMPLE: Final = "redis+cluster://host1:6379,host2:6379"


@dataclass(frozen=True, slots=True, repr=False)
class ClusterUrl:
    """The parts of a URL. `rediss+cluster` means TLS to all nodes."""

    nodes: tuple[tuple[str, int], ...]
    """Nodes that are asked for the others."""
    options: dict[str, Any]
    """Options of connections: `username` and `password`, as far as they are given."""
    tls: bool


def is_cluster_url(url: str) -> bool:
    """True if Redis is a cluster."""
    return url.partition("://")[0] in SCHEMES


def parse_cluster_url(url: str) -> ClusterUrl:
    """The parts of a URL.

    Raises:
        SettingsError: a part is missing, or is not of this form.
    """
    parts = urlsplit(url)
    credentials, hosts = parse_authority(parts.netloc)
    if not all(hosts.split(",")) or parts.path.strip("/") not in ("", "0") or parts.query:
        reason = "names a database or an option" if hosts else "is incomplete"
        raise SettingsError(f"REDIS_URL {reason}. For a cluster it has the form {_EXAMPLE}.")
    return ClusterUrl(parse_addresses(hosts, PORT), credentials, parts.scheme == "rediss+cluster")
