"""A small web page over the sandbox, so that a newcomer can look around and act: no second way to change anything.

::

    browser ─▶ handlers.py ─▶ the same functions as the REST routes ─▶ World
                  │   └─▶ session.py (who acts, and the token that every form carries)
                  └─▶ page_list.py, page_issue.py, page_forms.py ─▶ pieces.py ─▶ html.py (escapes), wiki.py
"""

from __future__ import annotations

import secrets
from importlib.resources import files

from aiohttp import web

from node.sandbox.store import World
from node.sandbox.web.handlers import Handler, Pages
from node.sandbox.web.pieces import SCRIPT, STYLE
from node.sandbox.web.requests import HEADERS
from node.sandbox.web.session import Sessions

_SECRET_BYTES = 32


def install(app: web.Application, world: World, *, secret: bytes | None = None) -> None:
    """Add the pages to an application. ``secret`` signs cookies and forms; a fresh one unless it is given."""
    sessions = Sessions(world, secret if secret is not None else secrets.token_bytes(_SECRET_BYTES))
    app.add_routes(Pages(world, sessions).routes())
    for address, name, content_type in ((STYLE, "style.css", "text/css"), (SCRIPT, "script.js", "text/javascript")):
        app.router.add_get(address, _asset(files(__name__).joinpath(name).read_bytes(), content_type))


def _asset(content: bytes, content_type: str) -> Handler:
    async def handler(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=content, content_type=content_type, charset="utf-8", headers=HEADERS)

    return handler


__all__ = ["install"]
