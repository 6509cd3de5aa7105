"""Reading what a request wants of an issue's fields, wholly and before anything is changed.

``fields`` sets, ``update`` adds, removes, sets and edits. All complaints are gathered first, as Jira gathers them;
only an edit without any is applied. Creating, editing and transitions share this.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from node.sandbox import comments, links, worklogs
from node.sandbox.changes import compare, single
from node.sandbox.durations import read_duration
from node.sandbox.errors import NOT_ON_SCREEN, BadRequest, JiraProblem
from node.sandbox.field_parsers import WrongValue
from node.sandbox.field_values import apply_verb, get_value, parse_value, set_value
from node.sandbox.fields import Definition
from node.sandbox.model import ChangeItem, Comment, Issue, Project, User
from node.sandbox.permissions import can_read, require, visible_issue
from node.sandbox.store import World

JSON_PROPERTY_LIMIT = 32_768
PROPERTY_KEY_LIMIT = 255


@dataclass(slots=True)
class Edit:
    """What will be done to an issue: new values, and actions on what hangs on it."""

    values: dict[str, tuple[Definition, Any]] = field(default_factory=dict)
    estimates: dict[str, int] = field(default_factory=dict)
    actions: list[Callable[[Issue], Comment | None]] = field(default_factory=list)
    properties: dict[str, Any] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    def refuse_errors(self) -> None:
        """Raise BadRequest when there are complaints."""
        if self.errors:
            raise BadRequest(errors=self.errors)


class EditReader:
    """Reads one request's body against a screen. ``issue`` is None while an issue is being created."""

    def __init__(
        self, world: World, project: Project, screen: Mapping[str, Definition], actor: User, issue: Issue | None
    ) -> None:
        self.world = world
        self.project = project
        self.screen = screen
        self.actor = actor
        self.issue = issue
        self.edit = Edit()
        self._comments_at_work: set[str] = set()

    def read(self, body: Mapping[str, Any], *, skip: Iterable[str] = ()) -> Edit:
        """Read ``fields``, ``update`` and ``properties``; fields named in ``skip`` were read elsewhere."""
        fields, update = body.get("fields") or {}, body.get("update") or {}
        if not isinstance(fields, Mapping) or not isinstance(update, Mapping):
            raise BadRequest("'fields' and 'update' must be objects.")
        skipped = set(skip)
        for name in fields.keys() & update.keys() - skipped:
            self.edit.errors[name] = f"Field '{name}' cannot appear in both 'fields' and 'update'"
        for name, value in fields.items():
            if name not in skipped:
                self._guard(name, self._set, value)
        for name, verbs in update.items():
            if name not in skipped:
                self._guard(name, self._verbs, verbs)
        self.edit.properties = read_properties(body.get("properties"))
        return self.edit

    def _guard(self, name: str, read: Callable[[Definition, Any], None], given: Any) -> None:
        definition = self.screen.get(name)
        if definition is None:
            self.edit.errors[name] = NOT_ON_SCREEN.format(name)
            return
        try:
            read(definition, given)
        except WrongValue as wrong:
            self.edit.errors[name] = str(wrong)
        except JiraProblem as problem:
            self.edit.errors |= problem.errors or {name: " ".join(problem.messages)}

    def _set(self, definition: Definition, value: Any) -> None:
        if definition.id == "timetracking":
            self._time_tracking(value)
        elif definition.id == "issuelinks":
            raise WrongValue("Field 'issuelinks' does not support operation 'set' it supports: add")
        elif definition.id == "comment":
            self._comment({"add": value})
        elif definition.id == "worklog":
            self._worklog({"add": value})
        elif definition.id == "attachment":
            raise WrongValue("Attachments are added at /issue/{issueIdOrKey}/attachments.")
        else:
            self.edit.values[definition.id] = (
                definition,
                parse_value(self.world, self.project, definition, value),
            )

    def _verbs(self, definition: Definition, verbs: Any) -> None:
        if not isinstance(verbs, list) or not all(isinstance(verb, Mapping) for verb in verbs):
            raise WrongValue("data was not an array")
        for verb in verbs:
            for name, operand in verb.items():
                self._verb(definition, name, operand)

    def _verb(self, definition: Definition, verb: str, operand: Any) -> None:
        if definition.id == "timetracking" and verb in {"set", "edit"}:
            self._time_tracking(operand)
        elif definition.id == "comment":
            self._comment({verb: operand})
        elif definition.id == "worklog":
            self._worklog({verb: operand})
        elif definition.id == "issuelinks" and verb == "add":
            self._link(operand)
        else:
            known = self.edit.values.get(definition.id)
            kept = known[1] if known is not None else get_value(self.issue, definition.id) if self.issue else None
            self.edit.values[definition.id] = (
                definition,
                apply_verb(self.world, self.project, definition, kept, verb, operand),
            )

    def _time_tracking(self, value: Any) -> None:
        if not isinstance(value, Mapping):
            raise WrongValue("expected Object")
        for name in ("originalEstimate", "remainingEstimate"):
            if value.get(name) is not None:
                try:
                    self.edit.estimates[name] = read_duration(str(value[name]))
                except ValueError:
                    self.edit.errors[f"timetracking_{name.lower()}"] = f"Invalid time entered for {name}."

    def _comment(self, verb: Mapping[str, Any]) -> None:
        ((name, operand),) = verb.items()
        if not isinstance(operand, Mapping):
            raise WrongValue("expected Object")
        if name == "add":
            require(
                self.actor, "ADD_COMMENTS", "You do not have the permission to comment on this issue.", self.project
            )
            draft = comments.read_draft(self.world, operand)
            self.edit.actions.append(lambda issue: comments.append(self.world, issue, self.actor, draft))
        elif name in {"edit", "remove"} and self.issue is not None:
            comment = self._own_comment(self.issue, str(operand.get("id")), "EDIT" if name == "edit" else "DELETE")
            if name == "edit":
                draft = comments.read_draft(self.world, operand)
                self.edit.actions.append(
                    lambda issue: comments.update(self.world, issue, self.actor, comment, draft, operand)
                )
            else:
                self.edit.actions.append(lambda issue: comments.remove(self.world, issue, self.actor, comment))
        else:
            raise WrongValue(f"Field 'comment' does not support operation '{name}' it supports: add, edit, remove")

    def _own_comment(self, issue: Issue, comment_id: str, verb: str) -> Comment:
        comment = comments.find(issue, comment_id)
        if not can_read(self.world, self.actor, issue, comment.visibility):
            raise WrongValue(f"Can not find a comment for the id: {comment_id}.")
        if comment_id in self._comments_at_work:
            raise WrongValue(f"The comment {comment_id} is changed twice.")
        self._comments_at_work.add(comment_id)
        comments.require_own(self.actor, comment, verb, self.world, issue)
        return comment

    def _worklog(self, verb: Mapping[str, Any]) -> None:
        ((name, operand),) = verb.items()
        if name != "add" or not isinstance(operand, Mapping):
            raise WrongValue(f"Field 'worklog' does not support operation '{name}' here; use /issue/KEY/worklog.")
        require(self.actor, "WORK_ON_ISSUES", "You do not have the permission to log work on this issue.", self.project)
        draft = worklogs.read_draft(self.world, operand, creating=True)

        def add(issue: Issue) -> None:
            worklogs.add(self.world, issue, self.actor, draft, worklogs.Adjustment())

        self.edit.actions.append(add)

    def _link(self, value: Any) -> None:
        if not isinstance(value, Mapping):
            raise WrongValue("expected Object")
        kind = links.find_type(self.world, value.get("type"))
        side = "outwardIssue" if "outwardIssue" in value else "inwardIssue"
        other = links.find_end(self.world, value.get(side))
        if other is self.issue:
            raise WrongValue("You cannot link an issue to itself.")
        visible_issue(self.world, self.actor, other.id)
        for project in (self.project, self.world.site.projects[other.project_id]):
            require(self.actor, "LINK_ISSUES", f"You may not link issues of {project.key}.", project)

        def add(issue: Issue) -> None:
            ends = (issue, other) if side == "outwardIssue" else (other, issue)
            links.create(self.world, kind, *ends, self.actor)

        self.edit.actions.append(add)


