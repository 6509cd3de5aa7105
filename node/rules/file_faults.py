"""What is wrong in a rules file: the place, the line with a mark below it, and what was probably meant. Pure.

Speaks of the file in our own words; what the readers of TOML and of shapes say is for programmers.
"""

from __future__ import annotations

import re
from typing import Any

from pydantic import ValidationError
from tomlkit import exceptions as toml

from node.errors import ConfigError
from node.rules.similar import closest
from node.rules.toml_places import Place, Shown, find_place, marked, unclosed, unclosed_list
from node.shape_words import said

_CHOICES = {
    "direction": ("outgoing", "incoming"),
    "method": ("manual", "automatic", "disabled"),
    "when": ("always", "create"),
    "people": ("name", "email"),
    "otherwise": ("nothing", "error", "create"),
}
_TABLES = {"scope": "[scope]", "values": "[step.values]"}


class RulesFileError(ConfigError):
    """A rules file cannot be read. Lines and columns count from 1; ``shown`` is the line as written."""

    def __init__(self, what: str, *, name: str, line: int, column: int, shown: str, suggestion: str = "") -> None:
        """Make one message of it, with the line and a mark under the place."""
        text = f"{name}, line {line}, column {column}: {what}."
        if shown:
            text += "".join(f"\n    {row}" for row in marked(shown, column))
        super().__init__(text, advice=suggestion or "Correct the file, then import it again; nothing was changed.")
        self.line = line
        self.column = column
        self.shown = shown
        self.suggestion = suggestion


def fault_at(text: str, place: Place, what: str, name: str, suggestion: str = "") -> RulesFileError:
    """Return the error for a place in the file."""
    return _fault(find_place(text, place), what, name, suggestion)


def not_toml(text: str, error: Exception, name: str) -> RulesFileError:
    """Return the error for a file that cannot be read as TOML."""
    what, suggestion = next(
        (what, suggestion)
        for kind, part, what, suggestion in _TOML_WORDS
        if isinstance(error, kind) and part in str(error)
    )
    if not isinstance(error, toml.ParseError):
        return _fault(Shown(1, 1, ""), what, name, suggestion)
    ended = isinstance(error, (toml.UnexpectedEofError, toml.InvalidControlChar)) or _AT_THE_END in str(error)
    begun = unclosed(text) if ended else None
    if begun is not None:
        return _fault(begun, "the text that begins here is never closed", name, _CLOSE)
    begun = unclosed_list(text) if ended else None
    if begun is not None:
        return _fault(begun, what, name, suggestion)
    rows = text.split("\n")
    row = rows[error.line - 1] if error.line <= len(rows) else ""
    if isinstance(error, toml.UnexpectedCharError) and row.lstrip().startswith("["):
        what, suggestion = "the name of a table is not closed", _TABLE
    elif isinstance(error, toml.UnexpectedCharError) and row[: error.col].rstrip().endswith("="):
        what, suggestion = "this is no value", _QUOTE
    again = re.search(r'Key "(.{1,80})" already exists', str(error))
    what = what if again is None else f"{again[1]!r} is there a second time"
    return _fault(Shown(error.line, error.col + 1, row), what, name, suggestion)


_CLOSE = "Close it with the same quotes. A text of several lines stands between ''' and '''."
_PAIR = 'Write key = "value", with one key on a line.'
_QUOTE = 'A text stands in quotes: key = "value".'
_TABLE = "Write [scope], [[step]] or [step.values]."
_ONE = "Keep one of them."
_AT_THE_END = "'\\x00'"

