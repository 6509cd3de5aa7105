"""Which fields there are: the ones that every Jira has and the kinds that an administrator may add.

Says what a field is (its schema, its verbs, where it shows), never what a value of it means: that is
``field_values.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from node.sandbox.model import CustomField, IssueType, Project
from node.sandbox.store import World

CUSTOM_TYPES = "com.atlassian.jira.plugin.system.customfieldtypes:"
SET = ("set",)
LIST_VERBS = ("add", "set", "remove")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of field: its JSON type, the type of its items, its verbs, and its key and searcher when custom."""

    type: str
    items: str | None = None
    operations: tuple[str, ...] = SET
    custom: str | None = None
    searcher: str = "textsearcher"
    has_options: bool = False

    @property
    def many(self) -> bool:
        """Return whether a value is a list."""
        return self.items is not None


KINDS: dict[str, Kind] = {
    "text": Kind("string", custom="textfield"),
    "textarea": Kind("string", custom="textarea"),
    "url": Kind("string", custom="url", searcher="exacttextsearcher"),
    "number": Kind("number", custom="float", searcher="exactnumber"),
    "date": Kind("date", custom="datepicker", searcher="daterange"),
    "datetime": Kind("datetime", custom="datetime", searcher="datetimerange"),
    "select": Kind("option", custom="select", searcher="multiselectsearcher", has_options=True),
    "radio": Kind("option", custom="radiobuttons", searcher="multiselectsearcher", has_options=True),
    "multiselect": Kind("array", "option", LIST_VERBS, "multiselect", searcher="multiselectsearcher", has_options=True),
    "checkbox": Kind(
        "array", "option", LIST_VERBS, "multicheckboxes", searcher="multiselectsearcher", has_options=True
    ),
    "cascading": Kind(
        "option-with-child", custom="cascadingselect", searcher="cascadingselectsearcher", has_options=True
    ),
    "user": Kind("user", custom="userpicker", searcher="userpickergroupsearcher"),
    "multiuser": Kind("array", "user", LIST_VERBS, "multiuserpicker", searcher="userpickergroupsearcher"),
    "labels": Kind("array", "string", LIST_VERBS, "labels", searcher="labelsearcher"),
    "version": Kind("version", custom="version", searcher="versionsearcher"),
    "multiversion": Kind("array", "version", LIST_VERBS, "multiversion", searcher="versionsearcher"),
}
"""The kinds of custom fields, by the name that this sandbox gives them."""

SYSTEM_KINDS: dict[str, Kind] = {
    "summary": Kind("string"),
    "description": Kind("string"),
    "environment": Kind("string"),
    "issuetype": Kind("issuetype", operations=()),
    "project": Kind("project"),
    "priority": Kind("priority"),
    "resolution": Kind("resolution"),
    "status": Kind("status", operations=()),
    "assignee": Kind("user"),
    "reporter": Kind("user"),
    "creator": Kind("user", operations=()),
    "duedate": Kind("date"),
    "labels": Kind("array", "string", LIST_VERBS),
    "components": Kind("array", "component", LIST_VERBS),
    "fixVersions": Kind("array", "version", LIST_VERBS),
    "versions": Kind("array", "version", LIST_VERBS),
    "parent": Kind("issuelink"),
    "timetracking": Kind("timetracking", operations=("set", "edit")),
    "attachment": Kind("array", "attachment", ("set",)),
    "issuelinks": Kind("array", "issuelinks", ("add",)),
    "comment": Kind("comments-page", operations=("add", "edit", "remove")),
    "worklog": Kind("array", "worklog", ("add", "edit", "remove")),
    "created": Kind("datetime", operations=()),
    "updated": Kind("datetime", operations=()),
    "resolutiondate": Kind("datetime", operations=()),
    "lastViewed": Kind("datetime", operations=()),
    "watches": Kind("watches", operations=()),
    "votes": Kind("votes", operations=()),
    "subtasks": Kind("array", "issuelinks", ()),
    "workratio": Kind("number", operations=()),
    "progress": Kind("progress", operations=()),
    "aggregateprogress": Kind("progress", operations=()),
    "timespent": Kind("number", operations=()),
    "timeestimate": Kind("number", operations=()),
    "timeoriginalestimate": Kind("number", operations=()),
    "aggregatetimespent": Kind("number", operations=()),
    "aggregatetimeestimate": Kind("number", operations=()),
    "aggregatetimeoriginalestimate": Kind("number", operations=()),
    "issuekey": Kind("string", operations=()),
}

