"""Checks of a script that need an answer: of this Jira on projects, of the engine on regular expressions.

Runs no script.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic_monty import AsyncMontySession, MontyRuntimeError

from node.rules.script.engine import Direction, Finding, ProjectExists
from node.rules.script.failure import EXPRESSION_ADVICE, expression_words

MOST = 100
"""Regular expressions of one script that are tried."""


def expressions(uses: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the regular expressions that are written out."""
    return [use for use in uses if use["what"] == "expression"][:MOST]


async def of_expressions(
    session: AsyncMontySession, uses: Iterable[Mapping[str, Any]], rows: Sequence[str]
) -> list[Finding]:
    """Let the engine that will search with them read the regular expressions. Raises MontyCrashedError."""
    found = []
    for use in expressions(uses):
        try:
            await session.feed_run(f"import re\nre.compile({use['value']!r})\nNone")
        except MontyRuntimeError as error:
            message = f"this regular expression cannot be read: {expression_words(str(error.exception()))}"
            found.append(_error(use, message, EXPRESSION_ADVICE, rows))
    return found


async def of_projects(
    uses: Iterable[Mapping[str, Any]], direction: Direction, exists: ProjectExists | None, rows: Sequence[str]
) -> list[Finding]:
    """Ask whether the projects are there in which a script would create issues. Raises what ``exists`` raises."""
    if direction == "outgoing" or exists is None:
        return []
    return [
        _error(use, f"there is no project {use['value']!r} in this Jira, or the sync user cannot see it", "", rows)
        for use in uses
        if use["what"] == "value" and (use["root"], use["name"]) == ("issue", "project")
        if isinstance(use["value"], str) and not await exists(use["value"])
    ]


def _error(use: Mapping[str, Any], message: str, suggestion: str, rows: Sequence[str]) -> Finding:
    line = int(use["line"])
    return Finding(
        severity="error", message=message, line=line, column=int(use["column"]), end_column=use["end_column"],
        shown=rows[line - 1][:500] if 0 < line <= len(rows) else "", suggestion=suggestion, code="asked",
    )  # fmt: skip
