"""One call to Jira: sent off the event loop, bounded in time and size, its answer judged and its JSON parsed.

The ``jira`` package makes the session (authentication, proxies, certificates, addresses); everything that it would
do unasked is off: no serverInfo, no retries, no prefetch, no re-reading after an edit. Its own resource calls are not
used, because they read answers of any length and take error bodies apart without looking (``errorMessages: null``
raises a TypeError), and its session's ``request`` does both, so prepared requests are sent directly.

Never decides what to call and never retries. The token travels in the ``Authorization`` header to the tracker's own
origin only: redirects are not followed (`wire`), and addresses from answers are not fetched unless they are ours
(`access`).
"""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import jira
import requests

from node.clock import Clock
from node.errors import TrackerError, TrackerNonsense, TrackerRefused, TrackerUnreachable
from node.trackers.jira.access import Auth, Timeouts, checked_url, is_loopback, owns
from node.trackers.jira.failures import Answer, Call, bad_answer, judge, no_answer, too_big
from node.trackers.jira.wire import CutError, Guard, GuardedAdapter, TooBigError, guarded, parts, write_new

MAX_ANSWER = 32 * 1024 * 1024
"""Bytes of JSON that one answer may have: hundreds of whole issues, and nothing that could exhaust a small machine."""
MAX_ERROR = 256 * 1024
"""Bytes of an error's body that are read for its reasons."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Upload:
    """A body that is streamed: ``opened`` gives an encoder with its ``content_type``; ``size`` in bytes, about."""

    opened: Callable[[], AbstractContextManager[Any]]
    size: int


class JiraClient:
    """Makes calls to one Jira as one user, a few at a time. ``tls`` trusts more certificates than the machine."""

    def __init__(
        self,
        url: str,
        auth: Auth,
        *,
        clock: Clock,
        timeouts: Timeouts | None = None,
        max_parallel: int = 4,
        max_answer: int = MAX_ANSWER,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.url = checked_url(url)
        self._on_this_machine = is_loopback(self.url)
        self._auth = auth
        self._clock = clock
        self._timeouts = timeouts or Timeouts()
        self._max_answer = max_answer
        self._slots = asyncio.Semaphore(max_parallel)
        self._threads = ThreadPoolExecutor(max_parallel, thread_name_prefix="jira")
        self._running: set[Guard] = set()
        self._running_lock = threading.Lock()
        self.unheard_ms = 0
        """When a call last got no answer, by our clock."""
        self._jira = jira.JIRA(
            options={"server": self.url, "rest_api_version": "2", "check_update": False},
            get_server_info=False,
            max_retries=0,
            logging=False,
            token_auth=auth.secret if auth.user is None else None,
            # Bytes, because `requests` would encode text as Latin-1.
            basic_auth=None if auth.user is None else (auth.user.encode(), auth.secret.encode()),  # type: ignore[arg-type]
        )
        self._session: requests.Session = self._jira._session  # noqa: SLF001 - the package has no public name for it
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, GuardedAdapter(tls, pool_connections=2, pool_maxsize=max_parallel))

    async def get(self, path: str, params: Mapping[str, object] | None = None, *, what: str) -> Any:
        """Return the JSON of a GET. ``path`` is below ``/rest/api/2/``, or absolute on the tracker (``/rest/...``)."""
        return await self._call("GET", path, Call(what), params=params)

    async def ask(self, path: str, body: object, *, what: str) -> Any:
        """Return the JSON of a POST that only reads, such as a search."""
        return await self._call("POST", path, Call(what), body=body)

    async def send(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        what: str,
        params: Mapping[str, object] | None = None,
        answer: bool = False,
    ) -> Any:
        """Make a call that changes something; return its JSON where ``answer`` says that Jira gives one.

        A call that Jira answers with nothing must be answered so: whatever speaks instead of it did not do it.
        """
        return await self._call(method, path, Call(what, write=True), params=params, body=body, wanted=answer)

    async def upload(self, path: str, upload: Upload, *, what: str) -> Any:
        """Return the JSON of a POST with a streamed multipart body."""
        return await self._call("POST", path, Call(what, write=True), upload=upload)

    async def download(self, url: str, to: Path, *, limit: int, size: int, what: str) -> None:
        """Write the bytes at ``url``, which must be on the tracker itself, to a new file readable by us alone.

        Raises:
            TrackerRefused: it is longer than ``limit`` bytes.
            TrackerNonsense: the address is not the tracker's own, or other than ``size`` bytes came.
            OSError: the file cannot be written; FileExistsError where it is there already.
        """
        call = Call(what)
        if not owns(self.url, url):
            raise TrackerNonsense(
                f"Jira was asked to {what}, but the address that it names is not its own, so it was not fetched.",
                advice="Is the base URL in Jira's general settings the same as the Jira URL of this node?",
            )

        def write(guard: Guard) -> int:
            with self._answer("GET", url, call, guard, headers={"Accept": "*/*", "Accept-Encoding": "identity"}) as got:
                written = write_new(got, to, limit)
            if written != size:
                to.unlink()
            return written

        try:
            written = await self._off_loop(call, write, self._timeouts.for_bytes(min(size, limit)))
        except TooBigError:
            raise TrackerRefused(
                f"Jira was asked to {what}, but it is longer than the {limit} bytes that are allowed.",
                advice="Raise the limit for attachments of this node, or leave the file out.",
            ) from None
        if written != size:
            raise TrackerNonsense(f"Jira was asked to {what}: {size} bytes were announced, but {written} came.")

    async def close(self) -> None:
        """End running calls and release the network."""
        with self._running_lock:
            for guard in self._running:
                guard.cut()
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._session.close()

    async def _call(
        self,
        method: str,
        path: str,
        call: Call,
        *,
        params: Mapping[str, object] | None = None,
        body: object = None,
        upload: Upload | None = None,
        wanted: bool = True,
    ) -> Any:
        url = self.url + path if path.startswith("/") else self._jira._get_url(path)  # noqa: SLF001 - no public name
        limit = self._max_answer

        def exchange(guard: Guard) -> Answer:
            headers = {"Accept": "application/json"}
            data: Any = None if body is None else json.dumps(body).encode()
            with ExitStack() as stack:
                if upload is not None:
                    data = stack.enter_context(upload.opened())
                    headers["Content-Type"] = data.content_type
                request = {"params": params, "data": data, "headers": headers}
                got = stack.enter_context(self._answer(method, url, call, guard, **request))
                return Answer(got.status_code, got.headers, b"".join(parts(got, limit)))

        seconds = self._timeouts.for_bytes(upload.size if upload else 0)
        try:
            answer = await self._off_loop(call, exchange, seconds)
        except TooBigError:
            raise too_big(call, limit) from None
        if not wanted:
            if answer.body.strip():
                raise bad_answer(call, answer, "says something where Jira says nothing")
            return None
        return _json(call, answer)

    @contextmanager
    def _answer(self, method: str, url: str, call: Call, guard: Guard, **request: Any) -> Iterator[requests.Response]:
        """Send and give the successful answer, unread; runs in a thread. Raises TrackerError for any other answer."""
        with guarded(guard):
            session = self._session
            prepared = session.prepare_request(requests.Request(method, url, **request))
            settings = session.merge_environment_settings(prepared.url or url, {}, True, None, None)  # noqa: FBT003 - its API
            if self._on_this_machine:
                settings["proxies"] = {}
            timeout = (self._timeouts.connect, self._timeouts.silence)
            try:
                with session.send(prepared, timeout=timeout, allow_redirects=False, **settings) as response:
                    self._check(call, response)
                    yield response
            except (requests.RequestException, CutError) as error:
                raise self._no_answer(call, error, guard) from None

    def _no_answer(self, call: Call, error: BaseException | None, guard: Guard) -> TrackerError:
        self.unheard_ms = self._clock.now_ms()
        return no_answer(call, error, sent=guard.sent)

    def _check(self, call: Call, response: requests.Response) -> None:
        body = b""
        if response.status_code >= 300:  # noqa: PLR2004 - HTTP's own words: not a success
            with suppress(TooBigError):
                body = b"".join(parts(response, MAX_ERROR)).replace(self._auth.secret.encode(), b"[secret]")
        error = judge(call, Answer(response.status_code, response.headers, body), now_ms=self._clock.now_ms())
        if error is not None:
            raise error

    async def _off_loop(self, call: Call, work: Callable[[Guard], T], seconds: float) -> T:
        """Run work in a thread; after so many seconds, or when we are cancelled, its connection is cut."""
        await self._slots.acquire()
        guard = Guard()
        try:
            running = asyncio.get_running_loop().run_in_executor(self._threads, work, guard)
        except RuntimeError:
            self._slots.release()
            raise _stopping(call) from None
        with self._running_lock:
            self._running.add(guard)

        def finished(future: asyncio.Future[T]) -> None:
            self._slots.release()
            with self._running_lock:
                self._running.discard(guard)
            if not future.cancelled():
                future.exception()  # taken here, because nobody waits any more after a cut

        running.add_done_callback(finished)
        try:
            done, _ = await asyncio.wait({running}, timeout=seconds)
        except asyncio.CancelledError:
            guard.cut()
            raise
        if not done:
            guard.cut()
            raise self._no_answer(call, None, guard)
        if running.cancelled():
            raise _stopping(call)
        return running.result()


def _stopping(call: Call) -> TrackerUnreachable:
    return TrackerUnreachable(f"Jira was not asked to {call.what}: this node is stopping.")


def _json(call: Call, answer: Answer) -> Any:
    def refuse(word: str) -> None:
        raise ValueError(word)

    try:
        return json.loads(answer.body, parse_constant=refuse)
    except (ValueError, RecursionError):
        raise bad_answer(call, answer, "is not JSON") from None


__all__ = ["MAX_ANSWER", "Auth", "JiraClient", "Timeouts", "Upload"]
