"""Telling what changed: the changelog of an issue. Never decides what may change."""

from __future__ import annotations

from typing import Any

from node.sandbox.field_values import describe
from node.sandbox.fields import Definition
from node.sandbox.model import Change, ChangeItem, Issue, User
from node.sandbox.store import World

_LISTED = {"components": "Component", "fixVersions": "Fix Version", "versions": "Version"}
"""Fields of which each value that came or went is told on its own, and what the changelog calls them."""


def compare(world: World, definition: Definition, before: Any, after: Any) -> list[ChangeItem]:
    """Return what a changelog says of one field's change; nothing when it did not change."""
    if before == after or (not before and not after and before != 0 and after != 0):
        return []
    custom = definition.custom is not None
    name = definition.name if custom else definition.id
    if definition.id in _LISTED:
        name = _LISTED[definition.id]
        gone = [describe(world, definition, one) for one in before or [] if one not in (after or [])]
        came = [describe(world, definition, one) for one in after or [] if one not in (before or [])]
        return [
            *(ChangeItem(name, definition.id, key, text, None, None) for key, text in gone),
            *(ChangeItem(name, definition.id, None, None, key, text) for key, text in came),
        ]
    if definition.kind.many:
        separator = " " if definition.kind.items == "string" else ","
        texts = [
            separator.join(describe(world, definition, one)[1] or "" for one in side) if side else None
            for side in (before, after)
        ]
        return [ChangeItem(name, definition.id, None, texts[0] or "", None, texts[1] or "", custom)]
    old_id, old_text = describe(world, definition, before)
    new_id, new_text = describe(world, definition, after)
    return [ChangeItem(name, definition.id, old_id, old_text, new_id, new_text, custom)]


def record(world: World, issue: Issue, actor: User | None, items: list[ChangeItem]) -> Change | None:
    """Write a change into the issue's history at its ``updated`` moment; None when there is nothing to write."""
    if not items:
        return None
    change = Change(world.new_id("change"), actor.key if actor is not None else None, issue.updated, items)
    issue.history.append(change)
    return change


def single(field: str, *, before: tuple[str | None, str | None], after: tuple[str | None, str | None]) -> ChangeItem:
    """Return one item about something that is not a settable field (a file, a link, a worklog)."""
    return ChangeItem(field, field, before[0], before[1], after[0], after[1])
