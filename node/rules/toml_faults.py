"""Why a text is not TOML, in the words of this project: the place, what is wrong there, and what to do. Pure.

What the reader of TOML says is for programmers; people who write rules and settings read these sentences instead.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tomlkit import exceptions as toml

from node.rules.toml_places import Shown, marked, twice, unclosed, unclosed_list


@dataclass(frozen=True, slots=True)
class TomlFault:
    """What is wrong at a place, and what to do about it; ``suggestion`` is a sentence, or empty."""

    at: Shown
    what: str
    suggestion: str


def told(at: Shown, what: str, name: str) -> str:
    """Return it as people read it: file, line, column, and below it the line with a mark under the place."""
    rows = marked(at.text, at.column) if at.text else []
    return f"{name}, line {at.line}, column {at.column}: {what}." + "".join(f"\n    {row}" for row in rows)


def toml_fault(text: str, error: Exception, *, tables: str) -> TomlFault:
    """Return what is wrong with a text; ``error`` is what the reader of TOML raised.

    ``tables`` says how tables are written in such a file: ``[scope] or [[step]]``.
    """
    table = f"Write {tables}."
    what, suggestion = next(
        (what, suggestion)
        for kind, part, what, suggestion in _TOML_WORDS
        if isinstance(error, kind) and part in str(error)
    )
    again = twice(text) if suggestion == _ONE else None
    if again is not None:
        return TomlFault(again[1], f"{again[0]!r} is there a second time", suggestion)
    if isinstance(error, toml.EmptyTableNameError):
        suggestion = table
    if not isinstance(error, toml.ParseError):
        return TomlFault(Shown(1, 1, ""), what, suggestion)
    ended = isinstance(error, (toml.UnexpectedEofError, toml.InvalidControlChar)) or _AT_THE_END in str(error)
    begun = _never_closed(text, error, TomlFault(Shown(1, 1, ""), what, suggestion), table) if ended else None
    return begun if begun is not None else _inside(text, error, what, suggestion, table)


def _never_closed(text: str, error: toml.ParseError, fault: TomlFault, table: str) -> TomlFault | None:
    """Return the beginning of what is open at the end of the text, or None; ``fault`` has the words for a list."""
    begun = unclosed(text)
    if begun is not None:
        return TomlFault(begun, "the text that begins here is never closed", _CLOSE)
    begun = unclosed_list(text)
    if begun is None:
        return None
    if isinstance(error, toml.UnexpectedEofError) and begun.text.lstrip().startswith("["):
        return TomlFault(begun, _TABLE, table)
    return replace(fault, at=begun)


def _inside(text: str, error: toml.ParseError, what: str, suggestion: str, table: str) -> TomlFault:
    """Return the place that the reader names, with better words where the line tells more than the reader."""
    rows = text.split("\n")
    row = rows[error.line - 1] if error.line <= len(rows) else ""
    if isinstance(error, toml.UnexpectedCharError):
        if row.lstrip().startswith("["):
            what, suggestion = _TABLE, table
        elif _AT_THE_END in str(error):
            what, suggestion = "the line ends before it is complete", _PAIR
        elif row[: error.col].rstrip().endswith("="):
            what, suggestion = "this is no value", _QUOTE
    return TomlFault(Shown(error.line, error.col + 1, row), what, suggestion)


_CLOSE = "Close it with the same quotes. A text of several lines stands between ''' and '''."
_PAIR = 'Write key = "value", with one key on a line.'
_QUOTE = 'A text stands in quotes: key = "value".'
_TABLE = "the name of a table is not closed"
_ONE = "Keep one of them."
_AT_THE_END = "'\\x00'"

_TOML_WORDS: tuple[tuple[type[Exception], str, str, str], ...] = (
    (toml.InvalidControlChar, "", "a control character stands in a text", "Take it out, or write it as \\u0007."),
    (toml.UnexpectedEofError, "", "the file ends in the middle of something", _CLOSE),
    (toml.InvalidCharInStringError, "", "this backslash means nothing", "Write \\\\, or use '...' as quotes."),
    (toml.InvalidUnicodeValueError, "", "this is half of a character", "Write the character itself."),
    (toml.EmptyKeyError, "", "a key is missing before the =", _PAIR),
    (toml.EmptyTableNameError, "", "the table has no name", ""),
    (toml.InvalidNumberError, "", "this is not a number", _QUOTE),
    (toml.InvalidNumberOrDateError, "", "this is neither a number nor a date", _QUOTE),
    (toml.InvalidDateError, "", "there is no such day", 'A day is a text here: "2026-11-24".'),
    (toml.InvalidDateTimeError, "", "there is no such time", 'A time is a text here: "2026-11-24T10:00:00Z".'),
    (toml.InvalidTimeError, "", "there is no such time", 'A time is a text here: "10:00".'),
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
