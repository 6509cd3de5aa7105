"""Our words for a ticket: plain, frozen values that say what an issue is, whatever kind of Jira it came from.

Never talks to a tracker and never knows REST field names; ``trackers/jira/payload.py`` translates.
Texts are wiki markup. Times are aware datetimes in UTC, days are ISO 8601 strings (``2026-11-24``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from typing_extensions import TypeAliasType

Value = TypeAliasType("Value", "bool | int | float | str | list[Value] | dict[str, Value] | None")
"""What a field can hold once it is in our words: JSON, nothing else."""

CUSTOM = "custom."
"""Custom fields are named ``custom.<name as people see it>`` wherever a field is named by one string."""


@dataclass(frozen=True, slots=True)
class User:
    """A person in our tracker. ``id`` is the user name on Data Center and the account id on Cloud."""

    id: str
    display_name: str
    email: str | None = None


@dataclass(frozen=True, slots=True)
class Restriction:
    """Who may see a comment: ``kind`` is ``role`` or ``group``."""

    kind: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """A comment. ``internal`` is Jira Service Management's private note."""

    id: str
    body: str
    author: User | None = None
    created: datetime | None = None
    updated: datetime | None = None
    restriction: Restriction | None = None
    internal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file on an issue. ``size`` in bytes; ``content_url`` is absolute and on the tracker's own host."""

    id: str
    name: str
    size: int
    content_url: str
    mime: str | None = None
    author: User | None = None
    created: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Worklog:
    """Time that somebody logged."""

    id: str
    seconds: int
    started: datetime | None = None
    author: User | None = None
    comment: str | None = None
    restriction: Restriction | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueLink:
    """A link to another issue of the same tracker. ``phrase`` reads from this issue ("blocks")."""

    id: str
    type: str
    phrase: str
    outward: bool
    other_id: str
    other_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """One issue, whole, as our tracker showed it at ``updated``."""

    id: str
    key: str
    project: str
    type: str
    summary: str
    created: datetime
    updated: datetime
    description: str | None = None
    environment: str | None = None
    status: str | None = None
    resolution: str | None = None
    priority: str | None = None
    security_level: str | None = None
    labels: tuple[str, ...] = ()
    components: tuple[str, ...] = ()
    fix_versions: tuple[str, ...] = ()
    affects_versions: tuple[str, ...] = ()
    due: str | None = None
    assignee: User | None = None
    reporter: User | None = None
    creator: User | None = None
    parent_key: str | None = None
    subtask: bool = False
    original_estimate: int | None = None
    remaining_estimate: int | None = None
    comments: tuple[Comment, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    worklogs: tuple[Worklog, ...] = ()
    links: tuple[IssueLink, ...] = ()
    custom: Mapping[str, Value] = field(default_factory=dict)
    """Custom fields by the name people see, only those that have a value."""

    complete: bool = True
    """Whether comments, attachments and worklogs are all here (a page may have been cut)."""

    @property
    def updated_ms(self) -> int:
        """The tracker's time of this state, in milliseconds since 1970 UTC."""
        return round(self.updated.timestamp() * 1000)


@dataclass(frozen=True, slots=True)
class IssueRef:
    """Enough to find an issue again: the id never changes, the key may when the issue is moved."""

    id: str
    key: str
