"""One call to Jira over real HTTP, with every answer that a Jira, a proxy or an attacker could give."""

from __future__ import annotations

import asyncio
import gzip
import logging
import stat
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from node.clock import SystemClock
from node.errors import (
    ConfigError,
    TrackerBusy,
    TrackerDenied,
    TrackerError,
    TrackerNonsense,
    TrackerNotFound,
    TrackerRefused,
    TrackerUncertain,
    TrackerUnreachable,
)
from node.trackers.jira.access import Auth, Timeouts
from node.trackers.jira.client import JiraClient
from tests.support.raw_jira import RawJira, Respond, Seen, always, raw_jira, reply, until

SECRET = "s3cret-token-value"
QUICK = Timeouts(connect=2, silence=5, whole=0.4)


@asynccontextmanager
async def client_of(
    respond: Respond, auth: Auth | None = None, timeouts: Timeouts | None = None, **settings: Any
) -> AsyncIterator[tuple[JiraClient, RawJira]]:
    async with raw_jira(respond) as jira:
        client = JiraClient(jira.url, auth or Auth(SECRET), clock=SystemClock(), timeouts=timeouts, **settings)
        try:
            yield client, jira
        finally:
            await client.close()


def read(client: JiraClient) -> Awaitable[Any]:
    return client.get("issue/SC-1", what="show issue SC-1")


def write(client: JiraClient) -> Awaitable[Any]:
    return client.send("POST", "issue", {"fields": {}}, what="create an issue in project SC", answer=True)


async def failure(call: Awaitable[Any]) -> TrackerError:
    with pytest.raises(TrackerError) as caught:
        await call
    error = caught.value
    assert SECRET not in error.message + error.advice + repr(error)
    assert error.message.endswith(".")
    return error


async def test_the_token_travels_in_one_header_and_nowhere_else(caplog: pytest.LogCaptureFixture) -> None:
    """Not in the address, not in a log, not in a repr: neither for a bearer token nor for a user with one."""
    caplog.set_level(logging.DEBUG)
    for auth, header in [
        (Auth(SECRET), f"Bearer {SECRET}"),
        (Auth("pässword", "älice"), "Basic w6RsaWNlOnDDpHNzd29yZA=="),
    ]:
        async with client_of(always(reply(200, {"ok": True})), auth) as (client, jira):
            assert await read(client) == {"ok": True}
            assert jira.seen[0].headers["authorization"] == header
            assert jira.seen[0].target == "/rest/api/2/issue/SC-1"
            assert auth.secret not in repr(auth) + repr(client) + caplog.text + jira.seen[0].target


async def test_one_call_is_one_request() -> None:
    """Nothing is asked when a client is made, and nothing is asked again when Jira fails."""
    async with client_of(always(reply(503, headers={"Retry-After": "0"}))) as (client, jira):
        assert jira.seen == []
        assert isinstance(await failure(write(client)), TrackerBusy)
        assert len(jira.seen) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("call", [read, write])
async def test_a_redirect_is_never_followed(status: int, call: Callable[[JiraClient], Awaitable[Any]]) -> None:
    """The token would go to a host that an answer names; the error names that host instead."""
    async with raw_jira(always(reply(200, {}))) as other:
        headers = {"Location": f"{other.url}/rest/api/2/issue?x={SECRET}"}
        async with client_of(always(reply(status, headers=headers))) as (client, jira):
            error = await failure(call(client))
        assert isinstance(error, TrackerNonsense)
        assert other.url in error.message
        assert other.seen == []
        assert len(jira.seen) == 1


async def test_a_redirect_to_a_login_page_is_a_denial() -> None:
    """Single sign-on in front of Jira answers so when it does not accept the token."""
    answer = reply(302, headers={"Location": "https://sso.example.com/saml?return=x"})
    async with client_of(always(answer)) as (client, _):
        error = await failure(read(client))
    assert isinstance(error, TrackerDenied)
    assert "login page" in error.message


FIELD_ERRORS = {"errorMessages": ["It cannot be."], "errors": {"summary": "You must specify a summary of the issue."}}

BOTH_REASONS = "It cannot be; summary: You must specify a summary of the issue."
REMOVED = {"errorMessages": ["The requested API has been removed."]}
CAPTCHA = {"X-Authentication-Denied-Reason": "CAPTCHA_CHALLENGE; login-url=x"}

