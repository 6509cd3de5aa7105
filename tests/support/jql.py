"""A small Jira for queries: a handful of names, a context and issues that are plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from typing_extensions import override

from node.sandbox.jql import SYSTEM_FIELDS, FieldKind, FieldTable, JqlChange, JqlField, custom_field

NOW = datetime(2026, 3, 11, 14, 30, 20, tzinfo=UTC)
"""A Wednesday; 15:30 in Berlin."""

NAMES: Mapping[str, Mapping[str, str]] = {
    "project": {"10000": "ABC", "10001": "DEF", "10002": "OR"},
    "issuetype": {"1": "Bug", "2": "Task", "5": "Sub-task"},
    "status": {"1": "Open", "3": "In Progress", "6": "Done"},
    "statusCategory": {"2": "To Do", "4": "In Progress", "3": "Done"},
    "priority": {"1": "Low", "2": "Medium", "3": "High"},
    "resolution": {"1": "Fixed", "2": "Won't Do"},
    "components": {"100": "Engine", "101": "Console"},
    "fixVersions": {"201": "1.0", "202": "1.1", "203": "2.0"},
    "versions": {"201": "1.0", "202": "1.1", "203": "2.0"},
    "security": {"10": "Internal"},
    "customfield_10003": {"300": "Red", "301": "Blue"},
}
USERS = {"JU1": ("alice", "Alice Adams"), "JU2": ("bob", "Bob Brown"), "JU3": ("carol", "Carol Clark")}
ISSUES = {"ABC-1": "10100", "ABC-2": "10101", "ABC-10": "10102", "DEF-1": "10103"}
FIELDS = FieldTable(
    [
        *SYSTEM_FIELDS,
        custom_field(10001, "Story Points", FieldKind.NUMBER),
        custom_field(10002, "Customer", FieldKind.TEXT),
        custom_field(10003, "Colour", FieldKind.ENTITY),
        custom_field(10004, "Twin", FieldKind.NUMBER),
        custom_field(10005, "Twin", FieldKind.NUMBER),
        custom_field(10006, "Go Live", FieldKind.DATE),
        custom_field(10007, "Summary", FieldKind.TEXT),
    ],
)


@dataclass
class Context:
    """Everything a query asks of its Jira, held in the tables above."""

    now: datetime = NOW
    time_zone: tzinfo = field(default_factory=lambda: ZoneInfo("Europe/Berlin"))
    current_user: str | None = "JU1"

    def field(self, name: str) -> Sequence[JqlField]:
        """Find fields by name."""
        return FIELDS.find(name)

    def resolve(self, field: JqlField, text: str, *, id_first: bool) -> Sequence[str]:
        """Look a literal up in the tables."""
        if field.kind is FieldKind.USER:
            return [key for key, names in USERS.items() if text.casefold() in map(str.casefold, (key, *names))]
        if field.kind is FieldKind.ISSUE:
            return [key for key, number in ISSUES.items() if text == (number if id_first else key)]
        names = NAMES[field.id]
        by_name = [number for number, name in names.items() if name.casefold() == text.casefold()]
        by_id = [text] if text in names else []
        return (by_id or by_name) if id_first else (by_name or by_id)

    def rank(self, field: JqlField, value: str) -> int | float | str:
        """Order users by name, all else by id."""
        return USERS[value][1] if field.kind is FieldKind.USER else int(value)

    def members_of(self, group: str) -> Sequence[str] | None:
        """Know two groups."""
        return {"developers": ["JU1", "JU2"], "empty": []}.get(group)

    def versions_of(self, project: str | None, *, released: bool) -> Sequence[str] | None:
        """Know one project's versions."""
        if project not in {None, "ABC"}:
            return None
        return ["201", "202"] if released else ["203"]

    def issue_types(self, *, subtask: bool) -> Sequence[str]:
        """Know one sub-task type."""
        return ["5"] if subtask else ["1", "2"]

    def linked_issues(self, issue: str, link: str | None) -> Sequence[str] | None:
        """Know one issue's links."""
        links = {"ABC-1": {"blocks": ["ABC-2"], "relates to": ["DEF-1"]}, "ABC-2": {}}.get(issue)
        if links is None:
            return None
        return [key for name, keys in links.items() if link in {None, name} for key in keys]

    def link_exists(self, link: str) -> bool:
        """Know three link descriptions."""
        return link in {"blocks", "is blocked by", "relates to"}


class Issue:
    """An issue given as its values by field id; a single value may stand without a list."""

    def __init__(
        self, key: str = "ABC-1", *, history: Mapping[str, Sequence[JqlChange]] | None = None, **values: object
    ) -> None:
        self.key = key
        self._values = {"issuekey": [key]} | {
            name: list(value) if isinstance(value, list | tuple) else [value] for name, value in values.items()
        }
        self._history = dict(history or {})

    @override
    def __repr__(self) -> str:
        return f"Issue({self.key}, {self._values})"

    def jql_values(self, field: str) -> Sequence[object]:
        """Answer the given values."""
        return self._values.get(field, [])

    def jql_history(self, field: str) -> Sequence[JqlChange]:
        """Answer the given changes."""
        return self._history.get(field, [])


def at(text: str) -> int:
    """Return milliseconds of an ISO moment with a zone."""
    return int(datetime.fromisoformat(text).timestamp() * 1000)
