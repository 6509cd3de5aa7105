"""Turns what went wrong in the box into a sentence, a place and an advice for people. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydantic_monty import Frame, MontyCrashedError, MontyError, MontyRuntimeError, MontySyntaxError

from node.rules.script import words
from node.rules.script.engine import HelperCall, Script, ScriptFailed

RULE_FEED = "<python-input-1>"
"""The box names what it is fed by number: the prelude is 0, the script 1, the call 2."""

HELPER_FAILED = "helper"
SKIP = "skip:"
ERROR = "error:"


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a script, as people count."""

    line: int | None
    column: int | None


def place_of(frames: Iterable[Frame], notes: Sequence[tuple[int, int, str]], source: str) -> Place:
    """Return the innermost place in the script; columns without what the program noted in between."""
    inner = None
    for frame in frames:
        if frame.filename == RULE_FEED:
            inner = frame
    rows = source.split("\n")
    if inner is None or not 2 <= inner.line <= len(rows) + 1:
        return Place(None, None)
    line = inner.line - 1
    column = inner.column - 1
    row = rows[line - 1]
    for at, offset, text in sorted(notes):
        position = len(row.encode()[:offset].decode(errors="replace"))
        if at == line and position + 1 < column:
            column = max(position + 1, column - len(text))
    return Place(line, max(1, min(column, len(row) + 1)))


def failed(
    error: MontyError,
    script: Script,
    notes: Sequence[tuple[int, int, str]],
    loops: Sequence[int],
    *,
    log: Sequence[str] = (),
    calls: Sequence[HelperCall] = (),
) -> ScriptFailed:
    """Return the error that people read."""
    frames = error.traceback() if isinstance(error, (MontyRuntimeError, MontySyntaxError)) else []
    place = place_of(frames, notes, script.source)
    message, advice = _words(error, script, loops)
    line = place.line
    if line is None and isinstance(error, MontyRuntimeError) and len(loops) == 1 and _is_time(error):
        line = loops[0]
    rows = script.source.split("\n")
    shown = rows[line - 1] if line is not None and 1 <= line <= len(rows) else ""
    where = f" in line {line}" if line is not None else ""
    return ScriptFailed(
        f"The script failed{where}: {message}",
        step=script.step,
        line=line,
        column=place.column,
        shown=shown[:500],
        advice=advice,
        log=log,
        calls=calls,
    )


def skip_reason(error: MontyError) -> str | None:
    """Return why the script skipped the issue, where that is what ended it."""
    inner = error.exception()
    text = str(inner)
    return text.removeprefix(SKIP) if isinstance(inner, SystemExit) and text.startswith(SKIP) else None


def line_of(error: MontyError, script: Script, notes: Sequence[tuple[int, int, str]]) -> int | None:
    """Return the line of the script that an error comes from."""
    frames = error.traceback() if isinstance(error, MontyRuntimeError) else []
    return place_of(frames, notes, script.source).line


def _is_time(error: MontyError) -> bool:
    return isinstance(error.exception(), TimeoutError)


def _words(error: MontyError, script: Script, loops: Sequence[int]) -> tuple[str, str]:
    if isinstance(error, MontyCrashedError):
        if error.timed_out or "limit" in str(error):
            return "it was stopped, since it did not end in time.", _TIME_ADVICE
        return "its worker was stopped.", "Try the issue again; if it fails again, the script is the cause."
    inner = error.exception()
    text = _clean(str(inner))
    if isinstance(inner, SystemExit):
        if text.startswith(ERROR):
            return text.removeprefix(ERROR) or "error() was called.", "The rule itself reports this error."
        return text, ""
    if isinstance(inner, TimeoutError):
        where = f" Loops begin in line {', '.join(map(str, loops[:8]))}." if loops else ""
        return "it computed for longer than 1 s.", _TIME_ADVICE + where
    if isinstance(inner, MemoryError):
        return "it wanted more than 32 MB of memory.", "Build smaller texts and lists."
    if isinstance(inner, RecursionError):
        return "functions call each other more than 100 deep.", "Use a loop instead of a function that calls itself."
    if "suspension limit" in text:
        return "it asked helpers more than 200 questions.", "Ask once and keep the answer in a variable."
    if isinstance(inner, AttributeError):
        return _attribute(text, script)
    if isinstance(inner, KeyError):
        return _key(text, script)
    if isinstance(inner, NameError):
        return text + ".", _close(_quoted(text), [*words.GIVEN, *words.BUILTINS])
    return f"{type(inner).__name__}: {text}." if text else f"{type(inner).__name__}.", ""


_TIME_ADVICE = "Look for a loop that does not end, or a regular expression with nested repetitions."


def _attribute(text: str, script: Script) -> tuple[str, str]:
    found = re.fullmatch(r"'(\w+)' object has no attribute '(.+)'.*", text)
    if found is None:
        return text + ".", _close(_quoted(text), _fields(script))
    owner, name = found[1], found[2]
    if owner == "NoneType":
        return (
            f"the value before `.{name}` is empty (None).",
            "Ask first: `if issue.assignee:`, or `issue.assignee.email if issue.assignee else None`.",
        )
    if owner == "Item":
        return f"there is no field `{name}`.", _close(name, _fields(script)) or _CUSTOM_ADVICE
    known = [method for methods in words.HELPER_METHODS.values() for method in methods]
    kind = {"Record": "this value", "Custom": "custom"}.get(owner, f"`{owner.lower()}`")
    return f"{kind} has no `{name}`.", _close(name, [*known, "display_name", "email", "body", "author", "name"])


_CUSTOM_ADVICE = 'Custom fields are read as issue.custom["Their Name"].'


def _key(text: str, script: Script) -> tuple[str, str]:
    name = text.strip("\"'")
    if "there is no custom field" in text:
        wanted = _quoted(text)
        return f"there is no custom field {wanted!r} in this Jira.", _close(wanted, script.schema.custom)
    return f"there is no entry {name!r}.", "Use .get(key, default) where a key may be missing."


def _fields(script: Script) -> list[str]:
    return [*words.ISSUE_FIELDS, "custom"]


def _quoted(text: str) -> str:
    found = re.search(r"'([^']*)'", text)
    return found[1] if found else text


def _close(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name[:80], list(known), 1)
    return f"Did you mean `{close[0]}`?" if close else ""


def _clean(text: str) -> str:
    printable = "".join(character if character.isprintable() else " " for character in text)
    return printable.strip().rstrip(".")[:1_000]
