"""The HTTP side of what peers post: bounds first, then the rate of failures, then whom it claims to be from.

Everything that does not come from a paired peer gets one and the same answer, byte for byte, whatever is wrong with it.
Says nothing about this program, its version or its rows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from node.clock import Clock
from node.store.errors import StoreError
from node.transport.channel import Channels
from node.transport.limiter import FailureLimiter
from node.transport.pairing import PairingDesk
from node.transport.receive import Receiver
from node.transport.wire import CONTENT_TYPE, EXCHANGE_PATH, HEALTH_PATH, MAX_EXCHANGE, PAIR_PATH
from protocol.envelope import PREFIX_BYTES
from protocol.framing import FRAME_OVERHEAD, join_frames
from protocol.handshake import MAX_HANDSHAKE

READ_SECONDS: Final = 60
_HEAD: Final = FRAME_OVERHEAD + PREFIX_BYTES
_CONN: Final = slice(FRAME_OVERHEAD + 16, FRAME_OVERHEAD + 32)
_MAGIC: Final = slice(FRAME_OVERHEAD, FRAME_OVERHEAD + 4)
_QUIET: Final = {"Server": "", "Cache-Control": "no-store"}
_BUSY_SECONDS: Final = "5"


class PeerServer:
    """The routes that peers call."""

    def __init__(self, *, receiver: Receiver, desk: PairingDesk, channels: Channels, clock: Clock) -> None:
        self._receiver = receiver
        self._desk = desk
        self._channels = channels
        self._clock = clock
        self._limiter = FailureLimiter()

    def add_routes(self, app: web.Application) -> None:
        """Put the routes of the protocol into an application."""
        app.router.add_post(EXCHANGE_PATH, self._exchange)
        app.router.add_post(PAIR_PATH, self._pair)
        app.router.add_get(HEALTH_PATH, self._health)

    async def _exchange(self, request: web.Request) -> web.StreamResponse:
        async def answer() -> bytes | None:
            body = await self._read(request, MAX_EXCHANGE, known=self._knows)
            if body is None:
                return None
            receipt = await self._receiver.receive(body)
            return None if receipt is None else join_frames([receipt])

        return await self._guarded(request, answer)

    async def _pair(self, request: web.Request) -> web.StreamResponse:
        async def answer() -> bytes | None:
            message = await self._read(request, MAX_HANDSHAKE)
            return None if message is None else await self._desk.answer(message)

        return await self._guarded(request, answer)

    async def _health(self, _request: web.Request) -> web.StreamResponse:
        return web.Response(body=b"ok", content_type="text/plain", headers=_QUIET)

    async def _guarded(self, request: web.Request, answer: Callable[[], Awaitable[bytes | None]]) -> web.StreamResponse:
        address = request.remote or ""
        if not self._limiter.allows(address, self._clock.now_ms()):
            return _later("1", status=429)
        try:
            async with asyncio.timeout(READ_SECONDS):
                body = await answer()
        except StoreError:
            # Nothing of it was stored: a full disk or a stopping node. The peer keeps it and comes again.
            return _later(_BUSY_SECONDS, status=503)
        except TimeoutError:
            body = None
        if body is None:
            self._limiter.failed(address, self._clock.now_ms())
            return _stranger()
        return web.Response(body=body, content_type=CONTENT_TYPE, headers=_QUIET)

    async def _knows(self, head: bytes) -> bool:
        """Tell from the first bytes whether the rest may be worth reading."""
        return head[_MAGIC] == b"ACC1" and await self._channels.by_conn(bytes(head[_CONN])) is not None

    async def _read(
        self, request: web.Request, limit: int, *, known: Callable[[bytes], Awaitable[bool]] | None = None
    ) -> bytes | None:
        """Read a body within its bounds; with ``known`` stop after its first bytes if nobody here expects it."""
        if request.content_type != CONTENT_TYPE or (request.content_length or 0) > limit:
            return None
        if request.headers.get("Content-Encoding", "identity") != "identity":
            return None
        body = bytearray()
        checked = known is None
        async for piece in request.content.iter_any():
            body += piece
            if len(body) > limit:
                return None
            if not checked and len(body) >= _HEAD:
                checked = True
                if known is not None and not await known(bytes(body[:_HEAD])):
                    return None
        return bytes(body) if checked else None


def _stranger() -> web.Response:
    """Return the one answer to everything that is not from a peer."""
    return web.Response(status=404, body=b"not found", content_type="text/plain", headers=_QUIET)


def _later(seconds: str, *, status: int) -> web.Response:
    return web.Response(
        status=status, body=b"later", content_type="text/plain", headers={**_QUIET, "Retry-After": seconds}
    )
