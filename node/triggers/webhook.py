"""Takes webhooks: checks the token, stores the notice, answers. No work in the request, no trust in the order.

The token is in the path because Data Center cannot sign; the access log of this server never shows paths. Where a
secret is set on the webhook, its signature is checked too.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
from collections.abc import Callable

from aiohttp import web

from node.clock import Clock
from node.store import changes
from node.store.engine import Store
from node.store.errors import StoreError

MAX_BODY = 16 * 1024 * 1024
"""Bytes of one webhook: an issue with thousands of comments fits; more is left to the sweep."""

_LOG = logging.getLogger(__name__)


class WebhookIntake:
    """The one route that our tracker calls."""

    def __init__(self, store: Store, clock: Clock, *, token: str, secret: str | None, wake: Callable[[], None]) -> None:
        self._store = store
        self._clock = clock
        self._token = token
        self._secret = secret
        self._wake = wake
        self.last_ms: int | None = None

    def address(self, base: str) -> str:
        """Return the URL that our tracker has to call to reach this node at ``base``. It holds the token."""
        return f"{base.rstrip('/')}/webhook/{self._token}"

    def add_routes(self, app: web.Application) -> None:
        """Add the route to a server."""
        app.router.add_post("/webhook/{token}", self._handle)

    async def _handle(self, request: web.Request) -> web.Response:
        given = request.match_info["token"].encode(errors="surrogatepass")
        if not hmac.compare_digest(given, self._token.encode()):
            return web.Response(status=404)
        try:
            body = await _bounded(request)
        except (web.RequestPayloadError, ConnectionError):
            return web.Response(status=400)  # it did not come whole; the next sweep finds the issue
        if body is None:
            return web.Response(status=413)
        if self._secret is not None and not self._signed(body, request.headers.get("X-Hub-Signature", "")):
            return web.Response(status=404)
        text = body.decode(errors="replace")
        now = self._clock.now_ms()
        try:
            await self._store.write(lambda tx: changes.add(tx, source=changes.WEBHOOK, now_ms=now, body=text))
        except StoreError as error:
            _LOG.error("a webhook could not be stored; the next sweep will find the issue: %s", error)
            return web.Response(status=503)
        self.last_ms = now
        self._wake()
        return web.Response(status=204)

    def _signed(self, body: bytes, header: str) -> bool:
        method, _, given = header.partition("=")
        if method != "sha256" or self._secret is None:
            return False
        wanted = hmac.new(self._secret.encode(), body, hashlib.sha256).hexdigest()
        return hmac.compare_digest(wanted.encode(), given.encode(errors="surrogateescape"))


async def _bounded(request: web.Request) -> bytes | None:
    """Read the body; None where it is larger than we take."""
    if request.content_length is not None and request.content_length > MAX_BODY:
        return None
    body = bytearray()
    async for chunk in request.content.iter_chunked(1 << 16):
        body += chunk
        if len(body) > MAX_BODY:
            return None
    return bytes(body)
