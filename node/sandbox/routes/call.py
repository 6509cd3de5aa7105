"""What every handler needs of a request: the world, who calls, the body, and a way to answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web
from pydantic_core import to_json

from node.sandbox.errors import (
    LOGIN_REQUIRED,
    NOT_AUTHENTICATED,
    BadRequest,
    NotLoggedIn,
    NotThere,
    WrongMediaType,
)
from node.sandbox.fields import SYSTEM_DEFINITIONS, Definition
from node.sandbox.model import Issue, Project, User
from node.sandbox.permissions import may, require, visible_issue
from node.sandbox.render import Renderer
from node.sandbox.render_issue import IssueRenderer
from node.sandbox.store import World

WORLD = web.AppKey("world", World)
RENDERER = web.AppKey("renderer", Renderer)
CALLER = web.RequestKey("caller", User)
MAX_PAGE = 1000
"""Jira's default ``jira.search.views.default.max``: no page is longer."""


class Call:
    """One REST call."""

    def __init__(self, request: web.Request) -> None:
        self.request = request
        self.world = request.app[WORLD]
        self.renderer = request.app[RENDERER]
        caller: User | None = request.get(CALLER)
        self.caller = caller

    @property
    def query(self) -> Mapping[str, str]:
        """Return the query parameters."""
        return self.request.query

    def part(self, name: str) -> str:
        """Return a variable part of the path."""
        return self.request.match_info[name]

    @property
    def user(self) -> User:
        """Return the caller. Raises NotLoggedIn for an anonymous call."""
        if self.caller is None:
            raise NotLoggedIn(NOT_AUTHENTICATED, LOGIN_REQUIRED)
        return self.caller

    @property
    def view(self) -> IssueRenderer:
        """Return a renderer of issues as the caller sees them."""
        return IssueRenderer(self.renderer, self.caller)

    @property
    def expand(self) -> frozenset[str]:
        """Return the names in the ``expand`` parameter."""
        return frozenset(name.strip() for item in self.request.query.getall("expand", []) for name in item.split(","))

    def issue(self, permission: str | None = None, message: str = "") -> Issue:
        """Return the issue that the path names. Raises NotThere, NotLoggedIn, Forbidden."""
        issue = visible_issue(self.world, self.caller, self.part("issue"))
        if permission is not None:
            require(self.caller, permission, message, self.world.site.projects[issue.project_id])
        return issue

    def project(self) -> Project:
        """Return the project that the path names. Raises NotThere, also for who may not see it."""
        name = self.part("project")
        project = self.world.project(name)
        if project is None or not may(self.caller, "BROWSE_PROJECTS", project):
            raise NotThere(f"No project could be found with key '{name}'.")
        return project

    def all_fields(self) -> list[Definition]:
        """Return the definitions of all fields."""
        return [*SYSTEM_DEFINITIONS.values(), *self.renderer.all_fields()]

    def flag(self, name: str) -> bool:
        """Return whether a query parameter says true."""
        return self.query.get(name, "").lower() == "true"

    def number(self, name: str, default: int) -> int:
        """Return a whole number of the query. Raises BadRequest (Jira answers 404; no client relies on it)."""
        text = self.query.get(name)
        if text is None or not text:
            return default
        try:
            return int(text)
        except ValueError:
            raise BadRequest(f"'{text}' is not a number.") from None

    def page(self, default: int = 50) -> tuple[int, int]:
        """Return ``startAt`` and ``maxResults``."""
        start, size = self.number("startAt", 0), self.number("maxResults", default)
        return max(0, start), min(MAX_PAGE, max(0, size))

    async def json(self) -> Any:
        """Return the request's JSON. Raises WrongMediaType, BadRequest."""
        if self.request.content_type != "application/json":
            raise WrongMediaType(f"Unsupported media type: {self.request.content_type}")
        return parse_json(await self.request.read())

    async def body(self) -> dict[str, Any]:
        """Return the request's JSON object. Raises WrongMediaType, BadRequest."""
        given = await self.json()
        if not isinstance(given, dict):
            raise BadRequest("Can not deserialize instance: an object is required.")
        return given


def parse_json(raw: bytes) -> Any:
    """Read JSON that came from outside. Raises BadRequest for what is none, is too deep, or is no valid Unicode.

    Half a surrogate pair or a number that is none would be kept happily and could never be written again.
    """
    try:
        given = json.loads(raw, parse_constant=_no_number)
        if b"\\ud" in raw.lower():
            json.dumps(given, ensure_ascii=False).encode()
    except RecursionError:
        raise BadRequest("The JSON is nested too deeply.") from None
    except ValueError as wrong:
        raise BadRequest(f"Unexpected character or end of input: {type(wrong).__name__}") from None
    return given


def _no_number(name: str) -> Any:
    msg = f"{name} is no JSON"
    raise ValueError(msg)


def answer(data: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return a JSON answer."""
    return web.Response(
        body=to_json(data), status=status, content_type="application/json", charset="UTF-8", headers=headers
    )


def nothing(status: int = 204) -> web.Response:
    """Return an answer without a body."""
    return web.Response(status=status)
