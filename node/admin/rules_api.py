"""Routes of the admin API around rules: show, check, import, diff, history, roll back, convert, preview, explain."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from aiohttp import web
from pydantic import Field

from node.admin.server import Body, answer, read_body
from node.errors import UsageError
from node.rules.findings import has_errors
from node.rules.ruleset import Direction, Mode
from node.rules_desk.desk import RulesDesk
from node.rules_desk.publishing import DIRECTIONS, shown_findings

Text = Annotated[str, Field(max_length=1000)]
File = Annotated[str, Field(max_length=4_000_000)]
Cursor = Annotated[str, Field(max_length=500)]


class _Files(Body):
    files: dict[Direction, File]


class _Signed(Body):
    author: Text = ""
    why: Text = ""


class _Import(_Signed):
    files: dict[Direction, File]


class _Diff(Body):
    direction: Direction
    old: int | None = None
    new: int | None = None
    text: File | None = None


class _RollBack(_Signed):
    direction: Direction
    version: Annotated[int, Field(ge=0)]


class _Convert(_Signed):
    mode: Mode
    directions: tuple[Direction, ...] = DIRECTIONS


class _PreviewOutgoing(Body):
    keys: Annotated[list[Text], Field(max_length=50)] = Field(default_factory=list)
    jql: Annotated[str, Field(max_length=10_000)] | None = None
    cursor: Cursor | None = None
    text: File | None = None


class _PreviewIncoming(Body):
    key: Text | None = None
    replica: dict[str, Any] | None = None
    text: File | None = None


class _Compare(Body):
    direction: Direction
    text: File
    jql: Annotated[str, Field(max_length=10_000)] | None = None
    cursor: Cursor | None = None


class _Record(Body):
    key: Text
    direction: Direction
    name: Text | None = None


class RulesApi:
    """The rules part of the admin API."""

    def __init__(self, desk: RulesDesk) -> None:
        self._desk = desk

    def add_routes(self, app: web.Application) -> None:
        """Add the routes."""
        add = app.router.add_route
        base = "/api/v1/connections/{name}/rules"
        add("GET", base, self._show)
        add("GET", f"{base}/history", self._history)
        add("GET", f"{base}/fields", self._fields)
        add("POST", f"{base}/check", self._check)
        add("POST", f"{base}/import", self._import)
        add("POST", f"{base}/diff", self._diff)
        add("POST", f"{base}/rollback", self._roll_back)
        add("POST", f"{base}/convert", self._convert)
        add("POST", f"{base}/preview/outgoing", self._preview_outgoing)
        add("POST", f"{base}/preview/incoming", self._preview_incoming)
        add("POST", f"{base}/compare", self._compare)
        add("POST", f"{base}/record", self._record)
        add("GET", "/api/v1/issues/{key}/explanation", self._explain)

    async def _show(self, request: web.Request) -> web.Response:
        return answer(await self._desk.publishing.show(_name(request)))

    async def _fields(self, request: web.Request) -> web.Response:
        return answer(await self._desk.publishing.fields(_name(request)))

    async def _history(self, request: web.Request) -> web.Response:
        given = request.query.get("direction")
        direction: Literal["outgoing", "incoming"] | None = None
        if given is not None:
            direction = next((one for one in DIRECTIONS if one == given), None)
            if direction is None:
                raise UsageError(f"{given!r} is not a direction.", advice="It is outgoing or incoming.")
        return answer({"versions": await self._desk.publishing.history(_name(request), direction)})

    async def _check(self, request: web.Request) -> web.Response:
        body = await read_body(request, _Files)
        findings = await self._desk.publishing.check(_name(request), body.files)
        refused = has_errors(finding for _, finding in findings)
        return answer({"ok": not refused, "findings": shown_findings(findings)})

    async def _import(self, request: web.Request) -> web.Response:
        body = await read_body(request, _Import)
        done = await self._desk.publishing.publish(_name(request), body.files, author=body.author, why=body.why)
        return answer(done)

    async def _diff(self, request: web.Request) -> web.Response:
        body = await read_body(request, _Diff)
        return answer(
            await self._desk.publishing.diff(_name(request), body.direction, old=body.old, new=body.new, text=body.text)
        )

    async def _roll_back(self, request: web.Request) -> web.Response:
        body = await read_body(request, _RollBack)
        return answer(
            await self._desk.publishing.roll_back(
                _name(request), body.direction, body.version, author=body.author, why=body.why
            )
        )

    async def _convert(self, request: web.Request) -> web.Response:
        body = await read_body(request, _Convert)
        return answer(
            await self._desk.publishing.convert(
                _name(request), body.mode, body.directions, author=body.author, why=body.why
            )
        )

    async def _preview_outgoing(self, request: web.Request) -> web.Response:
        body = await read_body(request, _PreviewOutgoing)
        return answer(
            await self._desk.previews.outgoing(
                _name(request), keys=body.keys, jql=body.jql, cursor=body.cursor, text=body.text
            )
        )

    async def _preview_incoming(self, request: web.Request) -> web.Response:
        body = await read_body(request, _PreviewIncoming)
        return answer(
            await self._desk.previews.incoming(_name(request), key=body.key, replica=body.replica, text=body.text)
        )

    async def _compare(self, request: web.Request) -> web.Response:
        body = await read_body(request, _Compare)
        return answer(
            await self._desk.comparing.compare(
                _name(request), body.direction, body.text, jql=body.jql, cursor=body.cursor
            )
        )

    async def _record(self, request: web.Request) -> web.Response:
        body = await read_body(request, _Record)
        return answer(await self._desk.recording.record(_name(request), body.key, body.direction, body.name))

    async def _explain(self, request: web.Request) -> web.Response:
        try:
            sync = int(request.query["sync"]) if "sync" in request.query else None
            past = min(max(int(request.query.get("past", "1")), 1), 200)
        except ValueError:
            raise UsageError("sync and past are numbers.") from None
        return answer(
            await self._desk.explaining.explain(
                request.match_info["key"], sync=sync, fields=request.query.getall("field", []), past=past
            )
        )


def _name(request: web.Request) -> str:
    return request.match_info["name"]
