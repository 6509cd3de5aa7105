"""What differs between two rule sets, and between two results, as a person would say it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher, unified_diff
from typing import Any

from typing_extensions import override

from node.rules.issue_links import LINKS
from node.rules.model import Origin
from node.rules.ruleset import COLLECTIONS, Default, Direction, MappingStep, RuleSet, Scope, ScriptStep
from node.rules.values import as_text, is_empty


@dataclass(frozen=True, slots=True)
class RuleChange:
    """One change between two rule sets. ``lines`` show it in detail, with ``+`` and ``-`` before them."""

    title: str
    lines: tuple[str, ...] = ()

    @override
    def __str__(self) -> str:
        return "\n".join([self.title, *(f"  {line}" for line in self.lines)])


def diff_rule_sets(old: RuleSet, new: RuleSet) -> tuple[RuleChange, ...]:
    """Return what changed, in the order of the file; nothing for equal rule sets."""
    return tuple(_rule_changes(old, new))


def _rule_changes(old: RuleSet, new: RuleSet) -> Iterator[RuleChange]:
    for name in ("direction", "method"):
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            yield RuleChange(f"{name}: {before} became {after}")
    for name in Scope.model_fields:
        yield from _scope_change(name, getattr(old.scope, name), getattr(new.scope, name))
    yield from _step_changes(old.steps, new.steps)


def _scope_change(name: str, before: Sequence[str], after: Sequence[str]) -> Iterator[RuleChange]:
    if before != after:
        lines = [f"- {value}" for value in before if value not in after]
        lines += [f"+ {value}" for value in after if value not in before]
        old, new = (", ".join(map(repr, values)) or "any" for values in (before, after))
        how = f"{old} became {new}" if lines else f"now in the order {new}"
        yield RuleChange(f"scope, {name}: {how}", tuple(lines))


def label(step: MappingStep | ScriptStep) -> str:
    """Name a step as people would."""
    return f"{step.source} to {step.target}" if isinstance(step, MappingStep) else f"script {step.name!r}"


def _step_changes(old: Sequence[Any], new: Sequence[Any]) -> Iterator[RuleChange]:
    matcher = SequenceMatcher(a=[label(step) for step in old], b=[label(step) for step in new], autojunk=False)
    for kind, old_start, old_end, new_start, new_end in matcher.get_opcodes():
        if kind == "equal":
            for before, after in zip(range(old_start, old_end), range(new_start, new_end), strict=True):
                lines = _inside_step(old[before], new[after])
                if lines:
                    yield RuleChange(f"step {after + 1} ({label(new[after])}) changed", tuple(lines))
        else:
            for number in range(old_start, old_end):
                yield RuleChange(f"step {number + 1} ({label(old[number])}) is gone", tuple(_whole(old[number], "-")))
            for number in range(new_start, new_end):
                yield RuleChange(f"step {number + 1} ({label(new[number])}) is new", tuple(_whole(new[number], "+")))


def _whole(step: Any, sign: str) -> list[str]:
    lines = step.source.splitlines() if isinstance(step, ScriptStep) else _settings(step)
    return [f"{sign} {line}" for line in lines]


def _settings(step: MappingStep) -> list[str]:
    lines = []
    if step.when != "always":
        lines.append(f"when: {step.when}")
    if step.people != "name":
        lines.append(f"people: {step.people}")
    if step.otherwise != "nothing":
        lines.append(f"otherwise: {_choice(step.otherwise)}")
    return lines + [f"value {value!r} to {replacement!r}" for value, replacement in step.values.items()]


def _choice(otherwise: str | Default) -> str:
    return f"default {otherwise.default!r}" if isinstance(otherwise, Default) else otherwise


def _inside_step(old: Any, new: Any) -> list[str]:
    if isinstance(old, ScriptStep) and isinstance(new, ScriptStep):
        return _text_diff(old.source, new.source)
    if not isinstance(old, MappingStep) or not isinstance(new, MappingStep):
        return [*_whole(old, "-"), *_whole(new, "+")]
    before, after = _settings(old), _settings(new)
    if before == after:
        return []
    lines = [f"- {line}" for line in before if line not in after] + [
        f"+ {line}" for line in after if line not in before
    ]
    return lines or ["the values are in another order"]


def _text_diff(old: str, new: str) -> list[str]:
    lines = list(unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=1))[2:]
    if not lines and old != new:
        return ["only the end of a line differs"]
    return lines


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """A field that two results hold differently. ``origin`` is the step and line that set the newer value.

    ``carried`` says in words that the field is carried now, or no more, where that is not seen by its values.
    """

    field: str
    before: Any
    after: Any
    origin: Origin | None = None
    carried: str = ""

    @property
    def place(self) -> str:
        """Name the step and line, or nothing where none is known."""
        return "" if self.origin is None else str(self.origin)

    def lines(self) -> list[str]:
        """Show the change: removed and added parts for lists and long texts, both values otherwise."""
        place = f"  ({self.place})" if self.place else ""
        before, after = _entries(self.before), _entries(self.after)
        if before is not None and after is not None and (before or after):
            gone = [f"  - {_line(item)}" for item in before if item not in after]
            new = [f"  + {_line(item)}" for item in after if item not in before]
            head = f"{self.field}: {self.carried}" if self.carried else self.field
            return [f"{head}{place}", *(gone + new or ["  the order changed"])]
        if self.carried:
            return [f"{self.field}: {self.carried}{place}"]
        if isinstance(self.before, str) and isinstance(self.after, str) and "\n" in self.before + self.after:
            return [f"{self.field}{place}", *(f"  {line}" for line in _text_diff(self.before, self.after))]
        return [f"{self.field}: {_line(self.before)} became {_line(self.after)}{place}"]


def _entries(value: Any) -> list[Any] | None:
    """Return a list as it is, and nothing as one without entries; None for anything else."""
    return [] if value is None else value if isinstance(value, list) else None


_LINE = 200
"""Characters of a value that are shown on one line."""


def _line(value: Any) -> str:
    if value is None or value in ("", [], {}):
        return "nothing"
    if isinstance(value, Mapping):
        text = ", ".join(f"{name}: {as_text(item)}" for name, item in value.items() if item not in (None, False, ""))
    else:
        text = as_text(value)
    text = " ".join(text.split())
    return text if len(text) <= _LINE else f"{text[:_LINE]}… ({len(text):,} characters)"


_MISSING = object()


def diff_results(
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
    origins: Mapping[str, Origin] | None = None,
    *,
    direction: Direction = "outgoing",
) -> tuple[FieldChange, ...]:
    """Return the fields that differ between two plain results (``plain.plain_result``, or a replica's content).

    A result is None where nothing leaves or comes in. ``fields`` are compared one by one, everything else whole.
    A field that is not carried and one that is carried and empty are not the same: an empty one empties the other side.
    """
    verb = "shared" if direction == "outgoing" else "taken over"
    old, new = _flat(before), _flat(after)
    found = []
    for name in [*new, *(name for name in old if name not in new)]:
        one, other = old.get(name, _MISSING), new.get(name, _MISSING)
        if one is not _MISSING and other is not _MISSING and one == other:
            continue
        was, now = (None if one is _MISSING else one), (None if other is _MISSING else other)
        if was is None and now is None:
            continue
        origin = (origins or {}).get(name)
        carried = _carried(verb, name, was, now)
        found.append(FieldChange(field=name, before=was, after=now, origin=origin, carried=carried))
    return tuple(found)


def _carried(verb: str, name: str, was: Any, now: Any) -> str:
    """Say that a field is carried now or no more: of collections always, of others where both values show nothing."""
    several = name in {*COLLECTIONS, LINKS}
    if not several and not (is_empty(was) and is_empty(now)):
        return ""
    be, empty = ("are", ", and there are none") if several else ("is", ", and it is empty")
    if was is None:
        return f"{be} {verb} now{empty if is_empty(now) else ''}"
    return f"{be} not {verb} any more" if now is None else ""


def _flat(result: Mapping[str, Any] | None) -> dict[str, Any]:
    if result is None:
        return {}
    rest = {name: value for name, value in result.items() if name not in {"fields", "issue", "url"}}
    return {**result.get("fields", {}), **rest}
