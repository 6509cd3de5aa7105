"""Links between two issues of this Jira.

``POST {inwardIssue: I, outwardIssue: O}`` makes I the source: I "blocks" O. On O the entry carries ``inwardIssue: I``,
on I it carries ``outwardIssue: O``. Atlassian's prose says it the other way round; its servers do it this way.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from node.sandbox.changes import record, single
from node.sandbox.errors import BadRequest, NotThere
from node.sandbox.events import Event
from node.sandbox.model import Issue, IssueLink, LinkType, User
from node.sandbox.store import World


def find_type(world: World, given: Any) -> LinkType:
    """Return the link type that a request names by id or name. Raises NotThere."""
    if isinstance(given, Mapping):
        wanted_id, wanted_name = str(given.get("id") or ""), str(given.get("name") or "").casefold()
        for kind in world.site.link_types.values():
            if (wanted_id and kind.id == wanted_id) or (not wanted_id and kind.name.casefold() == wanted_name):
                return kind
        raise NotThere(f"No issue link type with name '{given.get('name') or given.get('id')}' found.")
    raise BadRequest("A link type is required.")


def find_end(world: World, given: Any) -> Issue:
    """Return the issue that one end of a link names by key or id. Raises NotThere."""
    name = str((given.get("key") or given.get("id") or "") if isinstance(given, Mapping) else "")
    issue = world.issue(name)
    if issue is None:
        raise NotThere(f"Issue Does Not Exist: {name}" if name else "No issue key or issue id specified.")
    return issue


def create(world: World, kind: LinkType, source: Issue, destination: Issue, actor: User) -> IssueLink:
    """Link two issues; linking them again changes nothing and is no error. Raises BadRequest for one issue twice."""
    if source is destination:
        raise BadRequest("You cannot link an issue to itself.")
    for link_id in source.link_ids:
        link = world.site.links[link_id]
        if (link.type_id, link.source_id, link.destination_id) == (kind.id, source.id, destination.id):
            return link
    link = IssueLink(world.new_id("link"), kind.id, source.id, destination.id)
    world.add_link(link)
    for issue, other, phrase in ((source, destination, kind.outward), (destination, source, kind.inward)):
        world.stamp(issue)
        after = (other.key, f"This issue {phrase} {other.key}")
        record(world, issue, actor, [single("Link", before=(None, None), after=after)])
    world.tell(Event("issuelink_created", source.updated, actor, link=link, whole_issue=False, with_user=False))
    return link


def delete(world: World, link: IssueLink, actor: User) -> None:
    """Take a link away."""
    kind = world.site.link_types[link.type_id]
    source, destination = world.issues[link.source_id], world.issues[link.destination_id]
    world.remove_link(link)
    for issue, other, phrase in ((source, destination, kind.outward), (destination, source, kind.inward)):
        world.stamp(issue)
        before = (other.key, f"This issue {phrase} {other.key}")
        record(world, issue, actor, [single("Link", before=before, after=(None, None))])
    world.tell(Event("issuelink_deleted", source.updated, actor, link=link, whole_issue=False, with_user=False))
