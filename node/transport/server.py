"""The HTTP side of what peers post: bounds first, then the rate of failures, then whom it claims to be from.

Everything that does not come from a paired peer gets one and the same answer, byte for byte, whatever is wrong with it.
Behind a proxy all callers have one address: so an address that fails too often is slowed down, but a request that names
a connection of ours is looked at all the same, for no stranger can guess one.
Says nothing about this program, its version or its rows.
"""

from __future__ import annotations

import asyncio
from collections import Counter
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
MAX_HELD: Final = 2 * MAX_EXCHANGE
"""Bytes of requests that are held in memory at a time for one connection: an honest peer has one request in flight, and
perhaps one more that it has given up."""


class _TooMuchError(Exception):
    """More is in flight over one connection than an honest peer sends."""


class _TooOftenError(Exception):
    """A stranger whose address has failed too often."""


class PeerServer:
    """The routes that peers call."""

    def __init__(self, *, receiver: Receiver, desk: PairingDesk, channels: Channels, clock: Clock) -> None:
        self._receiver = receiver
        self._desk = desk
        self._channels = channels
        self._clock = clock
        self._limiter = FailureLimiter()
        self._held: Counter[bytes] = Counter()

    def add_routes(self, app: web.Application) -> None:
        """Put the routes of the protocol into an application."""
        app.router.add_post(EXCHANGE_PATH, self._exchange)
        app.router.add_post(PAIR_PATH, self._pair)
        app.router.add_get(HEALTH_PATH, self._health)
        app.on_response_prepare.append(_say_nothing)

    async def _exchange(self, request: web.Request) -> web.StreamResponse:
        place = _Place(self._held)

        async def answer() -> bytes | None:
            slowed = not self._allows(request)
            body = await _read(request, MAX_EXCHANGE, place, knows=lambda head: self._knows(head, slowed=slowed))
            if body is None:
                if slowed:
                    raise _TooOftenError
                return None
            receipt = await self._receiver.receive(body)
            return None if receipt is None else join_frames([receipt])

        try:
            return await self._guarded(request, answer)
        finally:
            place.leave()

    async def _pair(self, request: web.Request) -> web.StreamResponse:
        async def answer() -> bytes | None:
            if not self._allows(request):
                raise _TooOftenError
            message = await _read(request, MAX_HANDSHAKE)
            return None if message is None else await self._desk.answer(message)

        return await self._guarded(request, answer)

    async def _health(self, _request: web.Request) -> web.StreamResponse:
        return web.Response(body=b"ok", content_type="text/plain", headers=_QUIET)

    def _allows(self, request: web.Request) -> bool:
        return self._limiter.allows(request.remote or "", self._clock.now_ms())

    async def _guarded(self, request: web.Request, answer: Callable[[], Awaitable[bytes | None]]) -> web.StreamResponse:
        body = None
        try:
            async with asyncio.timeout(READ_SECONDS):
                body = await answer()
        except _TooOftenError:
            return _later("1", status=429)
        except (StoreError, _TooMuchError):
            # Nothing of it was stored: a full disk, a stopping node, a peer in haste. It keeps it and comes again.
            return _later(_BUSY_SECONDS, status=503)
        except (TimeoutError, ConnectionError, web.RequestPayloadError):
            pass  # it never came whole: nothing of ours has failed, and there is nothing to do but to count it
        if body is None:
            self._limiter.failed(request.remote or "", self._clock.now_ms())
            return _stranger()
        return web.Response(body=body, content_type=CONTENT_TYPE, headers=_QUIET)

    async def _knows(self, head: bytes, *, slowed: bool) -> bool:
        """Tell from the first bytes whether the rest may be worth reading; where ``slowed``, from no row."""
        if head[_MAGIC] != b"ACC1":
            return False
        conn = head[_CONN]
        return self._channels.is_open(conn) or (not slowed and await self._channels.by_conn(conn) is not None)


class _Place:
    """What one request takes of the memory that its connection may have."""

    def __init__(self, held: Counter[bytes]) -> None:
        self._held = held
        self._conn = b""
        self._size = 0

    def take(self, conn: bytes, size: int) -> None:
        """Count so many bytes in all.

        Raises:
            _TooMuchError: so much is held for the connection already that an honest peer would wait.
        """
        if self._held[conn] + size - self._size > MAX_HELD:
            raise _TooMuchError
        self._held[conn] += size - self._size
        self._conn, self._size = conn, size

    def leave(self) -> None:
        """Count them no longer: they are in rows, or were refused."""
        if self._size:
            self._held[self._conn] -= self._size
            self._size = 0
        if not self._held[self._conn]:
            del self._held[self._conn]


async def _read(
    request: web.Request,
    limit: int,
    place: _Place | None = None,
    *,
    knows: Callable[[bytes], Awaitable[bool]] | None = None,
) -> bytes | None:
    """Read a body within its bounds; with ``knows`` stop after its first bytes if nobody here expects it.

    Raises:
        _TooMuchError: ``place`` has none for it.
    """
    if request.content_type != CONTENT_TYPE or (request.content_length or 0) > limit:
        return None
    if request.headers.get("Content-Encoding", "identity") != "identity":
        return None
    body = bytearray()
    checked = knows is None
    async for piece in request.content.iter_any():
        body += piece
        if len(body) > limit:
            return None
        if not checked and len(body) >= _HEAD:
            checked = True
            if knows is not None and not await knows(bytes(body[:_HEAD])):
                return None
        if checked and place is not None:
            place.take(bytes(body[_CONN]), len(body))
    return bytes(body) if checked else None


async def _say_nothing(_request: web.Request, response: web.StreamResponse) -> None:
    """Take the library's name and version out of answers that no handler of ours has made."""
    response.headers.update(_QUIET)


def _stranger() -> web.Response:
    """Return the one answer to everything that is not from a peer."""
    return web.Response(status=404, body=b"not found", content_type="text/plain", headers=_QUIET)


def _later(seconds: str, *, status: int) -> web.Response:
    return web.Response(
        status=status, body=b"later", content_type="text/plain", headers={**_QUIET, "Retry-After": seconds}
    )
