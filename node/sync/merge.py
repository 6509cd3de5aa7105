"""Three-way merge of an issue's fields: what both sides agreed on, what is here, what the peer wants.

The agreed base has two halves, because two nodes never share one vocabulary: what the peer's last replica already
asked for (``asked``), and which of our fields were edited here since the state that the peer had seen when it wrote
(``edited``). Pure: decides, writes nothing. Comments, files and worklogs are not merged: each belongs to the side
where it was made.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from node.trackers.issue import Value


@dataclass(frozen=True, slots=True)
class Conflict:
    """Both sides changed one field before either saw the other's change. Both values are kept for people to see."""

    field: str
    ours: Value
    theirs: Value
    ours_won: bool


@dataclass(frozen=True, slots=True)
class Merged:
    """The fields to write into our issue, and the conflicts that were decided on the way."""

    write: Mapping[str, Value]
    conflicts: tuple[Conflict, ...] = ()


def same(one: Value, other: Value) -> bool:
    """Tell whether two values mean the same to a reader of the issue.

    Line ends, white space at the end of a text and around a single line do not count, because Jira changes them by
    itself; nor does the order of a list, because labels, components and versions have none; nothing, an empty text and
    an empty list are the same.
    """
    return _canonical(one) == _canonical(other)


def _canonical(value: Value) -> object:
    if isinstance(value, str):
        text = value.replace("\r\n", "\n").replace("\r", "\n").rstrip()
        if "\n" not in text:
            text = text.lstrip()
        return text or None
    if isinstance(value, list):
        return sorted(repr(_canonical(item)) for item in value) or None
    if isinstance(value, dict):
        return {key: _canonical(item) for key, item in value.items()} or None
    return value


def merge(
    wanted: Mapping[str, Value],
    ours: Mapping[str, Value],
    *,
    asked: Mapping[str, Value],
    touched: AbstractSet[str],
    overtaken: AbstractSet[str],
    edited: AbstractSet[str],
    ours_wins: bool,
) -> Merged:
    """Decide field by field what to write.

    Args:
        wanted: what the incoming rules want in our issue now.
        ours: what our issue holds now.
        asked: what the incoming rules wanted after the peer's previous replica.
        touched: fields that depend on something the peer's people changed since then.
        overtaken: fields that our people changed since the state that the peer's previous replica had seen; what was
            asked for then says nothing any more, because the peer may have taken our value in between.
        edited: fields that our people changed since the state that the peer had seen.
        ours_wins: who prevails in a conflict. The two nodes must hold opposite answers, or they would swap values.
    """
    write: dict[str, Value] = {}
    conflicts: list[Conflict] = []
    for field, theirs in wanted.items():
        mine = ours.get(field)
        if same(mine, theirs):
            continue
        repeated = field in asked and same(asked[field], theirs) and field not in overtaken
        changed_there = field not in asked or (field in touched and not repeated)
        if not changed_there:
            continue
        if field in edited:
            conflicts.append(Conflict(field, ours=mine, theirs=theirs, ours_won=ours_wins))
            if ours_wins:
                continue
        write[field] = theirs
    return Merged(write, tuple(conflicts))
