"""The parts that the URLs of Redis Cluster and of Redis behind Sentinel have in common."""

from __future__ import annotations

from urllib.parse import unquote

from fullon_graphql.errors import SettingsError, shortened


def parse_authority(netloc: str) -> tuple[dict[str, str], str]:
    """`username` and `password`, as far as they are given, and the addresses of `user:password@addresses`."""
    credentials, _, addresses = netloc.rpartition("@")
    user, _, password = credentials.partition(":")
    named = {"username": unquote(user), "password": unquote(password)}
    return {name: value for name, value in named.items() if value}, addresses


def parse_addresses(addresses: str, default_port: int) -> tuple[tuple[str, int], ...]:
    """The host and the port of each address: `host`, `host:port` or `[address]:port`, separated by commas.

    Raises:
        SettingsError: a port is not a number.
    """
    return tuple(_parse_address(address, default_port) for address in addresses.split(","))


def _parse_address(host: str, default_port: int) -> tuple[str, int]:
    name, _, port = host.rpartition(":") if not host.endswith("]") else (host, "", "")
    if not name:
        name, port = host, ""
    if port and not port.isdecimal():
        raise SettingsError(f"REDIS_URL has the address {shortened(host)} without a port of digits.")
    return name.strip("[]"), int(port or default_port)
