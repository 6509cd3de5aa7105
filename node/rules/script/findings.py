"""Puts what several checks found about a script into one list for people. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from node.rules.script.engine import Finding


def from_parser(analysis: Mapping[str, Any], rows: Sequence[str]) -> list[Finding]:
    """Return what the parsing worker found."""
    return [
        Finding(
            severity="error",
            message=str(found["message"]),
            line=int(found["line"]),
            column=int(found["column"]),
            end_column=found["end_column"],
            shown=rows[found["line"] - 1][:500] if 0 < found["line"] <= len(rows) else "",
            suggestion=str(found["suggestion"]),
            code=str(found["code"]),
        )
        for found in analysis["findings"]
    ]


def settled(findings: Sequence[Finding]) -> list[Finding]:
    """In the order of the script; where two see the same place, the one that comes first here knows it better."""
    seen: dict[tuple[int, str], list[Finding]] = {}
    for finding in findings:
        seen.setdefault((finding.line, finding.severity), [])
        others = seen[finding.line, finding.severity]
        if not any(_same_place(finding, other) for other in others):
            others.append(finding)
    kept = [finding for others in seen.values() for finding in others]
    return sorted(kept, key=lambda finding: (finding.line, finding.column, finding.severity))


def _same_place(one: Finding, other: Finding) -> bool:
    end, other_end = one.end_column or one.column + 1, other.end_column or other.column + 1
    return one.column < other_end and other.column < end
