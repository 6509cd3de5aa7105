"""Which addresses a node may call: a peer's URL is a stranger's text, and must not lead into our own network (SSRF).

https only and public addresses only, unless the admin allowed otherwise. The addresses that were checked are the ones
that are connected to: the resolver here is the connector's own, so no second look-up can give another answer.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import Final

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from typing_extensions import override
from yarl import URL

from node.transport.errors import AddressRefused

MAX_URL: Final = 255
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_GLOBAL_UNICAST: Final = ipaddress.ip_network("2000::/3")
"""All of IPv6 that is given out (RFC 4291, section 2.4, and IANA's registry). What lies outside is reserved, a
network's own (site-local, or a translator as in RFC 8215), or an IPv4 address in old clothes."""


def check_url(text: str, *, allow_http: bool, allow_private: bool) -> URL:
    """Return a peer's base URL, if this node may call it.

    Raises:
        AddressRefused: in words for the admin.
    """
    try:
        url = URL(text)
    except ValueError:
        raise AddressRefused(f"The peer's address {text[:MAX_URL]!r} is not a URL.") from None
    if len(text) > MAX_URL or url.scheme not in ("https", "http") or not url.host:
        raise AddressRefused(f"The peer's address {text[:MAX_URL]!r} is not an https:// URL.")
    if url.user is not None or url.password is not None or url.query_string or url.fragment:
        raise AddressRefused(f"The peer's address on {url.host} carries more than a host and a path.")
    if url.scheme == "http" and not allow_http:
        raise AddressRefused(
            f"The peer's address {url} is plain http.",
            advice="Ask the peer for an https:// address; or, on a line that you trust, set sync.allow_http = true in "
            "accord.toml and start the node anew.",
        )
    if not allow_private and _literal(url.host) is not None and not is_public(url.host):
        raise refused_private(url.host)
    return url


def is_public(address: str) -> bool:
    """Tell whether an IP address is one of the open Internet, also if it is wrapped into an IPv6 one."""
    found = _literal(address)
    if found is None:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo or (None, None))[1]
        if inner is None and found in _NAT64:
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inner is not None:
            found = inner
        elif found not in _GLOBAL_UNICAST:
            return False
    return found.is_global and not found.is_multicast


def found_only_here(url: str) -> bool:
    """Tell whether a URL leads other machines nowhere or to themselves: its host is the loopback, or no address."""
    try:
        host = URL(url).host or ""
    except ValueError:
        return True
    found = _literal(host)
    if found is None:
        return host in ("", "localhost") or host.endswith(".localhost")
    return found.is_loopback or found.is_unspecified


def refused_private(host: str) -> AddressRefused:
    """Return the error for a peer inside our own network."""
    return AddressRefused(
        f"The peer's address {host} is inside a private network.",
        advice="If the peer really is in your own network, set sync.allow_private_peers = true in accord.toml and "
        "start the node anew.",
    )


class GuardedResolver(AbstractResolver):
    """Resolves names for the connector and refuses what is not public."""

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._resolver = ThreadedResolver()

    @override
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        if not self._allow_private and not all(is_public(one["host"]) for one in found):
            raise refused_private(host)
        return found

    @override
    async def close(self) -> None:
        await self._resolver.close()


def _literal(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
