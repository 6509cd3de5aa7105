"""HTTP to a peer: a request of frames out, a bounded answer back. Trusts nothing that it gets; others verify it.

Never follows a redirect, never sends a cookie or a product name, never decompresses, never retries.
"""

from __future__ import annotations

import email.utils
import io
import math
import ssl
from dataclasses import dataclass
from typing import Final

import aiohttp
from yarl import URL

from node.clock import Clock
from node.errors import PeerError
from node.transport.addresses import GuardedResolver, check_url
from node.transport.errors import PeerBusy, PeerNonsense, PeerUnknown, PeerUnreachable, PeerUntrusted
from node.transport.wire import CONTENT_TYPE, EXCHANGE_PATH, MAX_EXCHANGE, PAIR_PATH
from protocol.handshake import MAX_HANDSHAKE

TOTAL_SECONDS: Final = 60
"""A whole exchange, 8 MiB over a slow line included (wire protocol, limits)."""
CONNECT_SECONDS: Final = 10
KEEPALIVE_SECONDS: Final = 30
_LARGE: Final = 1 << 20
_OK: Final = 200
_BUSY: Final = (429, 502, 503, 504)
_NOT_FOUND: Final = 404


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """What the admin allows. ``tls`` is for an organisation with a certificate authority of its own."""

    allow_http: bool = False
    allow_private: bool = False
    tls: ssl.SSLContext | None = None


class PeerClient:
    """One HTTP client for all peers of a node; they share no cookie and no header."""

    def __init__(self, settings: ClientSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """End all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def check(self, url: str) -> None:
        """Look whether this node may call a peer's base URL at all.

        Raises:
            AddressRefused: in words for the admin, with the setting that decides.
        """
        check_url(url, allow_http=self._settings.allow_http, allow_private=self._settings.allow_private)

    async def exchange(self, url: str, body: bytes) -> bytes:
        """Send one exchange to a peer's base URL and return the frames that it answers.

        Raises:
            PeerError: of the kinds in `node.transport.errors`.
        """
        return await self._post(url, EXCHANGE_PATH, body, MAX_EXCHANGE)

    async def pair(self, url: str, message: bytes) -> bytes:
        """Send a pairing request to an inviter's base URL and return its answer.

        Raises:
            PeerError: of the kinds in `node.transport.errors`.
        """
        return await self._post(url, PAIR_PATH, message, MAX_HANDSHAKE)

    async def _post(self, base: str, path: str, body: bytes, limit: int) -> bytes:
        url = check_url(base, allow_http=self._settings.allow_http, allow_private=self._settings.allow_private)
        target = url / path.lstrip("/")
        try:
            async with self._opened().post(
                target, data=_payload(body), headers={"Content-Type": CONTENT_TYPE}, allow_redirects=False
            ) as response:
                if response.status != _OK:
                    raise _refusal(url, response.status, self._retry_after(response))
                return await _bounded(url, response, limit)
        except PeerError:
            raise
        except (ssl.SSLError, aiohttp.ClientSSLError) as error:
            raise _untrusted(url, error) from error
        except TimeoutError as error:
            raise PeerUnreachable(f"The peer at {url.host} did not answer in time.", advice=_LATER) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if isinstance(error.__cause__, PeerError):
                raise error.__cause__ from None
            raise PeerUnreachable(
                f"The peer at {url.host} cannot be reached ({type(error).__name__}).", advice=_LATER
            ) from error

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    resolver=GuardedResolver(allow_private=self._settings.allow_private),
                    ssl=self._settings.tls if self._settings.tls is not None else True,
                    use_dns_cache=False,
                    keepalive_timeout=KEEPALIVE_SECONDS,
                    limit=0,
                ),
                timeout=aiohttp.ClientTimeout(total=TOTAL_SECONDS, sock_connect=CONNECT_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=("User-Agent", "Accept-Encoding"),
                auto_decompress=False,
            )
        return self._session

    def _retry_after(self, response: aiohttp.ClientResponse) -> float | None:
        """Read Retry-After, in seconds or as a date (RFC 9110 section 10.2.3); nonsense counts as absent."""
        text = response.headers.get("Retry-After", "").strip()
        if text.isascii() and text.isdigit():
            return min(float(text[:9]), math.ldexp(1, 31))
        try:
            return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - self._clock.now_ms() / 1_000)
        except (TypeError, ValueError, OverflowError):
            return None


_LATER: Final = "It is tried again by itself. If this lasts, ask the peer's admin, or check the network between you."


def _payload(body: bytes) -> bytes | io.BytesIO:
    """Return a large body as a file, which aiohttp writes piece by piece and so leaves the loop to others."""
    return body if len(body) <= _LARGE else io.BytesIO(body)


def _untrusted(url: URL, error: BaseException) -> PeerUntrusted:
    cause = error.certificate_error if isinstance(error, aiohttp.ClientConnectorCertificateError) else error
    why = f" ({cause.verify_message})" if isinstance(cause, ssl.SSLCertVerificationError) else ""
    return PeerUntrusted(
        f"The certificate of the peer at {url.host} is not trusted{why}; nothing was sent.",
        advice="If an authority of your own issued it, name that authority's certificate as tls.ca_file in accord.toml "
        "and start the node anew; otherwise ask the peer's admin to look at the certificate.",
    )


def _refusal(url: URL, status: int, retry_after: float | None) -> PeerError:
    if status in _BUSY:
        return PeerBusy(f"The peer at {url.host} asks for patience (HTTP {status}).", retry_after=retry_after)
    if status == _NOT_FOUND:
        return PeerUnknown(
            f"The node at {url.host} does not know this connection, or does not believe us.",
            advice="Ask its admin whether the connection still exists there and whether the address is right.",
        )
    return PeerNonsense(
        f"The peer at {url.host} answered HTTP {status}, which the protocol does not know.",
        advice="Ask its admin what stands in front of the node: a proxy, a login page or a redirect does not fit.",
    )


async def _bounded(url: URL, response: aiohttp.ClientResponse, limit: int) -> bytes:
    """Read an answer that is no larger and no stranger than it may be."""
    if response.content_type != CONTENT_TYPE or response.headers.get("Content-Encoding", "identity") != "identity":
        raise PeerNonsense(
            f"What answers at {url.host} is not an Accord node.",
            advice="Check the peer's address with its admin; a proxy or another program seems to answer there.",
        )
    chunks = bytearray()
    async for chunk in response.content.iter_any():
        chunks += chunk
        if len(chunks) > limit:
            raise PeerNonsense(f"The peer at {url.host} answered more than {limit:,} bytes; the rest was not read.")
    return bytes(chunks)
