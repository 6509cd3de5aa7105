"""What a query has to know of the Jira around it: the fields, the issues' values, and who asks when.

The query language never reads a store, a clock or a request. Whoever runs a query hands in a ``JqlContext``
(names, people, time) and issues that answer ``jql_values``. Nothing here decides what a query means.

How a value of each kind looks, both from ``JqlIssue.jql_values`` and from ``JqlContext.resolve``:

=============  =======================================================================================
kind           value
=============  =======================================================================================
ENTITY         id as a string (project, issue type, status, status category, priority, resolution,
               version, component, select option): what the REST answer has under ``id``
USER           user key as a string (several for watchers or a multi-user field)
GROUP          group name as a string
ISSUE          issue key as a string
TEXT           the whole text as a string (several for comments or for ``text``)
LABEL          the label as a string
STRING         any other exact string (a URL field, a link type); compared without regard to case
NUMBER         int or float
DURATION       seconds as an int
DATETIME       milliseconds since 1970-01-01 UTC as an int
DATE           ``datetime.date``
=============  =======================================================================================

An issue without a value for a field answers with an empty sequence; that is what EMPTY means.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from enum import Enum
from typing import Protocol


class FieldKind(Enum):
    """How the values of a field look and which operators they take; the table is in the module's docstring."""

    ENTITY = "entity"
    USER = "user"
    GROUP = "group"
    ISSUE = "issue"
    TEXT = "text"
    LABEL = "label"
    STRING = "string"
    NUMBER = "number"
    DURATION = "duration"
    DATETIME = "datetime"
    DATE = "date"


@dataclass(frozen=True, slots=True)
class JqlField:
    """One field that a query may name.

    ``id`` is the field's id in REST answers (``issuetype``, ``customfield_10001``) where it has one.
    ``names`` are all the words a query may use for it, compared without regard to case; the first is the one
    that messages show. ``ordered`` values take ``<`` and its kin; ``sortable`` fields may stand in ORDER BY;
    ``historic`` ones take WAS and CHANGED.
    """

    id: str
    names: tuple[str, ...]
    kind: FieldKind
    ordered: bool = False
    sortable: bool = True
    historic: bool = False


@dataclass(frozen=True, slots=True)
class JqlChange:
    """One past change of one field: values as ``JqlIssue.jql_values`` would have answered then.

    ``at`` is in milliseconds since 1970-01-01 UTC; ``author`` is a user key. For a field with several values
    (fix versions) one change adds (``before`` is None) or removes (``after`` is None) one of them.
    """

    at: int
    author: str | None
    before: str | None
    after: str | None


class JqlIssue(Protocol):
    """An issue as a query sees it."""

    def jql_values(self, field: str) -> Sequence[object]:
        """Return the values of the field with this id, in the shape of its kind; empty when it has none."""
        ...

    def jql_history(self, field: str) -> Sequence[JqlChange]:
        """Return the changes of the field with this id, oldest first; only asked for ``historic`` fields."""
        ...


class JqlContext(Protocol):
    """Names, people and time around one query."""

    @property
    def now(self) -> datetime:
        """The moment of the query, with a time zone."""
        ...

    @property
    def time_zone(self) -> tzinfo:
        """The asking user's own zone: date literals without a zone are read in it."""
        ...

    @property
    def current_user(self) -> str | None:
        """The asking user's key, or None for an anonymous caller (for whom wrong values match nothing)."""
        ...

    def field(self, name: str) -> Sequence[JqlField]:
        """Return the fields of this name (several when custom fields share it), usually ``FieldTable.find``."""
        ...

    def resolve(self, field: JqlField, text: str, *, id_first: bool) -> Sequence[str]:
        """Return the values that a literal of an ENTITY, USER, GROUP or ISSUE field stands for, as ids.

        Names are compared without regard to case; several projects may share a version's name. Empty when there
        is no such value. A quoted literal is tried as a name, then as an id; a bare number (``id_first``) the
        other way round. An ISSUE literal is a key (also a former one), or an issue id when ``id_first``.
        A USER literal is a user name, key, full name or e-mail address.
        """
        ...

    def rank(self, field: JqlField, value: str) -> int | float | str:
        """Return what an id of an ENTITY or USER field is ordered by: a sequence number, or a name to read.

        All ranks of one field have one type. Smaller is earlier with ORDER BY ... ASC; for a priority the lowest
        priority has the smallest rank.
        """
        ...

    def members_of(self, group: str) -> Sequence[str] | None:
        """Return the keys of a group's users, or None when there is no such group."""
        ...

    def versions_of(self, project: str | None, *, released: bool) -> Sequence[str] | None:
        """Return ids of the released or unreleased, not archived versions in their order; None: no such project.

        ``project`` is a project's key, name or id; None asks for the versions of all projects.
        """
        ...

    def issue_types(self, *, subtask: bool) -> Sequence[str]:
        """Return the ids of the standard or of the sub-task issue types."""
        ...

    def linked_issues(self, issue: str, link: str | None) -> Sequence[str] | None:
        """Return the keys of issues linked to the issue of this key; None when there is no such issue.

        ``link`` is a link description such as ``blocks``, compared without regard to case; None means any link.
        """
        ...

    def link_exists(self, link: str) -> bool:
        """Return whether some link type has this inward or outward description."""
        ...


