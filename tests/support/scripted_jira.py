"""A Jira made of recorded answers: each route says what it answers, every request is noted.

For what the sandbox does not do (Jira Cloud, cut pages, refusals at a given moment). Routes are matched by method
and path, below ``/rest/api/2/`` unless they start with a slash; an unknown route is 404, as on a real Jira.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.support.raw_jira import Seen, reply

DATA_CENTER = {"version": "9.12.5", "versionNumbers": [9, 12, 5], "deploymentType": "Server", "serverTitle": "Desk"}
CLOUD = {"version": "1001.0.0-SNAPSHOT", "deploymentType": "Cloud", "serverTitle": "Jira"}


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, taken apart."""

    method: str
    path: str
    params: dict[str, str]
    json: Any
    raw: Seen


Answer = tuple[int, object]
Route = Answer | Callable[[Asked], Answer]


@dataclass(slots=True)
class ScriptedJira:
    """Answers by its routes; give ``respond`` to ``raw_jira``."""

    routes: dict[tuple[str, str], Route] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    @classmethod
    def of(cls, server: dict[str, Any], *fields: object, **routes: Route) -> ScriptedJira:
        """Return a Jira with a ``serverInfo`` and custom fields; other routes as ``GET_path=answer``."""
        scripted = cls()
        scripted.routes["GET", "serverInfo"] = (200, server)
        scripted.routes["GET", "field"] = (200, list(fields))
        for name, route in routes.items():
            method, _, path = name.partition("_")
            scripted.routes[method, path] = route
        return scripted

    async def respond(self, seen: Seen, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        target = urlsplit(seen.target)
        path = target.path.removeprefix("/rest/api/2/")
        is_json = seen.headers.get("content-type", "").startswith("application/json") and seen.body
        body = json.loads(seen.body) if is_json else None
        asked = Asked(seen.method, path, dict(parse_qsl(target.query)), body, seen)
        self.asked.append(asked)
        route = self.routes.get((seen.method, path), (404, {"errorMessages": ["null for uri"]}))
        status, answer = route(asked) if callable(route) else route
        writer.write(reply(status, b"" if status == 204 else answer))
        await writer.drain()

    def calls(self, *, start_up: bool = False) -> list[str]:
        """Return the calls so far as ``METHOD path``, without those that learn what Jira is."""
        calls = [f"{asked.method} {asked.path}" for asked in self.asked]
        return calls if start_up else [call for call in calls if call not in {"GET serverInfo", "GET field"}]

    def last(self, path: str) -> Asked:
        """Return the last request for a path."""
        return next(asked for asked in reversed(self.asked) if asked.path == path)