SYSTEM_NAMES: dict[str, str] = {
    "summary": "Summary",
    "description": "Description",
    "environment": "Environment",
    "issuetype": "Issue Type",
    "project": "Project",
    "priority": "Priority",
    "resolution": "Resolution",
    "status": "Status",
    "assignee": "Assignee",
    "reporter": "Reporter",
    "creator": "Creator",
    "duedate": "Due Date",
    "labels": "Labels",
    "components": "Component/s",
    "fixVersions": "Fix Version/s",
    "versions": "Affects Version/s",
    "parent": "Parent",
    "timetracking": "Time Tracking",
    "attachment": "Attachment",
    "issuelinks": "Linked Issues",
    "comment": "Comment",
    "worklog": "Log Work",
    "created": "Created",
    "updated": "Updated",
    "resolutiondate": "Resolved",
    "lastViewed": "Last Viewed",
    "watches": "Watchers",
    "votes": "Votes",
    "subtasks": "Sub-Tasks",
    "workratio": "Work Ratio",
    "progress": "Progress",
    "aggregateprogress": "Σ Progress",
    "timespent": "Time Spent",
    "timeestimate": "Remaining Estimate",
    "timeoriginalestimate": "Original Estimate",
    "aggregatetimespent": "Σ Time Spent",
    "aggregatetimeestimate": "Σ Remaining Estimate",
    "aggregatetimeoriginalestimate": "Σ Original Estimate",
    "issuekey": "Key",
}

NOT_NAVIGABLE = frozenset({"attachment", "comment", "worklog", "timetracking", "parent"})
"""Fields that a search shows only when they are asked for by name or with ``*all``."""

CREATE_SCREEN = (
    "summary",
    "issuetype",
    "project",
    "description",
    "environment",
    "priority",
    "assignee",
    "reporter",
    "labels",
    "components",
    "fixVersions",
    "versions",
    "duedate",
    "timetracking",
    "attachment",
    "issuelinks",
    "parent",
)
"""What the default screens hold, in order; the edit screen adds comments and leaves the project and parent out."""

EDIT_SCREEN = (*(name for name in CREATE_SCREEN if name not in {"project", "parent"}), "comment", "worklog")

ALWAYS_REQUIRED = frozenset({"summary", "issuetype", "project", "reporter"})


@dataclass(frozen=True, slots=True)
class Definition:
    """One field of this Jira: a system field or a custom one."""

    id: str
    name: str
    kind: Kind
    custom: CustomField | None = None

    def schema(self) -> dict[str, Any]:
        """Return the field's schema as REST shows it."""
        schema: dict[str, Any] = {"type": self.kind.type}
        if self.kind.items is not None:
            schema["items"] = self.kind.items
        if self.custom is None:
            schema["system"] = self.id
        else:
            schema["custom"] = f"{CUSTOM_TYPES}{self.kind.custom}"
            schema["customId"] = int(self.id.removeprefix("customfield_"))
        return schema


SYSTEM_DEFINITIONS = {name: Definition(name, SYSTEM_NAMES[name], kind) for name, kind in SYSTEM_KINDS.items()}


def custom_definition(custom: CustomField) -> Definition:
    """Return the definition of a custom field."""
    return Definition(custom.id, custom.name, KINDS[custom.kind], custom)


def definition_of(world: World, field_id: str) -> Definition | None:
    """Return the field of this id."""
    system = SYSTEM_DEFINITIONS.get(field_id)
    if system is not None:
        return system
    custom = world.site.fields.get(field_id)
    return custom_definition(custom) if custom is not None else None


def custom_fields_of(world: World, project: Project, type_id: str) -> list[CustomField]:
    """Return the custom fields that an issue of this project and type has."""
    return [
        custom
        for custom in world.site.fields.values()
        if (not custom.project_ids or project.id in custom.project_ids)
        and (not custom.issue_type_ids or type_id in custom.issue_type_ids)
    ]


def screen(world: World, project: Project, issue_type: IssueType, *, creating: bool) -> dict[str, Definition]:
    """Return the fields that may be set when an issue is created, or edited, in the order of the screen."""
    names = CREATE_SCREEN if creating else EDIT_SCREEN
    hidden = set(project.hidden_fields)
    if not issue_type.subtask:
        hidden.add("parent")
    shown = {name: SYSTEM_DEFINITIONS[name] for name in names if name not in hidden}
    for custom in custom_fields_of(world, project, issue_type.id):
        if custom.id not in hidden:
            shown[custom.id] = custom_definition(custom)
    return shown


def is_required(project: Project, issue_type: IssueType, field_id: str) -> bool:
    """Return whether an issue cannot be created without this field."""
    return (
        field_id in ALWAYS_REQUIRED
        or field_id in project.required_fields
        or (field_id == "parent" and issue_type.subtask)
    )
