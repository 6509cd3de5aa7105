"""Which addresses a node may call."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.transport.addresses import GuardedResolver, check_url, found_only_here, is_public
from node.transport.errors import AddressRefused


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.1.2.3", "224.0.0.1",
        "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:10.0.0.1",
        "::ffff:127.0.0.1", "64:ff9b::10.0.0.1", "2002:0a00:0001::", "not an address",
        "fec0::1", "64:ff9b:1::10.0.0.1", "::ffff:0:10.0.0.1", "::10.0.0.1", "400::1",
    ],
)  # fmt: skip
def test_addresses_inside_a_network_are_not_public(address: str) -> None:
    """Loopback, private, link-local (cloud metadata), shared, multicast, and what wraps or stands for them in IPv6."""
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:93.184.216.34", "64:ff9b::93.184.216.34"]
)
def test_addresses_of_the_open_internet_are_public(address: str) -> None:
    """A peer is usually somewhere else."""
    assert is_public(address)


@given(st.ip_addresses(v=4))
def test_wrapping_never_makes_a_private_address_public(address: ipaddress.IPv4Address) -> None:
    """Whatever an IPv4 address is, its mapped form is the same."""
    assert is_public(f"::ffff:{address}") == is_public(str(address))


@pytest.mark.parametrize(
    "url",
    ["", "ftp://a.example", "https://", "example.com", "http://a.example", "https://user:pw@a.example",
     "https://a.example/?q=1", "https://a.example/#x", "https://10.0.0.1", "https://[::1]:8443",
     "https://" + "a" * 300 + ".example", "https://[bad"],
)  # fmt: skip
def test_a_url_that_may_not_be_called_is_refused_in_words(url: str) -> None:
    """Plain http, credentials, queries, private hosts, nonsense."""
    with pytest.raises(AddressRefused) as refusal:
        check_url(url, allow_http=False, allow_private=False)
    assert "pw" not in refusal.value.message.split()


def test_the_admin_can_allow_plain_http_and_private_hosts() -> None:
    """Two nodes in one building, or a demo on one machine."""
    assert check_url("http://127.0.0.1:8080", allow_http=True, allow_private=True).port == 8080
    assert check_url("https://a.example/accord", allow_http=False, allow_private=False).path == "/accord"


async def test_a_name_that_leads_inside_is_refused_where_it_is_resolved() -> None:
    """The resolver is the connector's own, so what was checked is what is called."""
    resolver = GuardedResolver(allow_private=False)
    with pytest.raises(AddressRefused):
        await resolver.resolve("localhost", 80)
    await resolver.close()
    open_resolver = GuardedResolver(allow_private=True)
    assert await open_resolver.resolve("localhost", 80)
    await open_resolver.close()


@pytest.mark.parametrize(
    ("url", "only_here"),
    [
        ("http://127.0.0.1:8470", True),
        ("http://127.8.9.1/accord", True),
        ("http://localhost:8470", True),
        ("http://[::1]:8470", True),
        ("http://0.0.0.0:8470", True),
        ("http://:::8470", True),
        ("https://accord.blue.example", False),
        ("https://192.168.1.5", False),
        ("https://localhost.blue.example", False),
    ],
)
def test_an_address_that_leads_others_to_themselves_is_known(url: str, only_here: bool) -> None:
    """The loopback, the address of all interfaces, and what is no address; a private network may hold partners."""
    assert found_only_here(url) is only_here
