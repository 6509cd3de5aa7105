"""The routes of the admin API: each reads a request, calls one use case, and shows its result as JSON."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

from aiohttp import web
from pydantic import Field

from node import answers
from node.admin.server import Body, answer, read_body
from node.check import Checks
from node.connections import Connections
from node.errors import UsageError
from node.operations import Operations
from node.overview import Overview
from node.store import links
from node.store.engine import Store
from node.trackers.base import Tracker
from node.triggers.poller import Poller

Text = Annotated[str, Field(max_length=1000)]


class _Invite(Body):
    peer: Text
    project: Text
    name: Text | None = None
    default_type: Text | None = None
    description: Text = ""
    hours: Annotated[int, Field(ge=1, le=336)] = 72
    fingerprint: Text | None = None


class _Code(Body):
    code: Annotated[str, Field(max_length=8192)]


class _Accept(_Code):
    project: Text
    name: Text | None = None
    default_type: Text | None = None
    description: Text = ""


class _Digits(Body):
    digits: Text


class _Keys(Body):
    keys: Annotated[list[Text], Field(min_length=1, max_length=500)]


class _Numbers(Body):
    ids: list[int] | None = None


class _Kinds(Body):
    kinds: Annotated[list[Literal["versions", "components", "options"]], Field(min_length=1, max_length=3)]


class _Address(Body):
    url: Annotated[str, Field(min_length=1, max_length=255)]


class _Nothing(Body):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The use cases behind the API."""

    about: Callable[[], dict[str, Any]]
    ready: Callable[[], Awaitable[dict[str, Any]]]
    connections: Connections
    operations: Operations
    checks: Checks
    poller: Poller
    tracker: Tracker
    store: Store
    address_warning: Callable[[], str]
    """Says why no partner elsewhere could call this node; empty where one can."""
    connected: Callable[[], Awaitable[None]]
    """Called when a connection was made, paused, resumed or ended: webhooks and sweeps follow."""


