"""What a Jira holds, as plain data: people, configuration, projects, issues and what hangs on an issue.

Moments are milliseconds since 1970-01-01 UTC; days are ``yyyy-MM-dd``; durations are seconds; ids are strings, as in
REST answers. Things refer to each other by id, users by key. Nothing here knows a rule, a clock or HTTP.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class User:
    """A person or an account. ``denied`` lists permission keys that this user lacks in spite of the groups."""

    key: str
    name: str
    display_name: str
    email: str = ""
    time_zone: str = "UTC"
    active: bool = True
    groups: list[str] = field(default_factory=list)
    password_salt: str = field(default="", repr=False)
    password_digest: str = field(default="", repr=False)
    denied: list[str] = field(default_factory=list)


@dataclass(slots=True)
class IssueType:
    """A kind of issue."""

    id: str
    name: str
    description: str = ""
    subtask: bool = False
    avatar_id: int = 10318


@dataclass(slots=True)
class Status:
    """A step of a workflow; ``category`` is ``new``, ``indeterminate`` or ``done``."""

    id: str
    name: str
    description: str = ""
    category: str = "new"


@dataclass(slots=True)
class Priority:
    """How urgent; the order of the priorities in the site is from highest to lowest."""

    id: str
    name: str
    description: str = ""
    color: str = "#707070"


@dataclass(slots=True)
class Resolution:
    """How an issue ended."""

    id: str
    name: str
    description: str = ""


@dataclass(slots=True)
class LinkType:
    """How two issues relate: the source "outward" the destination ("blocks"), and back ("is blocked by")."""

    id: str
    name: str
    inward: str
    outward: str


@dataclass(slots=True)
class Role:
    """A project role, such as Administrators or Developers."""

    id: str
    name: str
    description: str = ""


@dataclass(slots=True)
class ScreenField:
    """A field on a screen of a transition."""

    field_id: str
    required: bool = False


@dataclass(slots=True)
class Transition:
    """A way from some statuses (from all when ``sources`` is empty) to one.

    ``resolution`` is set when the transition was made: an id, ``""`` to clear it, None to leave it alone.
    """

    id: str
    name: str
    target: str
    sources: list[str] = field(default_factory=list)
    screen: list[ScreenField] = field(default_factory=list)
    resolution: str | None = None
    event: str = "issue_generic"


@dataclass(slots=True)
class Workflow:
    """Statuses and the ways between them."""

    id: str
    name: str
    initial: str
    transitions: list[Transition] = field(default_factory=list)


@dataclass(slots=True)
class Project:
    """A project. ``hidden_fields`` are on none of its screens; ``required_fields`` must be given on create."""

    id: str
    key: str
    name: str
    lead: str
    workflow_id: str
    issue_type_ids: list[str]
    description: str = ""
    url: str = ""
    project_type: str = "software"
    category_id: str = ""
    default_assignee: str = "UNASSIGNED"
    next_number: int = 1
    role_users: dict[str, list[str]] = field(default_factory=dict)
    role_groups: dict[str, list[str]] = field(default_factory=dict)
    hidden_fields: list[str] = field(default_factory=list)
    required_fields: list[str] = field(default_factory=list)


@dataclass(slots=True)
class ProjectCategory:
    """A drawer for projects."""

    id: str
    name: str
    description: str = ""


@dataclass(slots=True)
class Component:
    """A part of a project's product."""

    id: str
    project_id: str
    name: str
    description: str = ""
    lead: str | None = None
    assignee_type: str = "PROJECT_DEFAULT"


@dataclass(slots=True)
class Version:
    """A release of a project's product; the order of the versions in the site is their sequence."""

    id: str
    project_id: str
    name: str
    description: str = ""
    archived: bool = False
    released: bool = False
    start_date: str | None = None
    release_date: str | None = None


@dataclass(slots=True)
class Option:
    """A choice of a select field; cascading fields have children."""

    id: str
    value: str
    children: list[Option] = field(default_factory=list)
    disabled: bool = False


@dataclass(slots=True)
class CustomField:
    """A field that an administrator added. Empty scopes mean everywhere."""

    id: str
    name: str
    kind: str
    description: str = ""
    options: list[Option] = field(default_factory=list)
    project_ids: list[str] = field(default_factory=list)
    issue_type_ids: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Visibility:
    """Who may read a comment or worklog: members of a role or of a group."""

    type: str
    value: str


@dataclass(slots=True)
class Comment:
    """A comment; ``author`` is None and ``body`` is None in some imported ones."""

    id: str
    author: str | None
    body: str | None
    created: int
    updated: int
    update_author: str | None = None
    visibility: Visibility | None = None
    properties: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Attachment:
    """A file. The bytes are kept apart under ``blob``; without one they are made up, ``size`` of them."""

    id: str
    filename: str
    author: str | None
    created: int
    size: int
    mime_type: str
    blob: str = ""


