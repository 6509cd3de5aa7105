"""Brings what a script wants in custom fields into the form that our Jira holds, as mappings do. Asks facts only.

A decimal travels as a text, because the wire has no fractions, and nobody but our Jira knows that it is a number; the
two levels of an option may be written as one text and in any case. Other kinds go to Jira as the script left them.
"""

from __future__ import annotations

from collections.abc import Mapping

from node.rules.facts import TrackerFacts
from node.rules.fields import is_custom
from node.rules.values import NoMatch, Target, as_text, convert, is_empty, shortened
from node.trackers.issue import CUSTOM, Value

_NAMED = {"number": "a number", "cascading": "an option, and perhaps one below it"}


class Misfit(Exception):
    """A value does not fit. ``field`` is the field's name; the text says what it takes and what was there."""

    def __init__(self, field: str, kind: str, value: Value, why: NoMatch) -> None:
        shown = shortened(as_text(value))
        super().__init__(f"issue.custom[{field.removeprefix(CUSTOM)!r}] takes {_NAMED[kind]}, and {shown} {why.reason}")
        self.field = field


async def as_our_fields_hold(
    wanted: Mapping[str, Value], facts: TrackerFacts, *, project: str, issue_type: str | None
) -> dict[str, Value]:
    """Return the fields that a script wants, in our Jira's form. Raises Misfit."""
    fitted = dict(wanted)
    for name, value in wanted.items():
        if not isinstance(value, str | list) or not is_custom(name):
            continue
        kind = await facts.kind(name)
        if kind not in _NAMED:
            continue
        allowed = await facts.allowed_values(project, issue_type, name)
        found = None if is_empty(value) else convert(value, Target(name=name, kind=kind, allowed=allowed))
        if isinstance(found, NoMatch):
            raise Misfit(name, kind, value, found)
        fitted[name] = found
    return fitted
