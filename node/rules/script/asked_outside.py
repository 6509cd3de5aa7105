"""Checks of a script that need an answer: of this Jira on projects, roles and transitions, or of the engine.

The engine reads regular expressions. Runs no script.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from pydantic_monty import AsyncMontySession, MontyRuntimeError

from node.rules.script.engine import Asked, Finding, ScriptSchema
from node.rules.script.failure import EXPRESSION_ADVICE, expression_words
from node.rules.script.schema_check import among

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


async def of_names(
    uses: Sequence[Mapping[str, Any]], schema: ScriptSchema, jira: Asked, rows: Sequence[str]
) -> list[Finding]:
    """Ask for projects, roles and transitions that an incoming script names. Raises what ``jira`` raises."""
    found = [
        _error(use, f"there is no project {use['value']!r} in this Jira, or the sync user cannot see it", "", rows)
        for use in uses
        if use["what"] == "value" and (use["root"], use["name"]) == ("issue", "project")
        if isinstance(use["value"], str) and not await jira.has_project(use["value"])
    ]
    # Where a script chooses the project itself, what is known of ours says nothing for certain, or nothing at all.
    elsewhere = any(use["what"] == "field" and use["write"] and use["name"] == "project" for use in uses)
    roles = [use for use in uses if use["what"] == "role"]
    if roles and (known := sorted(await jira.roles())):
        found += [_role(use, known, rows, doubt=elsewhere) for use in roles if use["value"] not in known]
    transitions = [use for use in uses if use["what"] == "transition" and not elsewhere]
    if transitions and (offered := await jira.offered_transitions()):
        found += [doubt for use in transitions if (doubt := _transition(use, offered, schema, rows)) is not None]
    return found


def _role(use: Mapping[str, Any], known: Sequence[str], rows: Sequence[str], *, doubt: bool) -> Finding:
    name = use["value"]
    same = next((one for one in known if one.casefold() == name.casefold()), None)
    if same is not None:
        return _finding("warning", use, f"this Jira writes the role {same!r}", f"Write {same!r}.", rows)
    severity: Literal["error", "warning"] = "warning" if doubt else "error"
    return _finding(severity, use, f"there is no role {name!r} in this project", among(name, known), rows)


_SHOWN = 5
"""Statuses that are named in a doubt."""


def _transition(
    use: Mapping[str, Any], offered: Mapping[str, frozenset[str]], schema: ScriptSchema, rows: Sequence[str]
) -> Finding | None:
    """Doubt a transition that was seen nowhere: only some issues were asked, and only for what is open to us."""
    name = use["value"]
    known = sorted(frozenset[str]().union(*offered.values()))
    if not known or name.casefold() in {one.casefold() for one in known}:
        return None
    asked = sorted(offered)
    where = ", ".join(map(repr, asked[:_SHOWN])) + (f" and {len(asked) - _SHOWN} more" if len(asked) > _SHOWN else "")
    status = next((one for one in schema.statuses if one.casefold() == name.casefold()), None)
    hint = f"To reach the status, write issue.status = {status!r}." if status is not None else among(name, known)
    message = f"no issue that was asked offers a transition {name!r}; asked were issues in {where}"
    return _finding("warning", use, message, hint, rows)


def _error(use: Mapping[str, Any], message: str, suggestion: str, rows: Sequence[str]) -> Finding:
    return _finding("error", use, message, suggestion, rows)


def _finding(
    severity: Literal["error", "warning"], use: Mapping[str, Any], message: str, suggestion: str, rows: Sequence[str]
) -> Finding:
    line = int(use["line"])
    return Finding(
        severity=severity, message=message, line=line, column=int(use["column"]), end_column=use["end_column"],
        shown=rows[line - 1][:500] if 0 < line <= len(rows) else "", suggestion=suggestion, code="asked",
    )  # fmt: skip
