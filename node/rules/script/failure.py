"""Turns what went wrong in the box into a sentence, a place and an advice for people. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from pydantic_monty import Frame, MontyCrashedError, MontyError, MontyRuntimeError, MontySyntaxError

from node.rules.fields import name_one_of, of_one_name
from node.rules.script import words
from node.rules.script.engine import HelperCall, Script, ScriptFailed
from node.rules.similar import closest

RULE_FEED = "<python-input-1>"
"""The box names what it is fed by number: the prelude is 0, the script 1, the call 2."""

HELPER_FAILED = "helper"
SKIP = "skip:"
VALUE = "value:"
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
    line = 0 if inner is None else inner.line - 1
    if inner is None or not 1 <= line <= len(rows):
        return Place(None, None)
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
    place = _place(error, script, notes)
    message, advice = _words(error, script, loops)
    line = place.line
    if line is None and isinstance(error, MontyRuntimeError) and len(loops) == 1 and _is_time(error):
        line = loops[0]
    rows = script.source.split("\n")
    shown = rows[line - 1] if line is not None and 1 <= line <= len(rows) else ""
    where = f" in line {line}" if line is not None else ""
    return ScriptFailed(
        script,
        f"failed{where}: {message}",
        line=line,
        column=place.column,
        shown=shown[:500],
        advice=advice,
        log=log,
        calls=calls,
    )


def skip_reason(error: MontyError) -> str | None:
    """Return why the script skipped the issue, where that is what ended it."""
    return _ended(error, SKIP)[1]


def line_of(error: MontyError, script: Script, notes: Sequence[tuple[int, int, str]]) -> int | None:
    """Return the line of the script that an error comes from."""
    return _place(error, script, notes).line


def _place(error: MontyError, script: Script, notes: Sequence[tuple[int, int, str]]) -> Place:
    frames = error.traceback() if isinstance(error, (MontyRuntimeError, MontySyntaxError)) else []
    traced = _place_of_value(error) or place_of(frames, notes, script.source)
    told = _ended(error, SKIP)[0] or _ended(error, ERROR)[0]
    return traced if told is None or told == traced.line else Place(told, 1)


def _ended(error: MontyError, how: str) -> tuple[int | None, str | None]:
    """Return line and words of a script that ended itself that way."""
    inner = error.exception()
    text = str(inner)
    if not isinstance(inner, SystemExit) or not text.startswith(how):
        return None, None
    line, _, said = text.removeprefix(how).partition(":")
    return (int(line) if line.isdecimal() and int(line) > 0 else None), said


def _place_of_value(error: MontyError) -> Place | None:
    """Return the line that set a value which could not leave the box; the box says it in the message."""
    value = _refused_value(error)
    return None if value is None else Place(value[1] or None, 1 if value[1] else None)


def _refused_value(error: MontyError) -> tuple[str, int, str] | None:
    inner = error.exception()
    text = str(inner)
    if not isinstance(inner, SystemExit) or not text.startswith(VALUE):
        return None
    try:
        field, line, problem = json.loads(text.removeprefix(VALUE))
        return _clean(str(field)), int(line), _clean(str(problem))
    except (ValueError, TypeError):
        return None


def _is_time(error: MontyError) -> bool:
    return isinstance(error.exception(), TimeoutError)


def _words(error: MontyError, script: Script, loops: Sequence[int]) -> tuple[str, str]:
    return _crashed(error) if isinstance(error, MontyCrashedError) else _raised(error, script, loops)


def _crashed(error: MontyCrashedError) -> tuple[str, str]:
    if error.timed_out or "limit" in str(error):
        return "it was stopped, since it did not end in time.", _TIME_ADVICE
    return "its worker was stopped.", "Try the issue again; if it fails again, the script is the cause."


def _raised(error: MontyError, script: Script, loops: Sequence[int]) -> tuple[str, str]:
    inner = error.exception()
    text = _clean(str(inner))
    value = _refused_value(error)
    if value is not None:
        target = "replica" if script.direction == "outgoing" else "issue"
        return f"{target}.{value[0]} cannot take this value: {value[2]}.", "Give the field a plain value."
    if isinstance(inner, SystemExit):
        said = _clean(_ended(error, ERROR)[1] or "")
        return said or "error() was called.", "The rule itself reports this error."
    if isinstance(inner, TimeoutError):
        where = f" Loops begin in line {', '.join(map(str, loops[:8]))}." if loops else ""
        return "it computed for longer than 1 s.", _TIME_ADVICE + where
    if type(inner).__module__ == "re" or type(inner).__name__ in ("error", "PatternError"):
        return f"this regular expression cannot be read: {expression_words(text)}.", EXPRESSION_ADVICE
    explained = [(message, advice) for kind, message, advice in _LIMITS if isinstance(inner, kind)]
    explained += [explain(text, script) for kind, explain in _EXPLAINED if isinstance(inner, kind)]
    return (
        explained[0] if explained else (f"{type(inner).__name__}: {text}." if text else f"{type(inner).__name__}.", "")
    )


EXPRESSION_ADVICE = "Close every bracket; a backslash takes the sign behind it as it is."


def expression_words(text: str) -> str:
    """Say what is wrong with a regular expression, by what the engine said of it."""
    found = re.search(r"at position (\d+): (.+)", text)
    if found is None:
        return "it makes no sense"
    return f"{found[2][:1].lower()}{found[2][1:]}, after {found[1]} characters".replace(".,", ",")


_LIMITS: tuple[tuple[type[BaseException], str, str], ...] = (
    (MemoryError, "it wanted more than 32 MB of memory.", "Build smaller texts and lists."),
    (
        RecursionError,
        "functions call each other more than 100 deep.",
        "Use a loop instead of a function that calls itself.",
    ),
)
_TIME_ADVICE = "Look for a loop that does not end, or a regular expression with nested repetitions."


def _attribute(text: str, script: Script) -> tuple[str, str]:
    found = re.fullmatch(r"'(\w+)' object has no attribute '(.+)'.*", text)
    if found is None:
        name = _quoted(text)
        return text + ".", "" if name in words.ISSUE_FIELDS else _close(name, _fields(script))
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
        same = of_one_name(wanted, script.schema.custom)
        if same:
            return f"several custom fields of this Jira are called {wanted!r}.", name_one_of(same)
        return f"there is no custom field {wanted!r} in this Jira.", _close(wanted, script.schema.custom)
    return f"there is no entry {name!r}.", "Use .get(key, default) where a key may be missing."


def _fields(script: Script) -> list[str]:
    fields = words.ISSUE_FIELDS if script.direction == "incoming" else words.REPLICA_FIELDS
    return [*fields, "custom"]


def _quoted(text: str) -> str:
    found = re.search(r"'([^']*)'", text)
    return found[1] if found else text


def _close(name: str, known: Iterable[str]) -> str:
    close = closest(name, known)
    return f"Did you mean `{close}`?" if close else ""


def _clean(text: str) -> str:
    printable = "".join(character if character.isprintable() else " " for character in text)
    return printable.strip().rstrip(".")[:1_000]


def _name(text: str, script: Script) -> tuple[str, str]:  # noqa: ARG001 - one shape for all explanations
    return text + ".", _close(_quoted(text), [*words.GIVEN, *words.BUILTINS])


_EXPLAINED: tuple[tuple[type[BaseException], Callable[[str, Script], tuple[str, str]]], ...] = (
    (AttributeError, _attribute),
    (KeyError, _key),
    (NameError, _name),
)
