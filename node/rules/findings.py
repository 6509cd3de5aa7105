"""What a check of rules has to say: errors refuse to publish, warnings do not. Plain values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from typing_extensions import override


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong or doubtful. Steps, lines and columns count from 1; ``shown`` is the line as written."""

    severity: Literal["error", "warning"]
    message: str
    step: int | None = None
    line: int | None = None
    column: int | None = None
    shown: str = ""
    suggestion: str = ""

    @override
    def __str__(self) -> str:
        """Return it as people read it: place, message, the line with a mark, suggestion."""
        place = [f"step {self.step}"] if self.step is not None else []
        place += [f"line {self.line}, column {self.column or 1}"] if self.line is not None else []
        lines = [": ".join([self.severity, *([", ".join(place)] if place else []), self.message])]
        if self.shown:
            lines += [f"    {self.shown}", f"    {' ' * ((self.column or 1) - 1)}^"]
        return "\n".join([*lines, *([f"    {self.suggestion}"] if self.suggestion else [])])


def has_errors(findings: Iterable[Finding]) -> bool:
    """Tell whether the rules are refused."""
    return any(finding.severity == "error" for finding in findings)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a suggestion for a name that is not known, or nothing."""
    by_folded = {entry.casefold(): entry for entry in known}
    near = get_close_matches(name.casefold(), by_folded, n=1, cutoff=0.6)
    return f"Did you mean {by_folded[near[0]]!r}?" if near else ""


_MOST = 8
"""Values that are listed in a suggestion."""


def known_are(known: Iterable[str]) -> str:
    """List what is known, as far as it can be read at a glance."""
    names = sorted(known)
    more = f", and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return f"Known here: {', '.join(names[:_MOST])}{more}." if names else ""
