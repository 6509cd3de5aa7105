"""Decides whether an issue is in the scope of a rule set. Pure.

Only about entering: an issue that is linked stays in sync when it leaves the scope.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from node.rules.ruleset import Scope
from node.trackers.issue import Issue, User, Value

_CONTAINS = frozenset({"summary", "description"})
"""Filters that ask for words within a text; all others compare whole values. Letters compare in any case."""

Seen = Mapping[str, Sequence[str]]
"""What an issue shows to each filter."""


def seen_of_issue(issue: Issue) -> Seen:
    """Return what one of our issues shows: people match by name, by user id and by e-mail address."""
    return {
        "project": [issue.project],
        "type": [issue.type],
        "status": _texts(issue.status),
        "priority": _texts(issue.priority),
        "labels": issue.labels,
        "assignee": _person(issue.assignee),
        "reporter": _person(issue.reporter),
        "summary": [issue.summary],
        "description": _texts(issue.description),
    }


def seen_of_fields(fields: Mapping[str, Value]) -> Seen:
    """Return what a replica shows, under the names that its sender chose."""
    return {name: _texts(fields.get(name)) for name in Scope.model_fields}


def mismatch(scope: Scope, seen: Seen) -> str | None:
    """Return a sentence about the first filter that does not agree, or None when the issue is in scope."""
    for name in Scope.model_fields:
        wanted: tuple[str, ...] = getattr(scope, name)
        if wanted and not _agrees(name, wanted, seen.get(name, ())):
            rule = "contains none of" if name in _CONTAINS else "is none of"
            return f"its {name} {rule} {', '.join(repr(value) for value in wanted)}"
    return None


def _agrees(name: str, wanted: Sequence[str], values: Sequence[str]) -> bool:
    folded = [value.casefold() for value in values]
    if name in _CONTAINS:
        return any(words.casefold() in value for words in wanted for value in folded)
    return any(value.casefold() in folded for value in wanted)


def _texts(value: Value) -> list[str]:
    if isinstance(value, list):
        return [item for item in value if isinstance(item, str)]
    return [value] if isinstance(value, str) else []


def _person(user: User | None) -> list[str]:
    return [text for text in (user.display_name, user.id, user.email) if text] if user else []
