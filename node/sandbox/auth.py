"""Who is calling: basic credentials or a personal access token; nobody when there are none.

Wrong credentials are refused outright, as Jira Data Center does: they never count as an anonymous call.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
from urllib.parse import urlsplit

from aiohttp import web

from node.sandbox.model import User
from node.sandbox.store import World

LOGIN_REASON = "X-Seraph-LoginReason"
UNSAFE_METHODS = frozenset({"POST", "PUT", "DELETE", "PATCH"})


class Refused(Exception):
    """The call is refused before it reaches a resource; ``answer`` is what to say."""

    def __init__(self, answer: web.Response) -> None:
        super().__init__(answer.reason)
        self.answer = answer


def caller_of(world: World, request: web.Request) -> User | None:
    """Return the calling user, None for an anonymous call. Raises Refused for wrong credentials."""
    header = request.headers.get("Authorization")
    if header is None:
        return None
    scheme, _, credentials = header.partition(" ")
    if scheme.lower() == "bearer":
        user = world.check_token(credentials.strip())
        if user is None:
            message = {"message": "Client must be authenticated to access this resource.", "status-code": 401}
            raise Refused(web.json_response(message, status=401, headers={"WWW-Authenticate": "Bearer"}))
        return user
    if scheme.lower() == "basic":
        try:
            name, _, password = base64.b64decode(credentials, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            name = password = ""
        user = world.check_password(name, password)
        if user is not None:
            return user
    raise Refused(
        web.Response(
            status=401,
            content_type="text/html",
            text="<html><head><title>Unauthorized (401)</title></head><body>Basic Authentication Failure"
            " - Reason : AUTHENTICATED_FAILED</body></html>",
            headers={LOGIN_REASON: "AUTHENTICATED_FAILED", "WWW-Authenticate": 'Basic realm="Sandbox"'},
        )
    )


def check_origin(request: web.Request) -> None:
    """Refuse a browser's write from another page, as Jira's XSRF check does. Raises Refused.

    Jira looks at calls whose user agent is a browser's; programs need no token for JSON.
    """
    if request.method not in UNSAFE_METHODS or has_token(request):
        return
    if not request.headers.get("User-Agent", "").startswith("Mozilla/"):
        return
    origin = request.headers.get("Origin") or request.headers.get("Referer")
    if origin is not None and urlsplit(origin).netloc == request.host:
        return
    raise Refused(web.Response(status=403, text="XSRF check failed"))


def check_host(request: web.Request, base_url: str) -> None:
    """Refuse a call over the loopback by a name that is not this machine's. Raises Refused.

    A page elsewhere can let its own name lead to 127.0.0.1 (DNS rebinding). To the browser this Jira is that page's own
    site then, and everybody's password is known. Addresses cannot be led elsewhere.
    """
    here = request.transport.get_extra_info("sockname") if request.transport is not None else None
    if not isinstance(here, tuple) or not ipaddress.ip_address(here[0]).is_loopback:
        return
    try:
        host = request.url.host or ""
    except ValueError:
        host = ""
    if host in {"localhost", urlsplit(base_url).hostname} or host.endswith(".localhost"):
        return
    try:
        ipaddress.ip_address(host)
    except ValueError:
        raise Refused(web.Response(status=403, text="This sandbox is not known by that name.")) from None


def has_token(request: web.Request) -> bool:
    """Return whether the call says that it comes from a program and not from a page."""
    return request.headers.get("X-Atlassian-Token", "").lower() in {"no-check", "nocheck"}