@dataclass(slots=True)
class Worklog:
    """Time that somebody spent."""

    id: str
    author: str | None
    started: int
    seconds: int
    created: int
    updated: int
    comment: str = ""
    update_author: str | None = None
    visibility: Visibility | None = None


@dataclass(slots=True)
class RemoteLink:
    """A link to something that is not an issue of this Jira."""

    id: str
    global_id: str | None = None
    relationship: str | None = None
    application: dict[str, Any] = field(default_factory=dict)
    object: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class ChangeItem:
    """One field's part in a change. ``field`` is the name that people read; ``field_id`` is the field's id."""

    field: str
    field_id: str
    before: str | None
    before_text: str | None
    after: str | None
    after_text: str | None
    custom: bool = False


@dataclass(slots=True)
class Change:
    """What one person did to an issue at one moment."""

    id: str
    author: str | None
    at: int
    items: list[ChangeItem]


@dataclass(slots=True)
class Issue:
    """An issue with all that hangs on it. ``custom`` holds values of custom fields by field id."""

    id: str
    key: str
    project_id: str
    type_id: str
    status_id: str
    summary: str
    created: int
    updated: int
    description: str | None = None
    environment: str | None = None
    priority_id: str | None = None
    resolution_id: str | None = None
    resolved: int | None = None
    creator: str | None = None
    reporter: str | None = None
    assignee: str | None = None
    due: str | None = None
    last_viewed: int | None = None
    labels: list[str] = field(default_factory=list)
    component_ids: list[str] = field(default_factory=list)
    fix_version_ids: list[str] = field(default_factory=list)
    version_ids: list[str] = field(default_factory=list)
    parent_id: str | None = None
    subtask_ids: list[str] = field(default_factory=list)
    original_estimate: int | None = None
    remaining_estimate: int | None = None
    time_spent: int | None = None
    custom: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)
    comments: list[Comment] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    worklogs: list[Worklog] = field(default_factory=list)
    remote_links: list[RemoteLink] = field(default_factory=list)
    link_ids: list[str] = field(default_factory=list)
    properties: dict[str, Any] = field(default_factory=dict)
    watchers: list[str] = field(default_factory=list)
    voters: list[str] = field(default_factory=list)
    history: list[Change] = field(default_factory=list)


@dataclass(slots=True)
class IssueLink:
    """A directed link: the source "blocks" the destination. Both are issue ids."""

    id: str
    type_id: str
    source_id: str
    destination_id: str


@dataclass(slots=True)
class Webhook:
    """Somebody who wants to be told. ``events`` empty means nothing; ``jql`` empty means every issue."""

    id: str
    name: str
    url: str
    events: list[str]
    jql: str = ""
    exclude_body: bool = False
    enabled: bool = True
    secret: str = field(default="", repr=False)
    updated_by: str = ""
    updated: int = 0


@dataclass(slots=True)
class DeletedWorklog:
    """The trace that a worklog leaves behind."""

    id: str
    at: int


@dataclass(slots=True)
class Site:
    """All that a Jira holds beside its issues. Dictionaries are by id (users by key) and keep their order."""

    title: str = "Sandbox"
    upload_limit: int = 10 * 1024 * 1024
    placeholder_limit: int = 64 * 1024
    users: dict[str, User] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict, repr=False)
    groups: list[str] = field(default_factory=list)
    issue_types: dict[str, IssueType] = field(default_factory=dict)
    statuses: dict[str, Status] = field(default_factory=dict)
    priorities: dict[str, Priority] = field(default_factory=dict)
    resolutions: dict[str, Resolution] = field(default_factory=dict)
    link_types: dict[str, LinkType] = field(default_factory=dict)
    roles: dict[str, Role] = field(default_factory=dict)
    categories: dict[str, ProjectCategory] = field(default_factory=dict)
    workflows: dict[str, Workflow] = field(default_factory=dict)
    projects: dict[str, Project] = field(default_factory=dict)
    components: dict[str, Component] = field(default_factory=dict)
    versions: dict[str, Version] = field(default_factory=dict)
    fields: dict[str, CustomField] = field(default_factory=dict)
    links: dict[str, IssueLink] = field(default_factory=dict)
    webhooks: dict[str, Webhook] = field(default_factory=dict)
    deleted_worklogs: list[DeletedWorklog] = field(default_factory=list)
    next_ids: dict[str, int] = field(default_factory=dict)
