"""Comments: reading, adding, editing and removing them, and telling others.

One comment tells twice, as a Server does: ``comment_created`` without the issue, and ``jira:issue_updated``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from node.sandbox.errors import Forbidden, NotThere, field_problem
from node.sandbox.events import Event
from node.sandbox.field_parsers import WrongValue, check_text
from node.sandbox.model import Comment, Issue, User, Visibility
from node.sandbox.permissions import may
from node.sandbox.store import World


@dataclass(slots=True)
class CommentDraft:
    """A comment as a request gives it."""

    body: str
    visibility: Visibility | None = None
    properties: dict[str, Any] = field(default_factory=dict)


def read_visibility(world: World, given: Any, label: str = "commentLevel") -> Visibility | None:
    """Read who may see a comment or worklog. Raises BadRequest for an unknown role or group."""
    if given is None:
        return None
    if not isinstance(given, Mapping) or given.get("type") not in {"role", "group"}:
        raise field_problem(label, "The visibility type must be 'role' or 'group'.")
    value = str(given.get("value") or given.get("identifier") or "")
    known = {role.name for role in world.site.roles.values()} if given["type"] == "role" else set(world.site.groups)
    if value not in known:
        raise field_problem(label, f"{str(given['type']).capitalize()}: {value} does not exist.")
    return Visibility(str(given["type"]), value)


def read_draft(world: World, given: Mapping[str, Any]) -> CommentDraft:
    """Read a comment from a request. Raises BadRequest."""
    body = given.get("body")
    if not isinstance(body, str) or not body.strip():
        raise field_problem("comment", "Comment body can not be empty!")
    try:
        check_text(body)
    except WrongValue as wrong:
        raise field_problem("comment", str(wrong)) from None
    properties = given.get("properties") or []
    if not isinstance(properties, list) or not all(isinstance(one, Mapping) and "key" in one for one in properties):
        raise field_problem("properties", "'properties' must be a list of objects with a key and a value.")
    return CommentDraft(
        body,
        read_visibility(world, given.get("visibility")),
        {str(one["key"]): one.get("value") for one in properties},
    )


def find(issue: Issue, comment_id: str) -> Comment:
    """Return a comment of the issue. Raises NotThere."""
    for comment in issue.comments:
        if comment.id == comment_id:
            return comment
    raise NotThere(f"Can not find a comment for the id: {comment_id}.")


def append(world: World, issue: Issue, actor: User, draft: CommentDraft) -> Comment:
    """Hang a comment on an issue whose ``updated`` is already set; tells ``comment_created`` only."""
    comment = Comment(
        world.new_id("comment"),
        actor.key,
        draft.body,
        issue.updated,
        issue.updated,
        actor.key,
        draft.visibility,
        dict(draft.properties),
    )
    issue.comments.append(comment)
    world.tell(
        Event("comment_created", issue.updated, actor, issue, comment=comment, whole_issue=False, with_user=False)
    )
    return comment


def add(world: World, issue: Issue, actor: User, draft: CommentDraft) -> Comment:
    """Add a comment."""
    world.stamp(issue)
    comment = append(world, issue, actor, draft)
    _tell_issue(world, issue, actor, "issue_commented", comment)
    return comment


def edit(
    world: World, issue: Issue, actor: User, comment: Comment, draft: CommentDraft, given: Mapping[str, Any]
) -> None:
    """Change a comment; who may see it changes only when the request says so."""
    require_own(actor, comment, "EDIT", world, issue)
    world.stamp(issue)
    update(world, issue, actor, comment, draft, given)
    _tell_issue(world, issue, actor, "issue_comment_edited", comment)


def update(
    world: World, issue: Issue, actor: User, comment: Comment, draft: CommentDraft, given: Mapping[str, Any]
) -> None:
    """Change a comment of an issue whose ``updated`` is already set; tells ``comment_updated`` only."""
    comment.body = draft.body
    comment.updated, comment.update_author = issue.updated, actor.key
    if "visibility" in given:
        comment.visibility = draft.visibility
    comment.properties |= draft.properties
    world.tell(Event("comment_updated", issue.updated, actor, issue, comment=comment, whole_issue=False))


def delete(world: World, issue: Issue, actor: User, comment: Comment) -> None:
    """Remove a comment."""
    require_own(actor, comment, "DELETE", world, issue)
    world.stamp(issue)
    remove(world, issue, actor, comment)
    _tell_issue(world, issue, actor, "issue_comment_deleted", None)


def remove(world: World, issue: Issue, actor: User, comment: Comment) -> None:
    """Take a comment off an issue whose ``updated`` is already set; tells ``comment_deleted`` only."""
    issue.comments.remove(comment)
    world.tell(Event("comment_deleted", issue.updated, actor, issue, comment=comment, whole_issue=False))


def require_own(actor: User, comment: Comment, verb: str, world: World, issue: Issue) -> None:
    """Raise Forbidden unless it is the actor's own comment, or the actor may change those of others."""
    project = world.site.projects[issue.project_id]
    if may(actor, f"{verb}_ALL_COMMENTS", project):
        return
    if comment.author == actor.key and may(actor, f"{verb}_OWN_COMMENTS", project):
        return
    raise Forbidden(f"You do not have the permission to {verb.lower()} this comment.")


def _tell_issue(world: World, issue: Issue, actor: User, type_name: str, comment: Comment | None) -> None:
    world.tell(Event("jira:issue_updated", issue.updated, actor, issue, type_name=type_name, comment=comment))
