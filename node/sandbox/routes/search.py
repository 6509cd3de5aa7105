"""Searching with JQL, by GET and by POST."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aiohttp import web

from node.sandbox.errors import BadRequest
from node.sandbox.fields import NOT_NAVIGABLE
from node.sandbox.jql import JqlError
from node.sandbox.queries import run_query
from node.sandbox.render_issue import FieldChoice
from node.sandbox.routes.call import MAX_PAGE, Call, answer

PAGE = 50


def _search(
    call: Call, jql: str, start: int, size: int, fields: Iterable[str], expand: Iterable[str], *, validate: bool
) -> web.Response:
    if start < 0 or size < -1:
        raise BadRequest("The startAt and maxResults parameters must not be negative.")
    size = MAX_PAGE if size == -1 else min(size, MAX_PAGE)
    try:
        query, found = run_query(call.world, jql, call.caller, validate=validate)
    except JqlError as wrong:
        raise BadRequest(*wrong.messages) from None
    choice, expand = FieldChoice.read(fields, "*navigable"), frozenset(expand)
    view = call.view
    shown = [view.issue(issue, choice, expand - {"names", "schema"}) for issue in found[start : start + size]]
    result: dict[str, Any] = {
        "expand": "schema,names",
        "startAt": start,
        "maxResults": size,
        "total": len(found),
        "issues": shown,
    }
    if query.warnings:
        result["warningMessages"] = list(query.warnings)
    definitions = [one for one in call.all_fields() if choice.shows(one.id) and one.id not in NOT_NAVIGABLE]
    if "names" in expand:
        result["names"] = {one.id: one.name for one in definitions}
    if "schema" in expand:
        result["schema"] = {one.id: one.schema() for one in definitions if one.id != "issuekey"}
    return answer(result)


async def by_get(request: web.Request) -> web.Response:
    """Search with query parameters."""
    call = Call(request)
    return _search(
        call,
        call.query.get("jql", ""),
        call.number("startAt", 0),
        call.number("maxResults", PAGE),
        request.query.getall("fields", []),
        call.expand,
        validate=call.query.get("validateQuery", "true").lower() not in {"false", "none", "warn"},
    )


async def by_post(request: web.Request) -> web.Response:
    """Search with a JSON body."""
    call = Call(request)
    body = await call.body()
    fields, expand = body.get("fields") or [], body.get("expand") or []
    if not isinstance(fields, list):
        raise BadRequest("'fields' must be a list.")
    names = expand if isinstance(expand, list) else str(expand).split(",")
    try:
        start, size = int(body.get("startAt") or 0), int(body.get("maxResults", PAGE))
    except (TypeError, ValueError):
        raise BadRequest("'startAt' and 'maxResults' must be numbers.") from None
    validate = str(body.get("validateQuery", True)).lower() not in {"false", "none", "warn"}
    return _search(call, str(body.get("jql") or ""), start, size, map(str, fields), map(str, names), validate=validate)


ROUTES = (
    web.get("/search", by_get),
    web.post("/search", by_post),
)
