"""Issues: creating, editing, assigning and deleting them, and telling others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from node.sandbox import links
from node.sandbox.changes import compare, record
from node.sandbox.edits import Edit, EditReader, apply_values
from node.sandbox.errors import BadRequest, field_problem
from node.sandbox.events import Event
from node.sandbox.field_parsers import WrongValue
from node.sandbox.field_values import parse_value
from node.sandbox.fields import SYSTEM_DEFINITIONS, is_required, screen
from node.sandbox.model import Change, ChangeItem, Comment, Issue, IssueType, Project, User
from node.sandbox.permissions import may, require
from node.sandbox.store import World

_READ_FIRST = ("project", "issuetype", "parent")
"""Fields that decide about the others, so they are read before them."""


def create(world: World, body: Mapping[str, Any], actor: User) -> Issue:
    """Create an issue from a request's body. Raises BadRequest, Forbidden."""
    fields = body.get("fields")
    if not isinstance(fields, Mapping):
        raise BadRequest(errors={"project": "project is required"})
    project = _read_project(world, fields.get("project"), actor)
    kind = _read_type(world, project, fields.get("issuetype"))
    reader = EditReader(world, project, screen(world, project, kind, creating=True), actor, None)
    edit = reader.read(body, skip=_READ_FIRST)
    parent = _read_parent(world, project, kind, fields, edit)
    given = {**fields, **(body.get("update") or {})}
    if "summary" not in given:
        edit.errors.setdefault("summary", "You must specify a summary of the issue.")
    for name in project.required_fields:
        definition = reader.screen.get(name)
        if definition is not None and edit.values.get(name, (None, None))[1] in (None, []):
            edit.errors.setdefault(name, f"{definition.name} is required.")
    edit.refuse_errors()
    return _create(world, project, kind, parent, edit, actor)


def _create(world: World, project: Project, kind: IssueType, parent: Issue | None, edit: Edit, actor: User) -> Issue:
    now = world.now()
    issue = Issue(
        world.new_id("issue"),
        f"{project.key}-{project.next_number}",
        project.id,
        kind.id,
        world.site.workflows[project.workflow_id].initial,
        "",
        now,
        now,
        creator=actor.key,
        reporter=actor.key,
        assignee=project.lead if project.default_assignee == "PROJECT_LEAD" else None,
        priority_id=_default_priority(world),
        watchers=[actor.key],
        parent_id=parent.id if parent is not None else None,
    )
    project.next_number += 1
    apply_values(world, issue, edit)
    issue.properties |= edit.properties
    world.add_issue(issue)
    world.touch_site()
    if parent is not None:
        parent.subtask_ids.append(issue.id)
        world.touch_issue(parent)
    world.tell(Event("jira:issue_created", now, actor, issue, type_name="issue_created"))
    for action in edit.actions:
        action(issue)
    return issue


def _default_priority(world: World) -> str | None:
    for priority in world.site.priorities.values():
        if priority.name == "Medium":
            return priority.id
    return next(iter(world.site.priorities), None)


def _read_project(world: World, given: Any, actor: User) -> Project:
    name = (given.get("key") or given.get("id")) if isinstance(given, Mapping) else None
    if name is None:
        raise field_problem("project", "project is required")
    project = world.project(str(name))
    if project is None or not may(actor, "BROWSE_PROJECTS", project):
        raise field_problem("project", "valid project is required")
    if not may(actor, "CREATE_ISSUES", project):
        raise field_problem("project", "You do not have permission to create issues in this project.")
    return project


def _read_type(world: World, project: Project, given: Any) -> IssueType:
    if not isinstance(given, Mapping) or (given.get("id") is None and given.get("name") is None):
        raise field_problem("issuetype", "issue type is required")
    try:
        found = parse_value(world, project, SYSTEM_DEFINITIONS["issuetype"], given)
    except WrongValue:
        raise field_problem("issuetype", "valid issue type is required") from None
    return world.site.issue_types[found]


def _read_parent(
    world: World, project: Project, kind: IssueType, fields: Mapping[str, Any], edit: Edit
) -> Issue | None:
    given = fields.get("parent")
    if not kind.subtask:
        if given is not None:
            edit.errors["parent"] = "Field 'parent' cannot be set. It is not on the appropriate screen, or unknown."
        return None
    name = (given.get("key") or given.get("id")) if isinstance(given, Mapping) else None
    if name is None:
        edit.errors["issuetype"] = "Issue type is a sub-task but parent issue key or id not specified."
        return None
    parent = world.issue(str(name))
    if parent is None or parent.project_id != project.id:
        edit.errors["parent"] = "Could not find issue by id or key."
        return None
    if world.site.issue_types[parent.type_id].subtask:
        edit.errors["parent"] = "A sub-task cannot be the parent of a sub-task."
    return parent


