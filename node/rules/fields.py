"""The fields of an issue as rules know them: their names, their kinds, and how they are read.

Names are those of ``trackers/base.py``; custom fields are ``custom.<Name>``. Pure: reads an ``Issue``, asks nobody.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Literal, TypeAlias

from node.trackers.issue import CUSTOM, Issue, User, Value

VERSIONS, COMPONENTS, OPTIONS = "versions", "components", "options"
CREATABLE = (VERSIONS, COMPONENTS, OPTIONS)
"""What rules may have made in our Jira where a connection allows it; also the words of the command line."""

People: TypeAlias = Literal["name", "email"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A field that every Jira has. ``kind`` is one of ``KINDS`` of the tracker port, or ``duration`` or ``issue``."""

    kind: str
    writable: bool = True
    emptiable: bool = True


STANDARD: Mapping[str, Known] = {
    "key": Known(kind="text", writable=False),
    "project": Known(kind="text", writable=False),
    "type": Known(kind="select", emptiable=False),
    "summary": Known(kind="text"),
    "description": Known(kind="paragraph"),
    "environment": Known(kind="paragraph"),
    "status": Known(kind="select", emptiable=False),
    "resolution": Known(kind="select"),
    "priority": Known(kind="select"),
    "security_level": Known(kind="select"),
    "labels": Known(kind="labels"),
    "components": Known(kind="multi-select"),
    "fix_versions": Known(kind="multi-version"),
    "affects_versions": Known(kind="multi-version"),
    "due": Known(kind="date"),
    "assignee": Known(kind="user"),
    "reporter": Known(kind="user"),
    "creator": Known(kind="user", writable=False),
    "parent_key": Known(kind="issue"),
    "original_estimate": Known(kind="duration"),
    "remaining_estimate": Known(kind="duration"),
    "created": Known(kind="datetime", writable=False),
    "updated": Known(kind="datetime", writable=False),
}
"""Every field that is not custom, in the order in which people expect them."""

JIRA_NAMES: Mapping[str, str] = {
    "issuetype": "type",
    "issue_type": "type",
    "fixVersions": "fix_versions",
    "versions": "affects_versions",
    "affectsVersions": "affects_versions",
    "duedate": "due",
    "due_date": "due",
    "parent": "parent_key",
    "security": "security_level",
    "timeoriginalestimate": "original_estimate",
    "timeestimate": "remaining_estimate",
    "comment": "comments",
    "attachment": "attachments",
    "worklog": "worklogs",
}
"""What Jira or its users call some of them, and our name: for reading Jira's lists and for suggestions."""


def is_custom(name: str) -> bool:
    """Tell whether this names a custom field."""
    return name.startswith(CUSTOM) and len(name) > len(CUSTOM)


def creatable_kind(name: str, kind: str) -> str | None:
    """Return what has to be made for a value that a field of that kind lacks, a word of ``CREATABLE``, if anything."""
    if name == COMPONENTS:
        return COMPONENTS
    if kind in {"version", "multi-version"}:
        return VERSIONS
    return OPTIONS if is_custom(name) and kind in {"select", "radio", "multi-select", "checkbox"} else None


def of_one_name(name: str, known: Iterable[str]) -> list[str]:
    """Return the fields that people see under one name; our Jira tells them apart by their ids in brackets."""
    return [other for other in known if re.fullmatch(rf"{re.escape(name)} \(customfield_\d+\)", other)]


def name_one_of(same: Sequence[str]) -> str:
    """Say how one of several fields of one name is named."""
    return f"Name the one that is meant: {' or '.join(map(repr, same))}."


def person(user: User | None, people: People) -> str | None:
    """Return how a user leaves: by name, or by e-mail address where a rule says so."""
    if user is None:
        return None
    if people == "email":
        return user.email
    return without_address(user.display_name)


def without_address(display_name: str) -> str:
    """Return a name for display; where it is an e-mail address, only the part before the ``@`` leaves."""
    name = display_name.strip()
    before, at, after = name.partition("@")
    return before if at and before and "." in after and " " not in name else name


def utc(time: datetime) -> str:
    """Write a time as ISO 8601 in UTC with milliseconds."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def decimal(number: float) -> str | None:
    """Write a number as a decimal without exponent (``5.0`` is ``5``); None for what no Jira holds (NaN)."""
    if not math.isfinite(number):
        return None
    text = format(Decimal(repr(number)), "f")
    return (text.rstrip("0").rstrip(".") or "0") if "." in text else text


def shared_value(value: Value) -> Value:
    """Return a value in the form in which it travels: decimals are texts, users are names."""
    if isinstance(value, float):
        return decimal(value)
    if isinstance(value, list):
        return [shared_value(item) for item in value]
    if isinstance(value, dict):
        if "display_name" in value:
            name = value["display_name"]
            return without_address(name) if isinstance(name, str) and name else None
        return {name: shared_value(item) for name, item in value.items()}
    return value


def leaving(value: Value) -> Value:
    """Return a value that a script lets out: as ``shared_value``, but an address that the script put there stays."""
    if isinstance(value, list):
        return [item for item in map(leaving, value) if item is not None]
    if isinstance(value, dict) and isinstance(value.get("display_name"), str) and value.get("email"):
        return {"display_name": value["display_name"], "email": value["email"]}
    return shared_value(value)


_READERS: Mapping[str, Callable[[Issue, People], Value]] = {
    "key": lambda issue, _: issue.key,
    "project": lambda issue, _: issue.project,
    "type": lambda issue, _: issue.type,
    "summary": lambda issue, _: issue.summary,
    "description": lambda issue, _: issue.description,
    "environment": lambda issue, _: issue.environment,
    "status": lambda issue, _: issue.status,
    "resolution": lambda issue, _: issue.resolution,
    "priority": lambda issue, _: issue.priority,
    "security_level": lambda issue, _: issue.security_level,
    "labels": lambda issue, _: list(issue.labels),
    "components": lambda issue, _: list(issue.components),
    "fix_versions": lambda issue, _: list(issue.fix_versions),
    "affects_versions": lambda issue, _: list(issue.affects_versions),
    "due": lambda issue, _: issue.due,
    "assignee": lambda issue, people: person(issue.assignee, people),
    "reporter": lambda issue, people: person(issue.reporter, people),
    "creator": lambda issue, people: person(issue.creator, people),
    "parent_key": lambda issue, _: issue.parent_key,
    "original_estimate": lambda issue, _: issue.original_estimate,
    "remaining_estimate": lambda issue, _: issue.remaining_estimate,
    "created": lambda issue, _: utc(issue.created),
    "updated": lambda issue, _: utc(issue.updated),
}


def read_shared(issue: Issue, name: str, people: People = "name") -> Value:
    """Return a field of our issue in the form in which it travels; None where it is empty or unknown."""
    reader = _READERS.get(name)
    if reader is not None:
        return reader(issue, people)
    return shared_value(issue.custom.get(name.removeprefix(CUSTOM))) if is_custom(name) else None
