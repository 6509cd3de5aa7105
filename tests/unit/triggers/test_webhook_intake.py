"""The one route that Jira calls: stored before it is answered, and nothing in it believed."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from yarl import URL

from node.store.engine import Store
from node.triggers.webhook import MAX_BODY, WebhookIntake
from tests.support.small_house import HandClock

TOKEN, SECRET = "a-token-in-the-path", "a-secret"


@dataclass(slots=True)
class Door:
    """The route of a node, and who was woken by it."""

    store: Store
    server: TestServer
    intake: WebhookIntake
    woken: list[int] = field(default_factory=list)

    async def post(self, path: str, body: bytes | AsyncIterator[bytes], **headers: str) -> int:
        """Post as Jira does; return the status."""
        url = URL(str(self.server.make_url("/")).rstrip("/") + path, encoded=True)
        async with aiohttp.ClientSession() as session, session.post(url, data=body, headers=headers) as response:
            return response.status

    async def stored(self) -> list[str]:
        """Return the bodies that were stored."""
        return [row["body"] for row in await self.store.fetch_all("SELECT body FROM change ORDER BY id")]


async def _door(root: Path, secret: str | None) -> AsyncIterator[Door]:
    async with await Store.open(root / "accord.db") as store:
        woken: list[int] = []
        intake = WebhookIntake(store, HandClock(), token=TOKEN, secret=secret, wake=lambda: woken.append(1))
        app = web.Application(client_max_size=0)
        intake.add_routes(app)
        server = TestServer(app)
        await server.start_server()
        try:
            yield Door(store, server, intake, woken)
        finally:
            await server.close()


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    """A route without a secret: Data Center."""
    async for one in _door(tmp_path, None):
        yield one


@pytest.fixture
async def signed(tmp_path: Path) -> AsyncIterator[Door]:
    """A route whose webhooks are signed."""
    async for one in _door(tmp_path, SECRET):
        yield one


async def test_a_notice_is_stored_before_it_is_answered(door: Door) -> None:
    """When Jira hears 204, the notice is a row, and somebody was woken."""
    assert await door.post(f"/webhook/{TOKEN}", b'{"issue": {"id": "1"}}') == 204
    assert await door.stored() == ['{"issue": {"id": "1"}}']
    assert door.woken == [1]
    assert door.intake.last_ms is not None


@pytest.mark.parametrize(
    "token", ["", "x", TOKEN[:-1], TOKEN + "x", "%ff", "%ed%a0%80", "%00", "%2e%2e%2f", "%E2%82%AC"]
)
async def test_without_the_token_nothing_is_stored(door: Door, token: str) -> None:
    """A stranger's bytes, however they are written, get the same answer and leave no row."""
    assert await door.post(f"/webhook/{token}", b"{}") == 404
    assert await door.stored() == []
    assert not door.woken


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"\x00", b"[" * 100_000, "\ud800".encode(errors="surrogatepass")])
async def test_any_bytes_can_be_stored(door: Door, body: bytes) -> None:
    """What Jira posts is judged later, by those who read it."""
    assert await door.post(f"/webhook/{TOKEN}", body) == 204
    assert len(await door.stored()) == 1


async def test_a_body_that_is_too_large_is_left_to_the_sweep(door: Door) -> None:
    """A body beyond the limit is refused, whether or not it says so beforehand."""

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(MAX_BODY // (1 << 20) + 1):
            yield b" " * (1 << 20)

    assert await door.post(f"/webhook/{TOKEN}", endless()) == 413
    assert await door.post(f"/webhook/{TOKEN}", b"", **{"Content-Length": str(MAX_BODY + 1)}) == 413
    assert await door.stored() == []


@pytest.mark.parametrize("header", ["", "sha256=", "sha256=00", "sha1=" + "0" * 40, "sha256=\u00e4", "md5"])
async def test_a_notice_with_a_wrong_signature_is_refused(signed: Door, header: str) -> None:
    """Where a secret is set, the token alone is not enough."""
    assert await signed.post(f"/webhook/{TOKEN}", b"{}", **{"X-Hub-Signature": header}) == 404
    assert await signed.stored() == []


async def test_a_signed_notice_is_taken(signed: Door) -> None:
    """The signature covers the bytes as they came."""
    right = hmac.new(SECRET.encode(), b"{ }", hashlib.sha256).hexdigest()
    assert await signed.post(f"/webhook/{TOKEN}", b"{ }", **{"X-Hub-Signature": f"sha256={right}"}) == 204


async def test_a_store_that_cannot_take_it_is_said(door: Door) -> None:
    """Jira hears 503, and nobody is woken for a notice that is not there."""
    await door.store.close()
    assert await door.post(f"/webhook/{TOKEN}", b"{}") == 503
    assert not door.woken
