from __future__ import annotations

import pytest

from fullon_graphql.errors import BadUserInput
from fullon_graphql.services.webhooks.addresses import RefusedAddressError, is_public, parse_url, resolve

PRIVATE = [
    "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
    "240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "fe80::1%eth0", "fd00:ec2::254", "ff02::1",
    "::ffff:127.0.0.1", "::ffff:8.8.8.8", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:7f00:1::",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_private_address_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.216.34", "2606:4700::1111"])
def test_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/", "ftp://example.com/", "example.com", "https://", "https://user@example.com/",
        "https://user:pass@example.com/", "https://example.com/#part", "https://example.com/a b",
        "https://example.com/\r\nx: y", "https://example.com:0/", "https://example.com:99999/", "https://exämple.com/ä",
        "https://example.com/" + "a" * 2_000,
    ],
)  # fmt: skip
def test_url_is_refused(url: str) -> None:
    with pytest.raises(BadUserInput) as refusal:
        parse_url(url, private=False)
    assert refusal.value.field == "url"


def test_url_is_split_into_the_parts_of_a_request() -> None:
    endpoint = parse_url("https://Example.com/hook?a=b", private=False)
    assert (endpoint.is_secure, endpoint.authority, endpoint.target) == (True, "example.com", "/hook?a=b")
    endpoint = parse_url("http://[::1]:8080", private=True)
    assert (endpoint.is_secure, endpoint.authority, endpoint.target) == (False, "[::1]:8080", "/")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1", "2130706433", "0x7f.1", "[::1]"])
async def test_names_and_spellings_of_loopback_are_refused_unless_allowed(host: str) -> None:
    with pytest.raises(RefusedAddressError, match="private network"):
        await resolve(parse_url(f"https://{host}/", private=False), private=False)
    assert await resolve(parse_url(f"http://{host}/", private=True), private=True)


async def test_unknown_name_is_refused() -> None:
    with pytest.raises(RefusedAddressError, match="resolved"):
        await resolve(parse_url("https://nothing.invalid/", private=False), private=False)
