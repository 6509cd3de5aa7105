"""The bodies of webhooks, shaped like those that a Jira Server sends. Rendered once for all who want an event."""

from __future__ import annotations

from pydantic_core import to_json

from node.sandbox.events import Event
from node.sandbox.model import Issue, IssueLink
from node.sandbox.render import Json, Renderer
from node.sandbox.render_issue import IssueRenderer
from node.sandbox.render_parts import change_items
from node.sandbox.store import World


def render_event(renderer: Renderer, event: Event) -> bytes:
    """Return the body of an event, as the person who caused it sees the issue."""
    view = IssueRenderer(renderer, event.actor)
    body: Json = {"timestamp": event.at, "webhookEvent": event.name}
    if event.type_name is not None:
        body["issue_event_type_name"] = event.type_name
    if event.with_user and event.actor is not None:
        body["user"] = renderer.user(event.actor.key)
    if event.issue is not None:
        body |= _issue_part(view, event, event.issue)
    if event.link is not None:
        body["issueLink"] = _link(renderer.world, event.link)
    if event.project is not None:
        body["project"] = {**renderer.project(event.project), "projectLead": renderer.user(event.project.lead)}
    if event.version is not None:
        body["version"] = renderer.version(event.version, whole=True)
    return to_json(body)


def _issue_part(view: IssueRenderer, event: Event, issue: Issue) -> Json:
    part: Json = {}
    if event.whole_issue:
        part["issue"] = view.issue(issue)
        del part["issue"]["expand"]
    if event.change is not None:
        part["changelog"] = {"id": event.change.id, "items": change_items(event.change)}
    if event.comment is not None:
        part["comment"] = view.comment(issue, event.comment)
    if event.worklog is not None:
        part["worklog"] = view.worklog(issue, event.worklog)
    if event.attachment_id is not None:
        found = next((one for one in issue.attachments if one.id == event.attachment_id), None)
        part["attachment"] = view.attachment(found) if found is not None else {"id": event.attachment_id}
    return part


def _link(world: World, link: IssueLink) -> Json:
    kind = world.site.link_types[link.type_id]
    return {
        "id": int(link.id),
        "sourceIssueId": int(link.source_id),
        "destinationIssueId": int(link.destination_id),
        "issueLinkType": {
            "id": int(kind.id),
            "name": kind.name,
            "outwardName": kind.outward,
            "inwardName": kind.inward,
            "isSubTaskLinkType": False,
            "isSystemLinkType": False,
        },
        "systemLink": False,
    }
