"""The sandbox's own controls, which no Jira has: what was asked of it, and faults on demand.

The counts are always there; setting up faults only where the sandbox was started with its controls open.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from aiohttp import web

from node.sandbox.calls import CallCounter
from node.sandbox.errors import BadRequest
from node.sandbox.faults import Fault, FaultBox
from node.sandbox.routes.call import Call, answer, nothing

FAULTS = web.AppKey("faults", FaultBox)
CALLS = web.AppKey("calls", CallCounter)
_DETAILS: dict[str, type | tuple[type, ...]] = {
    "count": (int, type(None)),
    "skip": int,
    "seconds": (int, float),
    "status": int,
    "bytes": int,
}


async def get_calls(request: web.Request) -> web.Response:
    """Answer what was asked of the sandbox since the counts were cleared."""
    return answer(request.app[CALLS].report(request.query.get("user")))


async def clear_calls(request: web.Request) -> web.Response:
    """Begin to count again."""
    request.app[CALLS].clear()
    return nothing()


async def get_faults(request: web.Request) -> web.Response:
    """Answer the faults that are set up."""
    return answer(request.app[FAULTS].report())


async def add_fault(request: web.Request) -> web.Response:
    """Set up a fault: ``kind``, and what else ``faults.Fault`` has."""
    body = await Call(request).body()
    details: dict[str, Any] = {name: body[name] for name in _DETAILS if name in body}
    for name, value in details.items():
        if not isinstance(value, _DETAILS[name]) or isinstance(value, bool):
            raise BadRequest(f"'{name}' has the wrong type.")
    try:
        fault: Fault = request.app[FAULTS].add(
            body.get("kind", ""), str(body.get("path", "*")), method=str(body.get("method", "*")), **details
        )
    except ValueError as wrong:
        raise BadRequest(str(wrong)) from None
    return answer(dataclasses.asdict(fault), 201)


async def clear_faults(request: web.Request) -> web.Response:
    """Behave again."""
    request.app[FAULTS].clear()
    return nothing()


CALL_ROUTES = (
    web.get("/sandbox/calls", get_calls),
    web.delete("/sandbox/calls", clear_calls),
)
FAULT_ROUTES = (
    web.get("/sandbox/faults", get_faults),
    web.post("/sandbox/faults", add_fault),
    web.delete("/sandbox/faults", clear_faults),
)