STATUSES: list[tuple[int, dict[str, str], object, type[TrackerError], type[TrackerError], str]] = [
    (400, {}, FIELD_ERRORS, TrackerRefused, TrackerRefused, BOTH_REASONS),
    (401, {}, {}, TrackerDenied, TrackerDenied, "does not accept our token"),
    (403, {}, {"errorMessages": ["XSRF check failed"]}, TrackerDenied, TrackerDenied, "XSRF check failed"),
    (403, CAPTCHA, b"<html>", TrackerDenied, TrackerDenied, "CAPTCHA"),
    (401, {"X-Seraph-LoginReason": "AUTHENTICATION_DENIED"}, b"", TrackerDenied, TrackerDenied, "CAPTCHA"),
    (404, {}, {"errorMessages": ["Issue Does Not Exist"]}, TrackerNotFound, TrackerNotFound, "Issue Does Not Exist"),
    (404, {"X-Seraph-LoginReason": "AUTHENTICATED_FAILED"}, {}, TrackerDenied, TrackerDenied, "token"),
    (408, {}, b"", TrackerUnreachable, TrackerUncertain, "HTTP 408"),
    (409, {}, b"", TrackerRefused, TrackerRefused, "HTTP 409"),
    (410, {}, REMOVED, TrackerRefused, TrackerRefused, "has been removed"),
    (413, {}, b"", TrackerRefused, TrackerRefused, "HTTP 413"),
    (429, {"Retry-After": "7"}, b"", TrackerBusy, TrackerBusy, "too busy"),
    (500, {}, b"<html>stack trace</html>", TrackerUnreachable, TrackerUncertain, "HTTP 500"),
    (502, {}, b"", TrackerUnreachable, TrackerUncertain, "HTTP 502"),
    (503, {}, b"", TrackerBusy, TrackerBusy, "too busy"),
    (504, {}, b"", TrackerUnreachable, TrackerUncertain, "HTTP 504"),
    (400, {}, {"errorMessages": None, "errors": [1], "message": {"a": 1}}, TrackerRefused, TrackerRefused, "HTTP 400"),
    (400, {}, {"errorMessages": [f"Token {SECRET} is odd"]}, TrackerRefused, TrackerRefused, "[secret]"),
    (400, {}, b"\xff\xfe", TrackerRefused, TrackerRefused, "HTTP 400"),
    (400, {}, b"[" * 100_000, TrackerRefused, TrackerRefused, "HTTP 400"),
    (400, {}, b'{"message": "' + b"x" * 1_000_000 + b'"}', TrackerRefused, TrackerRefused, "HTTP 400"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "headers", "body", "reading", "writing", "words"), STATUSES)
async def test_each_status_is_an_error_in_words(
    status: int,
    headers: dict[str, str],
    body: object,
    reading: type[TrackerError],
    writing: type[TrackerError],
    words: str,
) -> None:
    """The kind of error says whether a write may have had its effect; the message holds Jira's reasons, no body."""
    async with client_of(always(reply(status, body, headers))) as (client, _):
        for call, kind, what in ((read(client), reading, "issue SC-1"), (write(client), writing, "project SC")):
            error = await failure(call)
            assert type(error) is kind
            assert words in error.message
            assert what in error.message
            assert len(error.message) < 1000
            assert "stack trace" not in error.message


async def test_a_refusal_names_the_fields() -> None:
    """What Jira says about single fields is kept under their names."""
    async with client_of(always(reply(400, FIELD_ERRORS))) as (client, _):
        error = await failure(write(client))
    assert isinstance(error, TrackerRefused)
    assert error.fields == {"summary": "You must specify a summary of the issue."}


async def test_reasons_are_fit_for_one_line() -> None:
    """Control characters and reversed writing in Jira's words do not reach a terminal."""
    async with client_of(always(reply(400, {"errorMessages": ["a\x1b[31m\nb\u202ec"]}))) as (client, _):
        error = await failure(read(client))
    assert "a [31m b c" in error.message


BAD_BODIES = [
    (b"", "not JSON"),
    (b"{", "not JSON"),
    (b'{"a": NaN}', "not JSON"),
    (b"\xff\xfe\xfd", "not JSON"),
    (b"[" * 200_000, "not JSON"),
    (b"<html><body>Hello</body></html>", "web page"),
]


@pytest.mark.parametrize(("body", "words"), BAD_BODIES)
async def test_a_success_that_cannot_be_read_is_nonsense_for_a_read_and_uncertain_for_a_write(
    body: bytes, words: str
) -> None:
    """A broken answer to a write does not mean that nothing was written."""
    async with client_of(always(reply(200, body))) as (client, _):
        reading, writing = await failure(read(client)), await failure(write(client))
    assert type(reading) is TrackerNonsense
    assert type(writing) is TrackerUncertain
    assert words in reading.message
    assert words in writing.message


