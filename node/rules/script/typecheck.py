"""Runs the type checker that comes with the engine over a script, in a worker, and says its findings in our form."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from pydantic_monty import AsyncMontySession, MontyRuntimeError, MontySyntaxError, MontyTypingError

from node.rules.script import stubs
from node.rules.script.engine import Direction, Finding
from node.rules.script.schema_check import person_named

_MAX_REPORT = 1 << 20
_MAX_FINDINGS = 100
_IGNORED = frozenset(("unused-ignore-comment", "undefined-reveal", "revealed-type"))


async def run(session: AsyncMontySession, plain: str, direction: Direction, rows: Sequence[str]) -> list[Finding]:
    """Check the wrapped script; running it only defines a function. Raises MontyCrashedError."""
    _, _, body = plain.partition("\n")
    try:
        await session.feed_run(stubs.signature() + "\n" + body)
    except MontyTypingError as error:
        return _parsed(error.display(), direction, rows)
    except MontySyntaxError as error:
        frames = error.traceback()
        line = frames[-1].line - 1 if frames else 1
        return [_finding("error", str(error)[:300], line, 1, None, rows, "syntax")]
    except MontyRuntimeError as error:
        # The engine says by an error of its own what its Python does not have.
        frames = error.traceback()
        line = frames[-1].line - 1 if frames else 1
        return [_finding("error", str(error.exception())[:300], max(1, line), 1, None, rows, "engine")]
    return []


def _parsed(report: str, direction: Direction, rows: Sequence[str]) -> list[Finding]:
    if len(report) > _MAX_REPORT:
        return [_finding("error", "the type checker has too much to say about this script", 1, 1, None, rows, "type")]
    try:
        entries = json.loads(report)
    except ValueError:
        return [_finding("error", report[:300], 1, 1, None, rows, "type")]
    found = []
    for entry in entries[:_MAX_FINDINGS] if isinstance(entries, list) else []:
        one = _entry(entry, direction, rows)
        if one is not None:
            found.append(one)
    return found


def _entry(entry: dict[str, Any], direction: Direction, rows: Sequence[str]) -> Finding | None:  # noqa: ARG001 - stays for rules that differ by direction
    code = str(entry.get("code") or entry.get("name") or "type")
    # Looking up an empty value in a dict is how rules map names: {"To Do": "Open"}.get(issue.status, "Open").
    if code in _IGNORED or "bound method `dict.get`" in str(entry.get("message")):
        return None
    start, end = entry.get("location") or {}, entry.get("end_location") or {}
    line = int(start.get("row", 2)) - 1
    column = int(start.get("column", 2)) - 1
    end_column = int(end.get("column", 2)) - 1 if end.get("row") == start.get("row") else None
    message = str(entry.get("message", "")).split("\n")[0][:300]
    person = _PERSON.match(message)
    if person is not None:
        text = _LITERAL.fullmatch(person[1])
        hint = person_named(text[1]) if text else "Find the person with users.by_name, users.by_email or users.by_map."
        said = f"issue.{person[2]} takes a person, not a text"
        return _finding("warning", said, line, max(1, column), end_column, rows, code, hint)
    severity = "warning" if _doubt(code, message) else "error"
    return _finding(severity, _said(message), line, max(1, column), end_column, rows, code)


_PERSON = re.compile(
    r"Object of type `(.+)` is not assignable to attribute `(assignee|reporter)` of type `User \| None`"
)
_LITERAL = re.compile(r'Literal\["(.+)"\]')


def _doubt(code: str, message: str) -> bool:
    """Whether a finding is only a possibility: a value that may be None, a name that may not be set yet."""
    if code.startswith("possibly"):
        return True
    if code == "unresolved-attribute":
        return "on `None` in union" in message
    # "X | None" where an X is wanted; where even the X is wrong, the run says so with a line.
    return "| None" in message or "of type `None`" in message


def _said(message: str) -> str:
    found = re.match(r"Attribute `(\w+)` is not defined on `None`", message)
    if found:
        return f"the value before `.{found[1]}` may be empty (None)"
    return message[:1].lower() + message[1:]


def _finding(
    severity: Any, message: str, line: int, column: int, end_column: int | None, rows: Sequence[str], code: str,
    suggestion: str = "",
) -> Finding:  # fmt: skip
    return Finding(
        severity=severity,
        message=message,
        line=line,
        column=column,
        end_column=end_column,
        shown=rows[line - 1][:500] if 0 < line <= len(rows) else "",
        suggestion=suggestion or ("Ask first, for example `if value:`." if severity == "warning" else ""),
        code=code,
    )
