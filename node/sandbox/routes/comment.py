"""Comments of an issue, and their properties."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from node.sandbox import comments
from node.sandbox.edits import check_property_key
from node.sandbox.errors import BadRequest, NotThere
from node.sandbox.model import Comment, Issue
from node.sandbox.permissions import can_read
from node.sandbox.routes.call import Call, answer, nothing
from node.sandbox.routes.properties import property_body

PAGE = 1_048_576
"""How many comments one page has when nobody says: a Data Center answers all of them."""


def _comment(call: Call, issue: Issue) -> Comment:
    comment = comments.find(issue, call.part("comment"))
    if not can_read(call.world, call.caller, issue, comment.visibility):
        raise NotThere(f"Can not find a comment for the id: {comment.id}.")
    return comment


def _render(call: Call, issue: Issue, comment: Comment) -> dict[str, Any]:
    rendered = call.view.comment(issue, comment)
    if "properties" in call.expand:
        rendered["properties"] = call.view.comment_properties(comment)
    if "renderedBody" in call.expand:
        rendered["renderedBody"] = call.view.as_html(comment.body)
    return rendered


async def get_all(request: web.Request) -> web.Response:
    """Answer a page of comments."""
    call = Call(request)
    order = call.query.get("orderBy", "created")
    if order not in {"created", "-created", "+created"}:
        raise BadRequest("The orderBy parameter must be created or -created.")
    issue = call.issue()
    found = call.view.readable_comments(issue)
    if order.startswith("-"):
        found = found[::-1]
    start, size = max(0, call.number("startAt", 0)), max(0, call.number("maxResults", PAGE))
    shown = [_render(call, issue, comment) for comment in found[start : start + size]]
    return answer({"startAt": start, "maxResults": size, "total": len(found), "comments": shown})


async def get(request: web.Request) -> web.Response:
    """Answer one comment."""
    call = Call(request)
    issue = call.issue()
    return answer(_render(call, issue, _comment(call, issue)))


async def add(request: web.Request) -> web.Response:
    """Add a comment."""
    call = Call(request)
    body = await call.body()
    issue = call.issue("ADD_COMMENTS", "You do not have the permission to comment on this issue.")
    draft = comments.read_draft(call.world, body)
    return answer(_render(call, issue, comments.add(call.world, issue, call.user, draft)), 201)


async def edit(request: web.Request) -> web.Response:
    """Change a comment."""
    call = Call(request)
    body = await call.body()
    issue = call.issue()
    comment = _comment(call, issue)
    comments.edit(call.world, issue, call.user, comment, comments.read_draft(call.world, body), body)
    return answer(_render(call, issue, comment))


async def delete(request: web.Request) -> web.Response:
    """Remove a comment."""
    call = Call(request)
    issue = call.issue()
    comments.delete(call.world, issue, call.user, _comment(call, issue))
    return nothing()


def _property_owner(call: Call) -> tuple[Issue, Comment]:
    wanted = call.part("comment")
    for issue in call.world.issues.values():
        for comment in issue.comments:
            if comment.id == wanted and can_read(call.world, call.user, issue, comment.visibility):
                return issue, comment
    raise NotThere(f"Can not find a comment for the id: {wanted}.")


async def property_keys(request: web.Request) -> web.Response:
    """Answer the keys of a comment's properties."""
    call = Call(request)
    _, comment = _property_owner(call)
    base = call.renderer.url("comment", comment.id, "properties")
    return answer({"keys": [{"self": f"{base}/{key}", "key": key} for key in comment.properties]})


async def get_property(request: web.Request) -> web.Response:
    """Answer one property of a comment."""
    call = Call(request)
    _, comment = _property_owner(call)
    key = call.part("key")
    if key not in comment.properties:
        raise NotThere(f"The property with key '{key}' does not exist.")
    return answer({"key": key, "value": comment.properties[key]})


async def put_property(request: web.Request) -> web.Response:
    """Set one property of a comment: 201 the first time, 200 after that."""
    call = Call(request)
    value = await property_body(call)
    issue, comment = _property_owner(call)
    comments.require_own(call.user, comment, "EDIT", call.world, issue)
    key = check_property_key(call.part("key"))
    known = key in comment.properties
    comment.properties[key] = value
    call.world.touch_issue(issue)
    return nothing(200 if known else 201)


async def delete_property(request: web.Request) -> web.Response:
    """Forget one property of a comment."""
    call = Call(request)
    issue, comment = _property_owner(call)
    comments.require_own(call.user, comment, "EDIT", call.world, issue)
    if comment.properties.pop(call.part("key"), None) is None:
        raise NotThere(f"The property with key '{call.part('key')}' does not exist.")
    call.world.touch_issue(issue)
    return nothing()


ROUTES = (
    web.get("/issue/{issue}/comment", get_all),
    web.post("/issue/{issue}/comment", add),
    web.get("/issue/{issue}/comment/{comment}", get),
    web.put("/issue/{issue}/comment/{comment}", edit),
    web.delete("/issue/{issue}/comment/{comment}", delete),
    web.get("/comment/{comment}/properties", property_keys),
    web.get("/comment/{comment}/properties/{key}", get_property),
    web.put("/comment/{comment}/properties/{key}", put_property),
    web.delete("/comment/{comment}/properties/{key}", delete_property),
)