def read_properties(given: Any) -> dict[str, Any]:
    """Read the ``properties`` of a create or edit body: a list of keys with values. Raises BadRequest."""
    if given is None:
        return {}
    if not isinstance(given, list) or not all(isinstance(one, Mapping) and "key" in one for one in given):
        raise BadRequest("'properties' must be a list of objects with a key and a value.")
    return {check_property_key(str(one["key"])): one.get("value") for one in given}


def check_property_key(key: str) -> str:
    """Return the key of an entity property when Jira takes it. Raises BadRequest."""
    if not key or len(key) > PROPERTY_KEY_LIMIT:
        raise BadRequest(f"The property key cannot be empty or longer than {PROPERTY_KEY_LIMIT} characters.")
    return key


def apply_values(world: World, issue: Issue, edit: Edit) -> list[ChangeItem]:
    """Put the new values into the issue and return what a changelog says of it."""
    items: list[ChangeItem] = []
    for field_id, (definition, value) in edit.values.items():
        before = get_value(issue, field_id)
        items += compare(world, definition, before, value)
        set_value(issue, field_id, value)
    for name, attribute, label in (
        ("originalEstimate", "original_estimate", "timeoriginalestimate"),
        ("remainingEstimate", "remaining_estimate", "timeestimate"),
    ):
        if name in edit.estimates:
            before, after = getattr(issue, attribute), edit.estimates[name]
            setattr(issue, attribute, after)
            if before != after:
                old = None if before is None else str(before)
                items.append(single(label, before=(old, old), after=(str(after), str(after))))
    original = edit.estimates.get("originalEstimate")
    if original is not None and "remainingEstimate" not in edit.estimates and issue.time_spent is None:
        # Until time is logged, Jira lets the remaining estimate follow the original one.
        issue.remaining_estimate = original
    return items