@pytest.mark.parametrize(("status", "unfinished"), [(408, True), (500, False), (502, True), (504, True)])
async def test_a_proxy_that_gave_up_leaves_jira_busy(status: int, unfinished: bool) -> None:
    """What stands behind a proxy may go on with a write; an error of Jira's own is the end of it."""
    async with client_of(always(reply(status, b""))) as (client, _):
        error = await failure(write(client))
    assert isinstance(error, TrackerUncertain)
    assert error.unfinished is unfinished


async def test_a_login_page_with_status_200_is_a_denial() -> None:
    """Jira and proxies show their login page as a success."""
    page = b"<html><form action='/login.jsp'><input name='os_username'></form></html>"
    async with client_of(always(reply(200, page, {"Content-Type": "text/html"}))) as (client, _):
        for call in (read(client), write(client), client.send("PUT", "issue/1", {}, what="change issue 1")):
            assert type(await failure(call)) is TrackerDenied


async def test_a_web_page_is_no_success_of_an_edit() -> None:
    """An edit needs no answer, but a page from somebody in between is not Jira's word that it was done."""
    async with client_of(always(reply(200, b"<html>Hello</html>", {"Content-Type": "text/html"}))) as (client, _):
        assert type(await failure(client.send("PUT", "issue/1", {}, what="change issue 1"))) is TrackerUncertain
    async with client_of(always(reply(204))) as (client, _):
        await client.send("PUT", "issue/1", {}, what="change issue 1")


async def test_an_anonymous_answer_is_a_denial() -> None:
    """Some Jiras answer a bad token as they answer anybody, with 200; a write that was done stays done."""
    headers = {"X-Seraph-LoginReason": "AUTHENTICATED_FAILED"}
    async with client_of(always(reply(200, {"id": "1"}, headers))) as (client, _):
        assert type(await failure(read(client))) is TrackerDenied
        assert await write(client) == {"id": "1"}
    async with client_of(always(reply(200, {}, {"X-Seraph-LoginReason": "OK"}))) as (client, _):
        assert await read(client) == {}


