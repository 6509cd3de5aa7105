"""Who may call the admin API, and what a caller is told who sends nonsense: words, never a trace, never a secret."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from node.admin.server import Body, admin_app, answer, read_body
from node.config import Secret
from node.errors import UsageError

TOKEN = "a-token-of-this-test"


class _Given(Body):
    number: int


async def _take(request: web.Request) -> web.Response:
    return answer({"number": (await read_body(request, _Given)).number})


async def _health(_request: web.Request) -> web.Response:
    return answer({"status": "up"})


async def _fail(_request: web.Request) -> web.Response:
    raise KeyError("a secret in a text")


async def _refuse(_request: web.Request) -> web.Response:
    raise UsageError("There is no \ud800.", advice="Look again.")


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """Serve the guarded application on the loopback."""
    app = admin_app(Secret(TOKEN))
    app.router.add_post("/take", _take)
    app.router.add_get("/fail", _fail)
    app.router.add_get("/refuse", _refuse)
    app.router.add_get("/health", _health)
    server = TestServer(app)
    await server.start_server()
    yield int(server.port or 0)
    await server.close()


async def _say(port: int, head: bytes, body: bytes = b"") -> tuple[int, str]:
    """Speak raw HTTP, so that every byte is ours; return status and body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    await writer.drain()
    answer_ = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    status, _, rest = answer_.partition(b"\r\n")
    return int(status.split()[1]), rest.partition(b"\r\n\r\n")[2].decode()


def _authorized(line: str, *, host: str = "localhost") -> bytes:
    return f"{line} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {TOKEN}\r\n".encode()


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil", "[evil", "[::1]evil", "a b", "", "@", "\u00e4"]
)
async def test_another_name_for_the_loopback_is_refused(port: int, host: str) -> None:
    """A page in a browser cannot reach the API by a name that its own server resolves to us, token or not."""
    status, text = await _say(port, _authorized("GET /health", host=host))
    assert status in {400, 403}
    assert "Traceback" not in text


@pytest.mark.parametrize("given", [b"", b"Bearer", b"Bearer x", b"Bearer \xff\xfe", b"Basic YTpi", TOKEN[:-1].encode()])
async def test_without_the_token_nothing_is_told(port: int, given: bytes) -> None:
    """A wrong token, in whatever bytes, gets the same words."""
    head = b"GET /fail HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: " + given + b"\r\n"
    status, text = await _say(port, head)
    assert status == 401
    assert json.loads(text)["error"]["code"] == "Unauthorized"


async def test_health_needs_no_token(port: int) -> None:
    """What a supervisor asks is open on the loopback."""
    assert (await _say(port, b"GET /health HTTP/1.1\r\nHost: localhost\r\n"))[0] == 200


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'{"number": "x"}', b'{"number": 1, "other": 2}', b"\xff", b"[" * 50_000, b'{"number": 1e999}'],
)
async def test_a_body_that_is_not_right_is_told_in_words(port: int, body: bytes) -> None:
    """Nothing that is posted ends in a fault of the node."""
    status, text = await _say(port, _authorized("POST /take"), body)
    assert status == 400
    assert json.loads(text)["error"]["code"] == "UsageError"


async def test_an_unknown_charset_is_told_in_words(port: int) -> None:
    """The caller chooses the name of the charset, too."""
    head = _authorized("POST /take") + b"Content-Type: application/json; charset=klingon\r\n"
    assert (await _say(port, head, b'{"number": 1}'))[0] == 400


async def test_a_body_that_is_too_large_is_refused(port: int) -> None:
    """Five megabytes are more than any request needs."""
    status, _ = await _say(port, _authorized("POST /take"), b" " * 5_000_000)
    assert status == 413


async def test_a_mistake_of_ours_tells_nothing_of_itself(port: int) -> None:
    """The caller learns that it was the node's fault; the text of the exception stays in the log."""
    status, text = await _say(port, _authorized("GET /fail"))
    assert status == 500
    assert "secret" not in text


async def test_an_error_that_quotes_halves_of_characters_is_still_told(port: int) -> None:
    """What cannot be written in UTF-8 is escaped, not a fault."""
    status, text = await _say(port, _authorized("GET /refuse"))
    assert (status, json.loads(text)["error"]["advice"]) == (400, "Look again.")
