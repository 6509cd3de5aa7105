"""Links: between issues of this Jira, and to things elsewhere."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from node.sandbox import comments, links, remote_links
from node.sandbox.errors import NotThere
from node.sandbox.model import IssueLink
from node.sandbox.permissions import require, visible_issue
from node.sandbox.routes.call import Call, answer, nothing


async def create(request: web.Request) -> web.Response:
    """Link two issues: 201 without a body, also when they are linked already."""
    call = Call(request)
    body = await call.body()
    kind = links.find_type(call.world, body.get("type"))
    source = links.find_end(call.world, body.get("inwardIssue"))
    destination = links.find_end(call.world, body.get("outwardIssue"))
    for issue in (source, destination):
        project = call.world.site.projects[issue.project_id]
        visible_issue(call.world, call.user, issue.id)
        require(call.user, "LINK_ISSUES", "No Link Issue Permission for issue '" + issue.key + "'", project)
    comment = body.get("comment")
    draft = comments.read_draft(call.world, comment) if isinstance(comment, dict) else None
    links.create(call.world, kind, source, destination, call.user)
    if draft is not None:
        comments.add(call.world, source, call.user, draft)
    return nothing(201)


def _link(call: Call) -> IssueLink:
    link = call.world.site.links.get(call.part("link"))
    if link is None:
        raise NotThere(f"No issue link with id '{call.part('link')}' exists.")
    visible_issue(call.world, call.user, link.source_id)
    return link


async def get(request: web.Request) -> web.Response:
    """Answer one link, with both its ends."""
    call = Call(request)
    link = _link(call)
    view = call.view
    rendered: dict[str, Any] = {
        "id": link.id,
        "self": call.renderer.url("issueLink", link.id),
        "type": call.renderer.link_type(call.world.site.link_types[link.type_id]),
        "inwardIssue": view.stub(call.world.issues[link.source_id]),
        "outwardIssue": view.stub(call.world.issues[link.destination_id]),
    }
    return answer(rendered)


async def delete(request: web.Request) -> web.Response:
    """Take a link away."""
    call = Call(request)
    links.delete(call.world, _link(call), call.user)
    return nothing()


async def get_remotes(request: web.Request) -> web.Response:
    """Answer the links of an issue to things elsewhere, or the one of a ``globalId``."""
    call = Call(request)
    issue = call.issue()
    global_id = call.query.get("globalId")
    if global_id is not None:
        return answer(call.view.remote_link(issue, remote_links.find_global(issue, global_id)))
    return answer([call.view.remote_link(issue, link) for link in issue.remote_links])


async def put_remote(request: web.Request) -> web.Response:
    """Add a link to something elsewhere; one of the same ``globalId`` is replaced, and what is left out is nulled."""
    call = Call(request)
    given = await call.body()
    issue = call.issue("LINK_ISSUES", "No permission to create or update remote issue links for this issue.")
    link, created = remote_links.upsert(call.world, issue, given, call.user)
    body = {"id": int(link.id), "self": call.renderer.url("issue", issue.key, "remotelink", link.id)}
    return answer(body, 201 if created else 200)


async def delete_global(request: web.Request) -> web.Response:
    """Remove the link of a ``globalId``."""
    call = Call(request)
    issue = call.issue("LINK_ISSUES", "No permission to delete remote issue links for this issue.")
    remote_links.delete(call.world, issue, remote_links.find_global(issue, call.query.get("globalId", "")), call.user)
    return nothing()


async def get_remote(request: web.Request) -> web.Response:
    """Answer one link to something elsewhere."""
    call = Call(request)
    issue = call.issue()
    return answer(call.view.remote_link(issue, remote_links.find(issue, call.part("link"))))


async def edit_remote(request: web.Request) -> web.Response:
    """Replace one link to something elsewhere."""
    call = Call(request)
    given = await call.body()
    issue = call.issue("LINK_ISSUES", "No permission to create or update remote issue links for this issue.")
    remote_links.replace(call.world, issue, remote_links.find(issue, call.part("link")), given)
    return nothing()


async def delete_remote(request: web.Request) -> web.Response:
    """Remove one link to something elsewhere."""
    call = Call(request)
    issue = call.issue("LINK_ISSUES", "No permission to delete remote issue links for this issue.")
    remote_links.delete(call.world, issue, remote_links.find(issue, call.part("link")), call.user)
    return nothing()


ROUTES = (
    web.post("/issueLink", create),
    web.get("/issueLink/{link}", get),
    web.delete("/issueLink/{link}", delete),
    web.get("/issue/{issue}/remotelink", get_remotes),
    web.post("/issue/{issue}/remotelink", put_remote),
    web.delete("/issue/{issue}/remotelink", delete_global),
    web.get("/issue/{issue}/remotelink/{link}", get_remote),
    web.put("/issue/{issue}/remotelink/{link}", edit_remote),
    web.delete("/issue/{issue}/remotelink/{link}", delete_remote),
)
