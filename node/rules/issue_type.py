"""Chooses the type of our issue: mirrored by name, else the step's default, else the connection's, else Task.

Where the project has none of them it is the first that fits. Pure. A sub-task needs a parent and an issue cannot become
one by an edit, so an existing issue keeps to its side of that line, and keeps its type where the name is unknown here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from node.errors import RuleError
from node.rules.mapping import Numbered
from node.rules.ruleset import TASK
from node.rules.values import as_text, find
from node.trackers.base import IssueType
from node.trackers.issue import Issue, Value


@dataclass(frozen=True, slots=True)
class TypeChoice:
    """The name as our project spells it, None where our issue keeps its type; ``log`` says why it is not mirrored.

    ``defaulted``: the step's own default stood in. ``past_map``: its value map had nothing to say of the type.
    """

    name: str | None
    log: tuple[str, ...] = ()
    crosses: bool = False
    """Whether the name is here, on the other side of the line to sub-tasks than our issue."""
    defaulted: bool = False
    past_map: bool = False


def choose_type(
    types: Sequence[IssueType],
    *,
    numbered: Numbered | None,
    wanted: Value,
    fallbacks: Sequence[str | None],
    issue: Issue | None,
    parent: bool = False,
) -> TypeChoice:
    """Return the type for our issue.

    Args:
        types: what the project offers.
        numbered: the mapping step, None where only the fallbacks count.
        wanted: the name of the type on the other side.
        fallbacks: names to try when that one is not here, best first, with a step its default; Task follows by itself.
        issue: our issue, None when it will be created.
        parent: whether the issue has or gets a parent, so that it may be a sub-task.

    Raises:
        RuleError: the step says that an unknown type is an error, or the project has no type that fits.
    """
    subtask = issue.subtask if issue is not None else None
    fitting = frozenset(
        kind.name for kind in types if (kind.subtask == subtask if issue is not None else parent or not kind.subtask)
    )
    name = as_text(wanted)
    mapped = numbered.look_up(name) if numbered is not None else None
    past_map = mapped is None and numbered is not None and bool(numbered.step.values)
    if mapped is not None or (numbered is not None and not numbered.passes):
        name = mapped or ""
    found = find(name, fitting) if name else None
    if found is not None:
        return TypeChoice(found, past_map=past_map)
    missing = f"The type {as_text(wanted)!r} does not exist here for such an issue" if name else "The rules set no type"
    if numbered is not None and numbered.step.otherwise == "error":
        raise RuleError(
            f"Step {numbered.number} (type): {missing[0].lower()}{missing[1:]}.",
            step=numbered.number,
            advice="Add it to the step's value map, or choose a default type; then retry the issue.",
        )
    if issue is not None:
        crosses = bool(name) and find(name, frozenset(kind.name for kind in types)) is not None
        return TypeChoice(None, (f"{missing}: {issue.key} keeps the type {issue.type!r}.",), crosses)
    for number, fallback in enumerate((*fallbacks, TASK)):
        found = find(fallback, fitting) if fallback else None
        if found is not None:
            log = (f"{missing}: {found!r} was taken.",) if name else ()
            return TypeChoice(found, log, defaulted=numbered is not None and number == 0, past_map=past_map)
    first = next((kind.name for kind in types if not kind.subtask), None)
    if first is None:
        raise RuleError(
            "The project has no issue type that an ordinary issue can have.",
            step=numbered.number if numbered else None,
            advice="Add an issue type to the project in Jira, then retry the issue.",
        )
    return TypeChoice(
        first, (f"{missing}, and neither does {TASK!r}: {first!r} was taken, the project's first.",), past_map=past_map
    )