_TOML_WORDS: tuple[tuple[type[Exception], str, str, str], ...] = (
    (toml.InvalidControlChar, "", "a control character stands in a text", "Take it out, or write it as \\u0007."),
    (toml.UnexpectedEofError, "", "the file ends in the middle of something", _CLOSE),
    (toml.InvalidCharInStringError, "", "this backslash means nothing", "Write \\\\, or use '...' as quotes."),
    (toml.InvalidUnicodeValueError, "", "this is half of a character", "Write the character itself."),
    (toml.EmptyKeyError, "", "a key is missing before the =", _PAIR),
    (toml.EmptyTableNameError, "", "the table has no name", _TABLE),
    (toml.InvalidNumberError, "", "this is not a number", _QUOTE),
    (toml.InvalidNumberOrDateError, "", "this is neither a number nor a date", _QUOTE),
    (toml.InvalidDateError, "", "there is no such day", 'A day in rules is a text: "2026-11-24".'),
    (toml.InvalidDateTimeError, "", "there is no such time", 'A time in rules is a text: "2026-11-24T10:00:00Z".'),
    (toml.InvalidTimeError, "", "there is no such time", 'A time in rules is a text: "10:00".'),
    (toml.UnexpectedCharError, "'\\n'", "the line ends before it is complete", _PAIR),
    (
        toml.UnexpectedCharError,
        _AT_THE_END,
        "the list or table that begins here is never closed",
        "Close it with ] or }.",
    ),
    (RecursionError, "", "this is nested too deeply", ""),
    (Exception, "already exists", "this is there a second time", _ONE),
    (Exception, "Redefinition", "this table is there a second time", _ONE),
    (Exception, "Invalid key", "this is not a key", "A key is a name, or any text in quotes."),
    (Exception, "", "this is not TOML: something else is expected here", _PAIR),
)
"""Kinds of errors of the reader of TOML with a part of its text, and what is said instead; the first that fits."""


def wrong_shape(text: str, error: ValidationError, data: Any, name: str) -> RulesFileError:
    """Return the error for a file whose keys are known and whose values cannot be. Steps are counted from 1."""
    detail = error.errors(include_url=False)[0]
    place = tuple(part for part in detail["loc"] if part not in {"mapping", "script", "Default"})
    in_file = ("step", *place[1:]) if place[:1] == ("steps",) else place
    if _is_script(data, place) and in_file[-1:] == ("source",):
        in_file = (*in_file[:-1], "script")
    key = next((part for part in reversed(in_file) if part in _CHOICES), None)
    what = f"{_called(in_file)} {said(detail['type'], detail.get('ctx'))}"
    suggestion = ""
    if in_file[-1:] and in_file[-1] in _TABLES and detail["type"] in {"dict_type", "model_type"}:
        suggestion = f'Write {_TABLES[str(in_file[-1])]} on a line of its own, and below it: "name" = "value".'
    elif detail["type"] in {"tuple_type", "list_type"}:
        suggestion = f'Write a list: {in_file[-1]} = ["one", "two"].'
    elif key is not None and detail["type"] != "missing":
        in_file = in_file[: in_file.index(key) + 1]
        choices = _CHOICES[str(key)]
        near = closest(str(detail["input"])[:80], choices)
        shown = [repr(choice) for choice in choices] + (["{ default = ... }"] if key == "otherwise" else [])
        what = f"{key!r} is one of {', '.join(shown)}"
        suggestion = f"Did you mean {near!r}?" if near else ""
    return fault_at(text, in_file, what, name, suggestion)


def _called(place: Place) -> str:
    """Name a place in the file: ``step 2: 'values', 'High'``."""
    step = f"step {place[1] + 1}: " if place[:1] == ("step",) and len(place) > 1 and isinstance(place[1], int) else ""
    rest = place[2:] if step else place
    return step + ", ".join(repr(part) if isinstance(part, str) else f"entry {part + 1}" for part in rest)


def _is_script(data: Any, place: Place) -> bool:
    return len(place) > 1 and isinstance(place[1], int) and "target" not in data["steps"][place[1]]


def _fault(at: Shown, what: str, name: str, suggestion: str = "") -> RulesFileError:
    return RulesFileError(what, name=name, line=at.line, column=at.column, shown=at.text, suggestion=suggestion)