def _entity(field_id: str, *names: str, ordered: bool = False, historic: bool = False) -> JqlField:
    return JqlField(field_id, names, FieldKind.ENTITY, ordered=ordered, historic=historic)


def _user(field_id: str, *names: str, historic: bool = False, sortable: bool = True) -> JqlField:
    return JqlField(field_id, names, FieldKind.USER, historic=historic, sortable=sortable)


def _text(field_id: str, *names: str, sortable: bool = True) -> JqlField:
    return JqlField(field_id, names, FieldKind.TEXT, sortable=sortable)


def _compared(field_id: str, kind: FieldKind, *names: str) -> JqlField:
    return JqlField(field_id, names, kind, ordered=True)


SYSTEM_FIELDS: tuple[JqlField, ...] = (
    JqlField("issuekey", ("issuekey", "key", "issue", "id"), FieldKind.ISSUE, ordered=True),
    JqlField("parent", ("parent",), FieldKind.ISSUE, sortable=False),
    _entity("project", "project"),
    _entity("issuetype", "issuetype", "type"),
    _entity("status", "status", historic=True),
    _entity("statusCategory", "statusCategory"),
    _entity("priority", "priority", ordered=True, historic=True),
    _entity("resolution", "resolution", ordered=True, historic=True),
    _entity("components", "component", "components"),
    _entity("fixVersions", "fixVersion", "fixVersions", ordered=True, historic=True),
    _entity("versions", "affectedVersion", "affectsVersion", "versions", ordered=True),
    _entity("security", "level"),
    _user("assignee", "assignee", historic=True),
    _user("reporter", "reporter", historic=True),
    _user("creator", "creator"),
    _user("watcher", "watcher", sortable=False),
    _user("voter", "voter", sortable=False),
    _user("worklogAuthor", "worklogAuthor", sortable=False),
    _text("summary", "summary"),
    _text("description", "description"),
    _text("environment", "environment"),
    _text("comment", "comment", sortable=False),
    _text("worklogComment", "worklogComment", sortable=False),
    _text("text", "text", sortable=False),
    JqlField("labels", ("labels",), FieldKind.LABEL),
    _compared("created", FieldKind.DATETIME, "created", "createdDate"),
    _compared("updated", FieldKind.DATETIME, "updated", "updatedDate"),
    _compared("resolutiondate", FieldKind.DATETIME, "resolved", "resolutiondate", "resolutionDate"),
    _compared("lastViewed", FieldKind.DATETIME, "lastViewed"),
    _compared("duedate", FieldKind.DATE, "due", "duedate"),
    JqlField("worklogDate", ("worklogDate",), FieldKind.DATE, ordered=True, sortable=False),
    _compared("votes", FieldKind.NUMBER, "votes"),
    _compared("watches", FieldKind.NUMBER, "watchers", "watches"),
    _compared("workratio", FieldKind.NUMBER, "workratio"),
    _compared("timeoriginalestimate", FieldKind.DURATION, "originalEstimate", "timeoriginalestimate"),
    _compared("timeestimate", FieldKind.DURATION, "remainingEstimate", "timeestimate"),
    _compared("timespent", FieldKind.DURATION, "timespent"),
    JqlField("attachment", ("attachments",), FieldKind.STRING, sortable=False),
    JqlField("issueLinkType", ("issueLinkType",), FieldKind.STRING, sortable=False),
)
"""The fields that every Jira has. ``text`` stands for summary, description, environment, comments and all text
custom fields. ``attachments`` only takes IS EMPTY and IS NOT EMPTY."""


def custom_field(number: int, name: str, kind: FieldKind, *, ordered: bool = False) -> JqlField:
    """Return the custom field ``customfield_<number>``, found as ``cf[<number>]``, by its id and by its name."""
    always_ordered = kind in {FieldKind.NUMBER, FieldKind.DURATION, FieldKind.DATETIME, FieldKind.DATE}
    return JqlField(
        f"customfield_{number}",
        (name, f"cf[{number}]", f"customfield_{number}"),
        kind,
        ordered=ordered or always_ordered,
    )


class FieldTable:
    """All fields of one Jira by name."""

    def __init__(self, fields: Iterable[JqlField]) -> None:
        self._by_name: dict[str, list[JqlField]] = {}
        for field in fields:
            for name in dict.fromkeys(name.casefold() for name in field.names):
                self._by_name.setdefault(name, []).append(field)

    def find(self, name: str) -> Sequence[JqlField]:
        """Return the fields of this name without regard to case; a system field hides custom fields of its name."""
        found = self._by_name.get(name.casefold(), [])
        system = [field for field in found if not field.id.startswith("customfield_")]
        return system or found