@pytest.mark.parametrize("announced", [True, False])
async def test_an_answer_of_40_megabytes_is_cut(announced: bool) -> None:
    """Whether its length is announced or not, no more than the limit is read, and the connection is dropped."""
    sent = 0

    async def respond(_seen: Seen, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        length = "Content-Length: 41943040" if announced else "Connection: close"
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{length}\r\n\r\n".encode())
        for _ in range(640):
            writer.write(b"x" * 65536)
            await writer.drain()
            sent += 65536
        writer.close()

    async with client_of(respond) as (client, _):
        error = await failure(read(client))
        assert type(error) is TrackerNonsense
        assert "longer than 32 MiB" in error.message
    assert sent < 41_943_040


@pytest.mark.parametrize("status", [200, 500])
async def test_a_length_of_thousands_of_digits_is_too_long_like_any_other(status: int) -> None:
    """Python reads no such number; it must not pass for a mistake of ours, and a write may have been done."""
    length = {"Content-Length": "9" * 5000, "Connection": "close"}
    async with client_of(always(reply(status, {}, length))) as (client, _):
        assert type(await failure(read(client))) is (TrackerNonsense if status == 200 else TrackerUnreachable)
        assert type(await failure(write(client))) is TrackerUncertain


async def test_an_answer_that_unpacks_to_too_much_is_cut() -> None:
    """50 MB of zeros fit into 50 KB on the wire; what counts is what comes out."""
    packed = gzip.compress(b" " * 50_000_000)
    async with client_of(always(reply(200, packed, {"Content-Encoding": "gzip"}))) as (client, _):
        error = await failure(read(client))
    assert type(error) is TrackerNonsense
    assert "longer" in error.message


async def test_a_too_long_answer_to_a_write_is_uncertain() -> None:
    """The write itself may well have been done."""
    async with client_of(always(reply(201, b"x" * 5000)), max_answer=1000) as (client, _):
        assert type(await failure(write(client))) is TrackerUncertain


async def drip(_seen: Seen, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n")
    while not writer.is_closing():
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


async def drip_headers(_seen: Seen, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not writer.is_closing():
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.02)


async def silence(_seen: Seen, _writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


@pytest.mark.parametrize("respond", [drip, drip_headers, silence])
async def test_time_is_bounded_as_a_whole(respond: Respond) -> None:
    """A server that sends a byte now and then does not hold a call longer than one that says nothing."""
    async with client_of(respond, timeouts=QUICK) as (client, jira):
        began = time.monotonic()
        assert type(await failure(read(client))) is TrackerUnreachable
        error = await failure(write(client))
        assert time.monotonic() - began < 5
        assert isinstance(error, TrackerUncertain)
        assert error.unfinished
        assert "in time" in error.message
        assert len(jira.seen) == 2


async def test_silence_between_two_bytes_is_bounded() -> None:
    """A server that stops in the middle is given up after the time for silence."""
    async with client_of(silence, timeouts=Timeouts(connect=2, silence=0.3, whole=60)) as (client, _):
        began = time.monotonic()
        assert type(await failure(write(client))) is TrackerUncertain
        assert time.monotonic() - began < 5


async def cut(_seen: Seen, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def cut_in_answer(_seen: Seen, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 201 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{")
    await writer.drain()
    writer.close()


async def cut_in_chunks(_seen: Seen, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 201 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{")
    await writer.drain()
    writer.close()


@pytest.mark.parametrize("respond", [cut, cut_in_answer, cut_in_chunks])
async def test_a_connection_cut_after_sending_leaves_a_write_uncertain(respond: Respond) -> None:
    """Jira may have done it; a read had no effect anyway."""
    async with client_of(respond) as (client, jira):
        assert type(await failure(read(client))) is TrackerUnreachable
        assert type(await failure(write(client))) is TrackerUncertain
        assert len(jira.seen) == 2


async def test_where_nothing_was_sent_nothing_happened() -> None:
    """Refused connections, unknown hosts and failed TLS are certainly without effect, also for writes."""
    async with raw_jira(always(b"")) as gone:
        refused = gone.url
    heard: list[bytes] = []

    async def no_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(65536))
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(no_tls, "127.0.0.1", 0)
    async with server:
        tls = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        for url, words in [(refused, "nothing listens"), (tls, "no secure connection")]:
            client = JiraClient(url, Auth(SECRET), clock=SystemClock())
            error = await failure(write(client))
            await client.close()
            assert type(error) is TrackerUnreachable
            assert words in error.message
    assert SECRET.encode() not in b"".join(heard)


async def test_a_connection_that_takes_too_long_was_never_used() -> None:
    """Whoever accepts a connection and does not speak TLS gets nothing; the write certainly did not happen."""
    async with raw_jira(silence) as jira:
        slow = Timeouts(connect=0.2, silence=5, whole=5)
        client = JiraClient(jira.url.replace("http:", "https:"), Auth(SECRET), clock=SystemClock(), timeouts=slow)
        error = await failure(write(client))
        await client.close()
        assert type(error) is TrackerUnreachable
        assert "in time" in error.message


async def test_a_connection_that_jira_closed_meanwhile_is_not_used() -> None:
    """An idle connection may be closed by Jira; the next write goes over a new one."""

    async def answer_and_close(_seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(reply(201, {"id": "1"}))
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with client_of(answer_and_close) as (client, jira):
        assert await write(client) == {"id": "1"}
        await until(lambda: not jira.open)
        assert await write(client) == {"id": "1"}
        assert len(jira.seen) == 2


async def test_a_cancelled_call_is_cut_at_once() -> None:
    """The node can stop while Jira thinks; the thread and the connection are free again."""
    async with client_of(silence, max_parallel=1) as (client, jira):
        task = asyncio.create_task(_get(client))
        await until(lambda: jira.seen)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: not client._running)


async def _get(client: JiraClient) -> Any:
    return await read(client)


async def test_only_a_few_calls_run_at_once() -> None:
    """Jira slows down users who ask for more; the others wait for their turn."""
    now = most = 0

    async def respond(_seen: Seen, writer: asyncio.StreamWriter) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.05)
        now -= 1
        writer.write(reply(200, {}))

    async with client_of(respond, max_parallel=3) as (client, jira):
        await asyncio.gather(*(read(client) for _ in range(12)))
        assert most == 3
        assert len(jira.seen) == 12


async def test_a_closed_client_refuses_in_words() -> None:
    """A call that comes while the node stops has had no effect."""
    async with client_of(always(reply(200, {}))) as (client, jira):
        await client.close()
        assert type(await failure(write(client))) is TrackerUnreachable
        assert jira.seen == []


FETCH = "/secure/attachment/5/a.txt"


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def fetch(client: JiraClient, url: str, to: Path, *, size: int, limit: int = 1000) -> None:
    await client.download(url, to, limit=limit, size=size, what="hand out attachment 5")


@pytest.mark.parametrize("content", [b"", b"hello", bytes(range(256)) * 3])
async def test_a_download_becomes_a_new_private_file(tmp_path: Path, content: bytes) -> None:
    """The bytes are Jira's, the file is readable by us alone, and nothing existing is overwritten."""
    async with client_of(always(reply(200, content, {"Content-Type": "text/html"}))) as (client, jira):
        to = tmp_path / "file"
        await fetch(client, jira.url + FETCH, to, size=len(content))
        assert to.read_bytes() == content
        assert stat.S_IMODE(to.stat().st_mode) == 0o600
        with pytest.raises(FileExistsError):
            await fetch(client, jira.url + FETCH, to, size=len(content))


@pytest.mark.parametrize("headers", [{}, {"Transfer-Encoding": "chunked", "Content-Length": "0"}])
async def test_a_download_above_the_limit_is_refused(tmp_path: Path, headers: dict[str, str]) -> None:
    """Announced or not, it ends at the limit and leaves no file."""
    answer = reply(200, b"x" * 2000)
    if headers:
        answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n" + b"x" * 2000 + b"\r\n0\r\n\r\n"
    async with client_of(always(answer)) as (client, jira):
        error = await failure(fetch(client, jira.url + FETCH, tmp_path / "file", size=900))
        assert type(error) is TrackerRefused
        assert names_in(tmp_path) == []


@pytest.mark.parametrize("size", [0, 4, 6])
async def test_a_download_of_another_size_is_nonsense(tmp_path: Path, size: int) -> None:
    """More or fewer bytes than announced are not the attachment; nothing is left behind."""
    async with client_of(always(reply(200, b"hello"))) as (client, jira):
        assert type(await failure(fetch(client, jira.url + FETCH, tmp_path / "file", size=size))) is TrackerNonsense
        assert names_in(tmp_path) == []


async def test_a_cut_download_leaves_no_file(tmp_path: Path) -> None:
    """It can simply be tried again."""
    async with client_of(cut_in_answer) as (client, jira):
        error = await failure(fetch(client, jira.url + FETCH, tmp_path / "file", size=1000))
        assert type(error) is TrackerUnreachable
        assert names_in(tmp_path) == []


async def test_addresses_of_others_are_never_fetched(tmp_path: Path) -> None:
    """An attachment may claim to lie anywhere; only our own Jira, below its own path, ever sees a request."""
    async with raw_jira(always(reply(200, b"hello"))) as other, raw_jira(always(reply(200, b"hello"))) as jira:
        client = JiraClient(f"{jira.url}/jira", Auth(SECRET), clock=SystemClock())
        host = jira.url.removeprefix("http://")
        for url in [
            f"{other.url}/jira/x",
            f"https://{host}/jira/x",
            f"{jira.url}/other/x",
            f"{jira.url}/jira/../other",
            f"{jira.url}/jira/%2e%2e/other",
            f"{jira.url}/jira/..%2fother",
            f"{jira.url}/jira\\..\\other",
            f"http://user@{host}/jira/x",
            f"{jira.url}/jiraffe",
            "file:///etc/passwd",
            "http://[/jira/x",
            "/jira/x",
            "",
        ]:
            assert type(await failure(fetch(client, url, tmp_path / "file", size=5))) is TrackerNonsense
        assert (other.seen, jira.seen) == ([], [])
        await fetch(client, f"{jira.url}/jira/secure/attachment/5/x", tmp_path / "file", size=5)
        await client.close()


async def test_a_redirected_download_is_not_followed(tmp_path: Path) -> None:
    """The bytes of an attachment come from Jira itself or not at all."""
    async with raw_jira(always(reply(200, b"hello"))) as other:
        async with client_of(always(reply(303, headers={"Location": other.url}))) as (client, jira):
            error = await failure(fetch(client, jira.url + FETCH, tmp_path / "file", size=5))
        assert type(error) is TrackerNonsense
        assert other.seen == []
        assert names_in(tmp_path) == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "jira.example.com",
        "ftp://jira.example.com",
        "https://",
        "https://a:b@jira.example.com",
        "https://x/?a=b",
        "http://x:99999",
    ],
)
async def test_what_is_no_jira_address_is_a_configuration_error(url: str) -> None:
    """Said when the node starts, not when the first issue fails; a password in it is not repeated."""
    with pytest.raises(ConfigError) as caught:
        JiraClient(url, Auth(SECRET), clock=SystemClock())
    assert "a:b@" not in caught.value.message


@pytest.mark.parametrize("auth", [("", None), (" x", None), ("a\nb", None), ("x", ""), ("x", "a\r\nb"), ("x", "a:b")])
def test_a_token_that_cannot_be_one_is_a_configuration_error(auth: tuple[str, str | None]) -> None:
    """A line break from a file would end up in a header."""
    with pytest.raises(ConfigError):
        Auth(*auth)
