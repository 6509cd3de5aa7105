"""Properties of issues and projects: JSON that people do not see, kept for programs."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from node.sandbox.edits import JSON_PROPERTY_LIMIT, check_property_key
from node.sandbox.errors import BadRequest, NotThere
from node.sandbox.events import Event
from node.sandbox.model import Issue
from node.sandbox.routes.call import Call, answer, nothing, parse_json


async def property_body(call: Call) -> Any:
    """Read the value of a property. Raises BadRequest when it is not JSON or too long."""
    raw = await call.request.read()
    if len(raw.decode(errors="replace")) > JSON_PROPERTY_LIMIT:
        raise BadRequest(f"The property value cannot exceed {JSON_PROPERTY_LIMIT} characters.")
    return parse_json(raw)


async def keys(request: web.Request) -> web.Response:
    """Answer the keys of an issue's properties."""
    call = Call(request)
    issue = call.issue()
    base = call.renderer.url("issue", issue.id, "properties")
    return answer({"keys": [{"self": f"{base}/{key}", "key": key} for key in issue.properties]})


async def get(request: web.Request) -> web.Response:
    """Answer one property."""
    call = Call(request)
    issue, key = call.issue(), call.part("key")
    if key not in issue.properties:
        raise NotThere(f"The property with key '{key}' does not exist.")
    return answer({"key": key, "value": issue.properties[key]})


async def put(request: web.Request) -> web.Response:
    """Set one property: 201 the first time, 200 after that. The issue's ``updated`` does not move."""
    call = Call(request)
    value = await property_body(call)
    issue = call.issue("EDIT_ISSUES", "You do not have permission to edit this issue.")
    key = check_property_key(call.part("key"))
    known = key in issue.properties
    issue.properties[key] = value
    call.world.touch_issue(issue)
    _tell(call, issue, "issue_property_set")
    return nothing(200 if known else 201)


async def delete(request: web.Request) -> web.Response:
    """Forget one property."""
    call = Call(request)
    issue = call.issue("EDIT_ISSUES", "You do not have permission to edit this issue.")
    key = call.part("key")
    if key not in issue.properties:
        raise NotThere(f"The property with key '{key}' does not exist.")
    del issue.properties[key]
    call.world.touch_issue(issue)
    _tell(call, issue, "issue_property_deleted")
    return nothing()


def _tell(call: Call, issue: Issue, name: str) -> None:
    call.world.tell(Event(name, call.world.now(), call.user, issue, whole_issue=False))


ROUTES = (
    web.get("/issue/{issue}/properties", keys),
    web.get("/issue/{issue}/properties/{key}", get),
    web.put("/issue/{issue}/properties/{key}", put),
    web.delete("/issue/{issue}/properties/{key}", delete),
)
