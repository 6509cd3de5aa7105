"""A small HTTP proxy in front of a node that misbehaves on demand, as real networks and proxies do."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable

import aiohttp
from aiohttp import web

from tests.support.peers import LOOPBACK

PASS = "pass"
DROP = "drop"
"""The request never arrives."""
CUT = "cut"
"""The request takes effect, its answer is lost."""
TWICE = "twice"
"""The request arrives twice."""
BUSY = "busy"
"""503 with Retry-After 0."""
REDIRECT = "redirect"
LOGIN_PAGE = "login page"
SLOW = "slow"


class FaultProxy:
    """Forwards to ``upstream`` (a base URL) as ``fault`` says, which is asked once a request."""

    def __init__(self, upstream: Callable[[], str]) -> None:
        self._upstream = upstream
        self.fault: Callable[[], str] = lambda: PASS
        self.requests: list[bytes] = []
        self.port = 0

    async def start(self) -> None:
        """Listen, on a free port the first time."""
        app = web.Application(client_max_size=32 << 20)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, LOOPBACK, self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]
        self._session = aiohttp.ClientSession()

    async def stop(self) -> None:
        """Stop listening."""
        await self._session.close()
        await self._runner.cleanup()

    @property
    def url(self) -> str:
        """The base URL to give to whoever should come this way."""
        return f"http://{LOOPBACK}:{self.port}"

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.requests.append(body)
        fault = self.fault()
        if fault == REDIRECT:
            return web.Response(status=302, headers={"Location": self._upstream() + request.path})
        if fault == LOGIN_PAGE:
            return web.Response(text="<html>Please log in</html>", content_type="text/html")
        if fault == BUSY:
            return web.Response(status=503, headers={"Retry-After": "0"})
        if fault == DROP:
            _hang_up(request)
        if fault == SLOW:
            await asyncio.sleep(0.2)
        if fault == TWICE:
            await self._forward(request, body)
        answer = await self._forward(request, body)
        if fault == CUT:
            _hang_up(request)
        return answer

    async def _forward(self, request: web.Request, body: bytes) -> web.Response:
        headers = {"Content-Type": request.headers.get("Content-Type", "")}
        url = self._upstream() + request.path
        try:
            async with self._session.request(request.method, url, data=io.BytesIO(body), headers=headers) as answer:
                kept = {"Content-Type": answer.headers.get("Content-Type", "")}
                return web.Response(status=answer.status, body=await answer.read(), headers=kept)
        except aiohttp.ClientError:
            return web.Response(status=502)


def _hang_up(request: web.Request) -> None:
    assert request.transport is not None
    request.transport.abort()
    raise asyncio.CancelledError
