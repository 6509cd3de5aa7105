"""What a check of rules has to say: errors refuse to publish, warnings do not. Plain values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from typing_extensions import override

from node.rules.similar import closest
from node.rules.toml_places import Place, find_line_of_text, find_place, marked


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong or doubtful. Steps, lines and columns count from 1; ``shown`` is the line as written.

    ``line`` counts in ``file`` where there is one, else in the step's script; ``script_line`` always counts in the
    script. ``place`` is the key in a rules file that it is about, or with ``value`` what stands behind that key.
    """

    severity: Literal["error", "warning"]
    message: str
    step: int | None = None
    line: int | None = None
    column: int | None = None
    shown: str = ""
    suggestion: str = ""
    file: str = ""
    script_line: int | None = None
    place: Place = ()
    value: bool = False

    @override
    def __str__(self) -> str:
        """Return it as people read it: place, message, the line with a mark, suggestion."""
        at = f"line {self.line}, column {self.column or 1}" if self.line is not None else ""
        where = f"{self.file}, {at}" if self.file and at else self.file
        step = [f"step {self.step}"] if self.step is not None else []
        if self.script_line is not None:
            step.append(f"line {self.script_line} of its script")
        elif not self.file:
            step += [at] if at else self._field()
        lines = [": ".join(part for part in (self.severity, where, ", ".join(step), self.message) if part)]
        if self.shown:
            lines += [f"    {row}" for row in marked(self.shown, self.column or 1)]
        return "\n".join([*lines, *([f"    {self.suggestion}"] if self.suggestion else [])])

    def _field(self) -> list[str]:
        """Name the key of the step that it is about, for a reader who has no file."""
        if self.step is None:
            return []
        return [str(part) if number == 0 else repr(part) for number, part in enumerate(self.place[2:])]

    def in_file(self, text: str, name: str) -> Finding:
        """Return it with the place in the file from which the rules were read; ``name`` is what people call it."""
        if self.line is not None:
            place = ("step", (self.step or 1) - 1, "script")
            found = find_line_of_text(text, place, self.line, self.column or 1, self.shown)
            if found is None:
                return self
            return replace(
                self, file=name, script_line=self.line, line=found.line, column=found.column, shown=found.text
            )
        if not self.place:
            return replace(self, file=name)
        found = find_place(text, self.place, value=self.value)
        return replace(self, file=name, line=found.line, column=found.column, shown=found.text)


def has_errors(findings: Iterable[Finding]) -> bool:
    """Tell whether the rules are refused."""
    return any(finding.severity == "error" for finding in findings)


def did_you_mean(name: str, known: Iterable[str], *, most: int = 3) -> str:
    """Return a suggestion for a name that is not known, or nothing; ``most`` letters of it may be wrong."""
    near = closest(name, known, most=most)
    return f"Did you mean {near!r}?" if near else ""


_MOST = 8
"""Values that are listed in a suggestion."""


def known_are(known: Iterable[str]) -> str:
    """List what is known, as far as it can be read at a glance."""
    names = sorted(known)
    more = f", and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return f"Known here: {', '.join(names[:_MOST])}{more}." if names else ""
