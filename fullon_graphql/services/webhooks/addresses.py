"""Addresses of webhooks: which URLs are allowed, and which network addresses a request may connect to.

The check of the name at creation helps the user. The one that protects is made at every request, which connects to
the checked address itself: a name that resolves differently the next time leads nowhere else.
"""

from __future__ import annotations

import asyncio
import re
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address
from typing import Final
from urllib.parse import urlsplit

from fullon_graphql.errors import BadUserInput, shortened

LONGEST_URL: Final = 2_000
RESOLVE_SECONDS: Final = 3.0
"""Limit of a look-up of a name."""

_PRINTABLE: Final = re.compile(r"[!-~]+")


class RefusedAddressError(Exception):
    """No request may be sent to this host. The message says why, without the address."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The parts of a URL that a request needs."""

    is_secure: bool
    host: str
    port: int
    target: str
    """Path and query."""

    @property
    def authority(self) -> str:
        """The value of the header `Host`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.is_secure else 80) else f"{host}:{self.port}"


def parse_url(url: str, *, private: bool) -> Endpoint:
    """The parts of a URL; `http` only if private networks are allowed.

    Raises:
        BadUserInput: it is not an absolute URL of this kind, or it has credentials or a fragment.
    """
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").encode("idna").decode(), parts.port
    except ValueError:
        raise _not_a_url(url, private=private) from None
    schemes = {"https", "http"} if private else {"https"}
    is_plain = len(url) <= LONGEST_URL and _PRINTABLE.fullmatch(url) and not parts.fragment and "@" not in parts.netloc
    if parts.scheme not in schemes or not host or not is_plain or port == 0:
        raise _not_a_url(url, private=private)
    is_secure = parts.scheme == "https"
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Endpoint(is_secure, host, port or (443 if is_secure else 80), target)


async def resolve(endpoint: Endpoint, *, private: bool) -> list[str]:
    """The network addresses of the host.

    Raises:
        RefusedAddressError: the name is unknown; or one of its addresses is private and `private` is false.
    """
    try:
        async with asyncio.timeout(RESOLVE_SECONDS):
            found = await asyncio.get_running_loop().getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError, UnicodeError):
        raise RefusedAddressError("The host name cannot be resolved.") from None
    addresses = list(dict.fromkeys(str(address[0]) for *_, address in found))
    if not private and not all(map(is_public, addresses)):
        raise RefusedAddressError("The host is in a private network, and WEBHOOK_PRIVATE_NETWORKS is false.")
    return addresses


def is_public(address: str) -> bool:
    """True for a unicast address of the internet.

    False for loopback, private, link-local (which has the metadata of clouds), shared, multicast and reserved
    addresses, and for IPv6 addresses that embed an IPv4 address.
    """
    ip = ip_address(address.partition("%")[0])
    return (
        ip.is_global
        and not ip.is_multicast
        and not ip.is_reserved  # with ::ffff:0:0/96 and 64:ff9b::/96
        and (isinstance(ip, IPv4Address) or ip.sixtofour is None)
    )


def _not_a_url(url: str, *, private: bool) -> BadUserInput:
    kind = "http or https" if private else "https"
    return BadUserInput(
        f"`url` must be an absolute {kind} URL of at most {LONGEST_URL} printable ASCII characters, without credentials"
        f" and fragment; got {shortened(url)}.",
        field="url",
    )
