"""Finds the persons behind the user ids of an issue or a draft, so that a script meets people and no ids. Only asks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from node.rules.facts import TrackerFacts
from node.rules.fields import is_custom
from node.rules.plain import plain
from node.rules.values import PEOPLE
from node.trackers.issue import CUSTOM, Issue, User, Value


async def people_of(
    facts: TrackerFacts, issue: Issue | None, wanted: Mapping[str, Value] | None = None
) -> dict[str, dict[str, Any]]:
    """Return persons by id, as scripts see them; one whom our Jira does not know (any more) is not among them.

    Args:
        facts: our Jira.
        issue: ours, if there is one.
        wanted: fields that earlier steps set, with user ids in them.
    """
    near = (issue.assignee, issue.reporter, issue.creator) if issue is not None else ()
    known: dict[str, User] = {user.id: user for user in near if user is not None}
    found: dict[str, User] = {}
    for name, value in _fields(issue, wanted or {}):
        if await facts.kind(name) not in PEOPLE:
            continue
        for user_id in value if isinstance(value, list) else [value]:
            if not isinstance(user_id, str) or not user_id or user_id in found:
                continue
            user = known.get(user_id) or await facts.user_by_id(user_id)
            if user is not None:
                found[user_id] = user
    return {user_id: plain(user) for user_id, user in found.items()}


def _fields(issue: Issue | None, wanted: Mapping[str, Value]) -> Iterator[tuple[str, Value]]:
    if issue is not None:
        for name, value in issue.custom.items():
            yield CUSTOM + name, value
    for name, value in wanted.items():
        if is_custom(name) or name in {"assignee", "reporter"}:
            yield name, value
