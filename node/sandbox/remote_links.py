"""Links of an issue to things outside this Jira: kept by ``globalId``, replaced whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from node.sandbox.changes import record, single
from node.sandbox.errors import BadRequest, NotThere
from node.sandbox.model import Issue, RemoteLink, User
from node.sandbox.store import World

GLOBAL_ID_LIMIT = 255
_OBJECT_KEYS = ("url", "title", "summary", "icon", "status")
_APPLICATION_KEYS = ("type", "name")


def find(issue: Issue, link_id: str) -> RemoteLink:
    """Return a link of the issue. Raises NotThere, BadRequest for what is no number."""
    if not link_id.isdecimal():
        raise BadRequest("The link id must be a number.")
    for link in issue.remote_links:
        if link.id == link_id:
            return link
    raise NotThere(f"No remote issue link with the id '{link_id}' exists.")


def find_global(issue: Issue, global_id: str) -> RemoteLink:
    """Return the link of a global id. Raises NotThere."""
    for link in issue.remote_links:
        if link.global_id == global_id:
            return link
    raise NotThere(f"No remote issue link with the global id '{global_id}' exists.")


def upsert(world: World, issue: Issue, body: Mapping[str, Any], actor: User) -> tuple[RemoteLink, bool]:
    """Add a link, or replace the one of the same global id; return it and whether it is new. Raises BadRequest."""
    global_id = body.get("globalId")
    known = next((one for one in issue.remote_links if global_id and one.global_id == global_id), None)
    link = known if known is not None else RemoteLink(world.new_id("remotelink"))
    _fill(link, body)
    if known is None:
        issue.remote_links.append(link)
    world.stamp(issue)
    if known is None:
        after = (link.id, f'This issue links to "{link.object["title"]}"')
        record(world, issue, actor, [single("RemoteIssueLink", before=(None, None), after=after)])
    return link, known is None


def replace(world: World, issue: Issue, link: RemoteLink, body: Mapping[str, Any]) -> None:
    """Replace a link whole. Raises BadRequest."""
    _fill(link, body)
    world.stamp(issue)


def delete(world: World, issue: Issue, link: RemoteLink, actor: User) -> None:
    """Remove a link."""
    issue.remote_links.remove(link)
    world.stamp(issue)
    before = (link.id, f'This issue links to "{link.object.get("title")}"')
    record(world, issue, actor, [single("RemoteIssueLink", before=before, after=(None, None))])


def _fill(link: RemoteLink, body: Mapping[str, Any]) -> None:
    given, application = body.get("object"), body.get("application") or {}
    errors = {}
    if not isinstance(given, Mapping) or not isinstance(application, Mapping):
        raise BadRequest(errors={"object": "'object' is required."})
    if not given.get("title"):
        errors["title"] = "'title' is required."
    if not given.get("url"):
        errors["url"] = "'url' is required."
    global_id = body.get("globalId")
    if global_id is not None and len(str(global_id)) > GLOBAL_ID_LIMIT:
        errors["globalId"] = f"'globalId' must have no more than {GLOBAL_ID_LIMIT} characters."
    if errors:
        raise BadRequest(errors=errors)
    # What the body leaves out is forgotten: Jira does not merge.
    link.global_id = str(global_id) if global_id is not None else None
    link.relationship = str(body["relationship"]) if body.get("relationship") is not None else None
    link.object = {key: given[key] for key in _OBJECT_KEYS if given.get(key) is not None}
    link.object.setdefault("icon", {})
    link.object.setdefault("status", {"icon": {}})
    link.application = {key: application[key] for key in _APPLICATION_KEYS if application.get(key) is not None}