def update(world: World, issue: Issue, body: Mapping[str, Any], actor: User) -> None:
    """Edit an issue as a request's body says. Raises BadRequest, Forbidden."""
    project = world.site.projects[issue.project_id]
    require(actor, "EDIT_ISSUES", "You do not have permission to edit issues in this project.", project)
    kind = world.site.issue_types[issue.type_id]
    edit = EditReader(world, project, screen(world, project, kind, creating=False), actor, issue).read(body)
    _check_new_type(world, issue, edit)
    edit.refuse_errors()
    apply(world, issue, edit, actor)


def _check_new_type(world: World, issue: Issue, edit: Edit) -> None:
    chosen = edit.values.get("issuetype")
    if chosen is None:
        return
    new = world.site.issue_types.get(chosen[1])
    if new is None or new.subtask != world.site.issue_types[issue.type_id].subtask:
        edit.errors["issuetype"] = "The issue type selected is invalid."


def apply(world: World, issue: Issue, edit: Edit, actor: User, *, type_name: str | None = None) -> None:
    """Apply an edit that was read without complaint; an edit that changes nothing leaves no trace."""
    items = apply_values(world, issue, edit)
    if edit.properties:
        issue.properties |= edit.properties
        world.touch_issue(issue)
    if items or edit.actions:
        finish(world, issue, items, edit, actor, type_name)


def finish(world: World, issue: Issue, items: list[ChangeItem], edit: Edit, actor: User, type_name: str | None) -> None:
    """Stamp the issue, write its history, do what hangs on it, and tell ``jira:issue_updated`` once."""
    world.stamp(issue)
    if issue.resolution_id is None:
        issue.resolved = None
    elif issue.resolved is None:
        issue.resolved = issue.updated
    change = record(world, issue, actor, items)
    comment: Comment | None = None
    for action in edit.actions:
        comment = action(issue) or comment
    if type_name is None:
        type_name = _type_of(change)
    world.tell(
        Event("jira:issue_updated", issue.updated, actor, issue, type_name=type_name, change=change, comment=comment)
    )


def _type_of(change: Change | None) -> str:
    if change is None:
        return "issue_commented"
    return "issue_assigned" if [item.field for item in change.items] == ["assignee"] else "issue_updated"


def assign(world: World, issue: Issue, given: Any, actor: User) -> None:
    """Set the assignee: a name, None for nobody, ``-1`` for the project's default. Raises BadRequest, Forbidden."""
    project = world.site.projects[issue.project_id]
    require(actor, "ASSIGN_ISSUES", "You do not have permission to assign issues.", project)
    definition = SYSTEM_DEFINITIONS["assignee"]
    try:
        key = parse_value(world, project, definition, given)
    except WrongValue as wrong:
        raise field_problem("assignee", str(wrong)) from None
    items = compare(world, definition, issue.assignee, key)
    if items:
        issue.assignee = key
        finish(world, issue, items, Edit(), actor, "issue_assigned")


def delete(world: World, issue: Issue, actor: User, *, with_subtasks: bool) -> None:
    """Delete an issue, its links and, when asked to, its sub-tasks. Raises BadRequest, Forbidden."""
    project = world.site.projects[issue.project_id]
    require(actor, "DELETE_ISSUES", "You do not have permission to delete issues in this project.", project)
    if issue.subtask_ids and not with_subtasks:
        raise BadRequest(
            f"The issue '{issue.key}' has subtasks.  You must specify the 'deleteSubtasks' parameter "
            "to delete this issue and all its subtasks."
        )
    for subtask_id in list(issue.subtask_ids):
        delete(world, world.issues[subtask_id], actor, with_subtasks=True)
    world.tell(Event("jira:issue_deleted", world.now(), actor, issue))
    for link_id in list(issue.link_ids):
        links.delete(world, world.site.links[link_id], actor)
    parent = world.issues.get(issue.parent_id or "")
    if parent is not None and issue.id in parent.subtask_ids:
        parent.subtask_ids.remove(issue.id)
        world.touch_issue(parent)
    world.remove_issue(issue)


def required_names(project: Project, kind: IssueType, names: list[str]) -> set[str]:
    """Return those of the field names without which an issue cannot be created."""
    return {name for name in names if is_required(project, kind, name)}
