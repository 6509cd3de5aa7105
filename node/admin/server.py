"""The ground of the admin API: who may call, how errors are told, how bodies are read. Holds no use case.

Open on the loopback only. A request needs the node's token as a bearer token, and a host name that is the loopback's,
so that a web page in a browser on the same machine cannot call it by another name.
"""

from __future__ import annotations

import hmac
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError

from node.config import Secret
from node.errors import AccordError, ConfigError, PeerError, RuleError, TrackerError, UsageError
from node.shape_words import first_problem
from node.store.errors import StoreError
from protocol.errors import ProtocolError

MAX_BODY = 4 * 1024 * 1024
"""Bytes of a request; exported rule sets are the largest thing in one."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]", "::1"})
_LOG = logging.getLogger(__name__)

PUBLIC = frozenset({"/health", "/ready"})
"""Need no token, because they tell nothing but whether the node works."""

TOKEN: web.AppKey[Secret] = web.AppKey("token", Secret)
_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (UsageError, 400),
    (ProtocolError, 400),
    (RuleError, 422),
    (ConfigError, 409),
    (PeerError, 502),
    (TrackerError, 502),
    (StoreError, 503),
    (AccordError, 400),
)
"""Which status an error of the tree is answered with; the first that fits counts."""


class Body(BaseModel):
    """Ground of request bodies: unknown keys are errors, so that a typing mistake is not ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


T = TypeVar("T", bound=Body)


def admin_app(token: Secret) -> web.Application:
    """Return an empty application with the guards in place."""
    app = web.Application(client_max_size=MAX_BODY, middlewares=[_guard])
    app[TOKEN] = token
    return app


@web.middleware
async def _guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    if _host(request) not in _LOOPBACK:
        return _told(403, "Forbidden", "The admin API answers on the loopback only.", "")
    is_public = request.path in PUBLIC
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if not is_public and not hmac.compare_digest(
        given.encode(errors="surrogateescape"), request.app[TOKEN].value.encode()
    ):
        return _told(
            401,
            "Unauthorized",
            "The admin API needs this node's token.",
            "Run accord with --dir naming the node's folder, as a user who may read it.",
        )
    try:
        return await handler(request)
    except web.HTTPException as error:
        return _told(error.status, "Http", error.reason, "")
    except tuple(kind for kind, _ in _STATUS) as error:
        status = next(status for kind, status in _STATUS if isinstance(error, kind))
        message = str(getattr(error, "message", "") or error)
        return _told(status, type(error).__name__, message, getattr(error, "advice", ""))
    except Exception:  # noqa: BLE001 - the caller gets words, the log gets the fault
        _LOG.exception("a request to the admin API failed")
        return _told(
            500, "Internal", "The node could not do that because of a fault in itself.", "The node's log has details."
        )


def _host(request: web.Request) -> str | None:
    """Return the name by which we were called, None where that is no name at all."""
    try:
        return request.url.host
    except ValueError:
        return None


async def read_body(request: web.Request, kind: type[T]) -> T:
    """Read a JSON body. Raises UsageError in words that name the place."""
    try:
        return kind.model_validate(json.loads(await request.text() or "{}"))
    except ValidationError as error:
        raise UsageError(f"The request is not right: {first_problem(error)}.") from None
    except (ValueError, LookupError, RecursionError):
        raise UsageError("The request is not JSON.") from None


def answer(data: Any, *, status: int = 200) -> web.Response:
    """Answer with JSON."""
    return web.json_response(data, status=status)


def _told(status: int, code: str, message: str, advice: str) -> web.Response:
    return answer({"error": {"code": code, "message": message, "advice": advice}}, status=status)
