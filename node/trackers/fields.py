"""An issue's fields by name, in the words in which they are written: see ``trackers/base.py``. Pure.

Comments, files, worklogs and links are not fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from node.trackers.issue import CUSTOM, Issue, User, Value

_PLAIN = (
    "summary", "description", "environment", "type", "status", "resolution", "priority", "security_level", "due",
    "parent_key", "original_estimate", "remaining_estimate",
)  # fmt: skip
_LISTS = ("labels", "components", "fix_versions", "affects_versions")
_USERS = ("assignee", "reporter")


def field_values(issue: Issue) -> dict[str, Value]:
    """Return every field by name; users by their id."""
    values: dict[str, Value] = {name: getattr(issue, name) for name in _PLAIN}
    for name in _LISTS:
        values[name] = list(getattr(issue, name))
    for name in _USERS:
        user: User | None = getattr(issue, name)
        values[name] = user.id if user else None
    values.update({f"{CUSTOM}{name}": value for name, value in issue.custom.items()})
    return values


def with_fields(issue: Issue, fields: Mapping[str, Value]) -> Issue:
    """Return the issue as it is believed to be once these fields were written."""
    changes: dict[str, Any] = {}
    custom = dict(issue.custom)
    for name, value in fields.items():
        if name.startswith(CUSTOM):
            custom[name.removeprefix(CUSTOM)] = value
        elif name in _LISTS:
            changes[name] = tuple(value) if isinstance(value, list) else ()
        elif name in _USERS:
            changes[name] = User(value, value) if isinstance(value, str) else None
        elif name in _PLAIN:
            changes[name] = value
    return replace(issue, **changes, custom=custom)
