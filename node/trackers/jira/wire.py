"""The last step to the socket: knows whether a request was sent, can cut it, and never follows a redirect.

`requests` alone cannot say whether a failed call reached the other side, and its timeout restarts with every byte.
A ``Guard`` accompanies one call: the connection tells it before the first byte leaves, and whoever waits may cut it.
Never judges an answer; `client` and `failures` do.
"""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from typing_extensions import override
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, ProxyManager
from urllib3.connection import HTTPConnection, HTTPSConnection

REDIRECT_TARGET = "X-Redirect-Target"
"""Where ``GuardedAdapter`` keeps the ``Location`` of an answer."""


class CutError(Exception):
    """The call was given up before its first byte was sent."""


class TooBigError(Exception):
    """The answer is longer than what was allowed."""


class Guard:
    """Accompanies one call. Used by two threads: the one that calls and the one that waits."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._sent = False
        self._cut = False

    @property
    def sent(self) -> bool:
        """Whether a byte of the request may have reached the other side."""
        with self._lock:
            return self._sent

    def sending(self, connected: socket.socket | None) -> None:
        """Note that the request leaves now. Raises CutError where the call was given up already."""
        with self._lock:
            if self._cut:
                raise CutError
            self._socket = connected
            self._sent = True

    def cut(self) -> None:
        """End the call: nothing is sent from now on, and a thread that waits for the socket wakes up."""
        with self._lock:
            self._cut = True
            if self._socket is not None:
                with contextlib.suppress(OSError):  # the other side was faster
                    self._socket.shutdown(socket.SHUT_RDWR)

    def done(self) -> None:
        """Forget the socket: it goes back to the pool, and cutting this call must not harm the next one."""
        with self._lock:
            self._socket = None


class _Current(threading.local):
    guard: Guard | None = None


_current = _Current()


@contextlib.contextmanager
def guarded(guard: Guard) -> Iterator[Guard]:
    """Let the calls of this thread be accompanied by the guard."""
    _current.guard = guard
    try:
        yield guard
    finally:
        _current.guard = None
        guard.done()


def _announce(connection: HTTPConnection) -> None:
    """Connect first, so that a failure to connect is known to have had no effect; then tell the guard."""
    if connection.is_closed:
        connection.connect()
    if _current.guard is not None:
        _current.guard.sending(connection.sock)


class _Connection(HTTPConnection):
    @override
    def request(self, *args: Any, **kwargs: Any) -> None:
        _announce(self)
        super().request(*args, **kwargs)


class _TlsConnection(HTTPSConnection):
    @override
    def request(self, *args: Any, **kwargs: Any) -> None:
        _announce(self)
        super().request(*args, **kwargs)


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


_POOLS = {"http": _Pool, "https": _TlsPool}


class GuardedAdapter(HTTPAdapter):
    """Carries the requests of a session over guarded connections, with no retry and no redirect.

    The ``Location`` of an answer is renamed, so that nothing built on the session can follow it: neither with
    credentials nor without, and the body of a redirect is never read unbounded.
    """

    def __init__(self, tls: ssl.SSLContext | None = None, **options: Any) -> None:
        # Whatever certificates `requests` loads as well are added to those that the context trusts already.
        self._tls: dict[str, Any] = {} if tls is None else {"ssl_context": tls}
        super().__init__(**options)

    @override
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        kwargs |= self._tls
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = dict(_POOLS)

    @override
    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> ProxyManager:
        kwargs |= self._tls
        manager: ProxyManager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = dict(_POOLS)
        return manager

    @override
    def build_response(self, *args: Any, **kwargs: Any) -> requests.Response:
        response = super().build_response(*args, **kwargs)
        target = response.headers.pop("Location", None)
        if target is not None:
            response.headers[REDIRECT_TARGET] = target
        return response


CHUNK = 65_536
"""Bytes read at once."""
_MOST_DIGITS = 20
"""Of an announced length; 2^64 has as many."""


def parts(response: requests.Response, limit: int) -> Iterator[bytes]:
    """Yield the body of a streamed answer piece by piece.

    Raises:
        TooBigError: it is longer than ``limit`` bytes; the connection is dropped, the rest is never read.
        requests.RequestException: it was cut short.
    """
    announced = response.headers.get("Content-Length", "")
    # Cut, because Python reads no number of thousands of digits; what is left of such a one is too large all the same.
    left = limit - (int(announced[:_MOST_DIGITS]) if announced.isdecimal() else 0)
    if left >= 0:
        left = limit
        for part in response.iter_content(CHUNK):
            left -= len(part)
            if left < 0:
                break
            yield part
    if left < 0:
        response.close()
        raise TooBigError


def write_new(response: requests.Response, to: Path, limit: int) -> int:
    """Write a streamed answer to a new file that only we can read, and return its size in bytes.

    Leaves no file behind on failure. Raises like ``parts``, and OSError (FileExistsError among them) for the file.
    """
    written = 0
    descriptor = os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        try:
            for part in parts(response, limit):
                written += file.write(part)
        except BaseException:
            to.unlink(missing_ok=True)
            raise
    return written
