"""Misbehaving on demand, so that tests can see how others bear it. Does nothing unless a test asks.

A fault fits requests by method and path (``*`` for anything) and happens a number of times:

===============  ==========================================================================================
kind             what happens
===============  ==========================================================================================
delay            the answer comes ``seconds`` late
too_many         429 with ``Retry-After: seconds``; nothing happens
error            ``status`` (503 unless given); nothing happens
error_after      the same, but what was asked for happened
cut_before       the connection ends without an answer; nothing happens
cut_after        the same, but what was asked for happened
wrong_shape      200 with JSON that is not what was asked for
not_json         200 with a page of HTML
oversized        200 with ``bytes`` bytes of JSON
lose_webhook     a delivery is lost; ``path`` fits the event's name, here and below
repeat_webhook   a delivery comes twice
reorder_webhook  a delivery waits until the next one to the same receiver has gone
===============  ==========================================================================================
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal, Protocol, TypeVar, get_args

from aiohttp import web

FaultKind = Literal[
    "delay",
    "too_many",
    "error",
    "error_after",
    "cut_before",
    "cut_after",
    "wrong_shape",
    "not_json",
    "oversized",
    "lose_webhook",
    "repeat_webhook",
    "reorder_webhook",
]
KINDS: frozenset[str] = frozenset(get_args(FaultKind))
WEBHOOK_KINDS = frozenset(kind for kind in KINDS if kind.endswith("_webhook"))


class Named(Protocol):
    """A delivery, of which only the event's name matters here."""

    event: str


Sent = TypeVar("Sent", bound=Named)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(slots=True)
class Fault:
    """One fault. ``path`` fits the request's path or the route's template without ``/rest/api/2``; None: any.

    ``count`` is how often it happens yet, ``skip`` how many requests that fit go well before; None means for ever.
    """

    kind: FaultKind
    path: str = "*"
    method: str = "*"
    count: int | None = 1
    skip: int = 0
    seconds: float = 0.0
    status: int = 503
    bytes: int = 20_000_000
    id: int = 0
    happened: int = 0


class FaultBox:
    """All faults that are set up; empty means that the sandbox behaves."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._numbers = itertools.count(1)
        self._held: dict[str, Any] = {}

    def add(self, kind: FaultKind, path: str = "*", *, method: str = "*", **details: Any) -> Fault:
        """Set up a fault and return it; ``details`` are fields of ``Fault``. Raises ValueError for an unknown kind."""
        if kind not in KINDS:
            msg = f"There is no fault named {kind!r}; there are: {', '.join(sorted(KINDS))}."
            raise ValueError(msg)
        fault = Fault(kind, path, method.upper(), **details)
        fault.id = next(self._numbers)
        self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """Behave again."""
        self._faults.clear()

    def report(self) -> list[dict[str, Any]]:
        """Return the faults that are set up, as JSON."""
        return [asdict(fault) for fault in self._faults]

    def _take(self, fits: Callable[[Fault], bool]) -> Iterator[Fault]:
        for fault in self._faults:
            if fault.count == 0 or not fits(fault):
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            if fault.count is not None:
                fault.count -= 1
            fault.happened += 1
            yield fault

    # --- requests

    async def around(self, request: web.Request, route: str, handler: Handler) -> web.StreamResponse:
        """Handle a request, with the faults that fit it."""
        if not self._faults:
            return await handler(request)
        names = (request.path, route, route.removeprefix("/rest/api/2"), request.path.removeprefix("/rest/api/2"))

        def fits(fault: Fault) -> bool:
            return (
                fault.kind not in WEBHOOK_KINDS
                and fault.method in {"*", request.method}
                and any(fnmatchcase(name, fault.path) for name in names)
            )

        # Taken one by one: a fault that comes after the one that answers has not happened yet.
        for fault in self._take(fits):
            if fault.kind == "delay":
                await asyncio.sleep(fault.seconds)
                continue
            return await _misbehave(fault, request, handler)
        return await handler(request)

    # --- webhooks

    def mangle_delivery(self, receiver: str, delivery: Sent) -> list[Sent]:
        """Return what is really sent to this receiver when this delivery is due."""
        if not self._faults and not self._held:
            return [delivery]

        def fits(fault: Fault) -> bool:
            return fault.kind in WEBHOOK_KINDS and fnmatchcase(delivery.event, fault.path)

        held = [self._held.pop(receiver)] if receiver in self._held else []
        fault = next(self._take(fits), None)
        if fault is None:
            return [delivery, *held]
        if fault.kind == "lose_webhook":
            return held
        if fault.kind == "repeat_webhook":
            return [delivery, delivery, *held]
        self._held[receiver] = delivery
        return held


async def _misbehave(fault: Fault, request: web.Request, handler: Handler) -> web.StreamResponse:
    if fault.kind in {"error_after", "cut_after"}:
        await handler(request)
    if fault.kind in {"cut_before", "cut_after"}:
        return _cut(request)
    if fault.kind == "too_many":
        headers = {"Retry-After": f"{fault.seconds:g}", "X-RateLimit-Limit": "10", "X-RateLimit-Remaining": "0"}
        return web.json_response({"message": "Rate limit exceeded."}, status=429, headers=headers)
    if fault.kind == "wrong_shape":
        return web.json_response([{"surprise": True}, None, 42])
    if fault.kind == "not_json":
        return web.Response(text="<html><body>We will be right back.</body></html>", content_type="text/html")
    if fault.kind == "oversized":
        filler = "x" * max(0, fault.bytes - len('{"filler":""}'))
        return web.Response(text=f'{{"filler":"{filler}"}}', content_type="application/json")
    headers = {"Retry-After": f"{fault.seconds:g}"} if fault.seconds else {}
    body: Mapping[str, Any] = {"errorMessages": ["Internal server error"], "errors": {}}
    return web.json_response(body, status=fault.status, headers=headers)


def _cut(request: web.Request) -> web.Response:
    transport = request.transport
    if transport is not None:
        transport.abort()
    # The connection is gone; aiohttp finds that out when it tries to write this.
    return web.Response(status=500)