class AdminApi:
    """The admin API."""

    def __init__(self, services: Services) -> None:
        self._s = services

    def add_routes(self, app: web.Application) -> None:
        """Add all routes."""
        app.router.add_get("/health", self._health)
        app.router.add_get("/ready", self._ready)
        add = app.router.add_route
        add("GET", "/api/v1/node", self._node)
        add("GET", "/api/v1/check", self._check)
        add("POST", "/api/v1/invitations", self._invite)
        add("POST", "/api/v1/invitations/describe", self._describe)
        add("POST", "/api/v1/connections", self._accept)
        add("GET", "/api/v1/connections", self._connections)
        add("GET", "/api/v1/connections/{name}", self._connection)
        add("GET", "/api/v1/connections/{name}/links", self._links)
        add("POST", "/api/v1/connections/{name}/verify", self._verify)
        add("POST", "/api/v1/connections/{name}/sync", self._sync)
        add("POST", "/api/v1/connections/{name}/{action:pause|resume|revoke|close}", self._switch)
        add("POST", "/api/v1/connections/{name}/{action:allow|forbid}", self._may_create)
        add("POST", "/api/v1/connections/{name}/address", self._address)
        add("GET", "/api/v1/issues/{key}", self._status)
        add("GET", "/api/v1/events", self._events)
        add("GET", "/api/v1/queue", self._queue)
        add("GET", "/api/v1/errors", self._errors)
        add("POST", "/api/v1/errors/{action:retry|skip}", self._release)
        add("POST", "/api/v1/sweep", self._sweep)

    # the node itself

    async def _health(self, _request: web.Request) -> web.Response:
        return answer({"status": "up"})

    async def _ready(self, _request: web.Request) -> web.Response:
        state = await self._s.ready()
        return answer(state, status=200 if state["ready"] else 503)

    async def _node(self, _request: web.Request) -> web.Response:
        return answer(self._s.about())

    async def _check(self, _request: web.Request) -> web.Response:
        return answer({"findings": [asdict(finding) for finding in await self._s.checks.run()]})

    # connections

    async def _invite(self, request: web.Request) -> web.Response:
        body = await read_body(request, _Invite)
        project, default_type = await self._known_project(body.project, body.default_type)
        invited = await self._s.connections.invitations.invite(
            body.peer,
            project=project,
            name=body.name,
            default_type=default_type,
            description=body.description,
            valid_seconds=body.hours * 3600,
            only_for=body.fingerprint,
        )
        await self._s.connected()
        return answer(
            {
                "connection": invited.connection.name,
                "code": invited.code,
                "expires_ms": invited.expires_ms,
                "fingerprint": self._s.about()["fingerprint"],
                "warning": self._s.address_warning(),
            },
            status=201,
        )

    async def _describe(self, request: web.Request) -> web.Response:
        described = await self._s.connections.invitations.describe((await read_body(request, _Code)).code)
        return answer(asdict(described))

    async def _accept(self, request: web.Request) -> web.Response:
        body = await read_body(request, _Accept)
        project, default_type = await self._known_project(body.project, body.default_type)
        connection = await self._s.connections.invitations.accept(
            body.code,
            project=project,
            name=body.name,
            default_type=default_type,
            description=body.description,
        )
        await self._s.connected()
        return answer({**await self._one(connection.name), "warning": self._s.address_warning()}, status=201)

    async def _known_project(self, key: str, default_type: str | None) -> tuple[str, str | None]:
        """Return a project's key and an issue type of it as Jira spells them.

        Raises:
            TrackerNotFound: Jira does not know the project.
            UsageError: the project has no such type.
        """
        project = await self._s.tracker.project(key.strip())
        if default_type is None:
            return project.key, None
        types = {one.name.casefold(): one.name for one in project.issue_types if not one.subtask}
        known = types.get(default_type.strip().casefold())
        if known is None:
            raise UsageError(
                f"{project.key} has no issue type {default_type!r}.",
                advice=f"Its issue types are: {', '.join(types.values())}.",
            )
        return project.key, known

    async def _connections(self, _request: web.Request) -> web.Response:
        counts = await self._s.store.read(links.counts)
        return answer({"connections": [_shown(one, counts) for one in await self._s.connections.overview()]})

    async def _connection(self, request: web.Request) -> web.Response:
        return answer(await self._one(request.match_info["name"]))

    async def _one(self, name: str) -> dict[str, Any]:
        counts = await self._s.store.read(links.counts)
        return _shown(await self._s.connections.by_name(name), counts)

    async def _links(self, request: web.Request) -> web.Response:
        connection = await self._s.operations.connection(request.match_info["name"])
        found = await self._s.store.read(lambda tx: links.of_connection(tx, connection.id))
        return answer(
            {
                "links": [
                    {
                        "key": link.issue_key,
                        "id": link.issue_id,
                        "twin_key": link.twin_key,
                        "state": link.state,
                        "sent": link.revision,
                        "applied": link.seen,
                        "synced_ms": link.synced_ms,
                    }
                    for link in found
                ]
            }
        )

    async def _verify(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        comparison = await self._s.connections.verify(name, (await read_body(request, _Digits)).digits)
        if not comparison.verified and comparison.tries_left:
            raise UsageError(
                f"These are not the digits of {name}; {comparison.tries_left} tries are left.",
                advice="Ask the other admin to read them out again.",
            )
        if not comparison.verified:
            raise UsageError(
                f"The digits of {name} were wrong three times: the connection is closed.",
                advice="Somebody may stand between the two nodes. Pair again over another channel.",
            )
        await self._s.connected()
        return answer(await self._one(name))

    async def _switch(self, request: web.Request) -> web.Response:
        await read_body(request, _Nothing)
        name, action = request.match_info["name"], request.match_info["action"]
        use_case = {
            "pause": self._s.connections.pause,
            "resume": self._s.connections.resume,
            "revoke": self._s.connections.invitations.revoke,
            "close": self._s.connections.close,
        }[action]
        await use_case(name)
        await self._s.connected()
        return answer(await self._one(name))

    async def _may_create(self, request: web.Request) -> web.Response:
        name, kinds = request.match_info["name"], (await read_body(request, _Kinds)).kinds
        if request.match_info["action"] == "forbid":
            await self._s.connections.forbid(name, kinds)
            return answer(await self._one(name))
        if "options" in kinds and (await self._s.tracker.describe()).kind == "data-center":
            raise UsageError(
                "Jira Data Center has no REST call that adds an option to a custom field, so rules cannot do it.",
                advice="Add options in Jira by hand. Versions and components can be allowed.",
            )
        await self._s.connections.allow(name, kinds)
        return answer(await self._one(name))

    async def _address(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        await self._s.connections.set_address(name, (await read_body(request, _Address)).url)
        return answer(await self._one(name))

    # issues

    async def _sync(self, request: web.Request) -> web.Response:
        body = await read_body(request, _Keys)
        results = await self._s.operations.sync(request.match_info["name"], body.keys)
        await self._s.connected()  # an issue of a project that was not watched may have come in
        return answer({"results": [asdict(result) for result in results]})

    async def _status(self, request: web.Request) -> web.Response:
        key = request.match_info["key"]
        return answer(await self._s.store.read(lambda tx: answers.status(tx, key)))

    async def _events(self, request: web.Request) -> web.Response:
        try:
            after, limit = int(request.query.get("after", "0")), int(request.query.get("limit", "50"))
        except ValueError:
            raise UsageError("after and limit are numbers.") from None
        bounded = min(max(limit, 1), 1000)
        found = await self._s.store.read(lambda tx: answers.events(tx, after=after, limit=bounded))
        return answer({"events": found})

    async def _queue(self, _request: web.Request) -> web.Response:
        return answer({**await self._s.store.read(answers.queue), "quiet": await self._s.operations.quiet()})

    async def _errors(self, _request: web.Request) -> web.Response:
        found = await self._s.store.read(lambda tx: answers.errors(tx, self._s.store.trouble))
        return answer({"problems": found})

    async def _release(self, request: web.Request) -> web.Response:
        body = await read_body(request, _Numbers)
        if request.match_info["action"] == "retry":
            return answer({"count": await self._s.operations.problems.retry(body.ids)})
        if body.ids is None:
            raise UsageError("Nothing was named to skip.", advice="Give the numbers that accord errors lists.")
        return answer({"count": await self._s.operations.problems.skip(body.ids)})

    async def _sweep(self, request: web.Request) -> web.Response:
        await read_body(request, _Nothing)
        return answer({"found": await self._s.poller.sweep()})


def _shown(overview: Overview, counts: dict[int, int]) -> dict[str, Any]:
    row = overview.connection
    return {
        "name": row.name,
        "state": row.state,
        "role": row.role,
        "peer_label": row.peer_label,
        "peer_fingerprint": overview.peer_fingerprint,
        "peer_urls": list(row.peer_urls),
        "verified": row.verified,
        "short_code": {"say": overview.short_code} if overview.short_code else None,
        "project": row.project,
        "default_type": row.default_type,
        "may_create": list(row.may_create),
        "description": row.description,
        "issues": counts.get(row.id, 0),
        "created_ms": row.created_ms,
        "last_sync_ms": row.last_sync_ms,
        "last_heard_ms": overview.reach.last_heard_ms,
        "last_error": overview.reach.last_error,
        "last_error_advice": overview.reach.advice,
        "waiting": {"queued": overview.waiting.queued, "sealed": overview.waiting.sealed},
    }
