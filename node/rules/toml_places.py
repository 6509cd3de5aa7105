"""Finds the line of a key or a value in a TOML text, for messages only. Pure; never judges whether the text is right.

The reader of TOML keeps no positions, so this walks over the same text once more, when there is something to tell.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import TypeAlias

Place: TypeAlias = tuple[str | int, ...]
"""A path such as ``("step", 2, "when")``; numbers count from 0."""

_WIDTH = 160
"""Characters of a line that are shown; of a longer one, those around the place."""
_TOKEN = re.compile(
    r'''(?P<text>"""(?:[^\\]|\\.)*?"{3,5}|\'\'\'.*?'{3,5}|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')'''
    r"""|(?P<quote>\"{3}|'{3}|["'])|(?P<nothing>[ \t\r]+|\#[^\n]*)|(?P<end>\n)|(?P<mark>[\[\]{}=,.])"""
    r"""|(?P<bare>[^\s\[\]{}=,."'\#]+|.)""",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Shown:
    """A place as people find it: line and column from 1, and the line as written."""

    line: int
    column: int
    text: str


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


def find_place(text: str, place: Place, *, value: bool = False) -> Shown:
    """Return where the deepest part of the place is written: its key, or with ``value`` what stands behind the ``=``.

    Only the whole place has a value; where just a part of it is written, that part's key is shown.
    """
    walk = _walked(text)
    for length in range(len(place), 0, -1):
        path = place[:length]
        if value and length == len(place) and path in walk.values:
            return walk.lines.shown(walk.values[path])
        if path in walk.keys:
            return walk.lines.shown(walk.keys[path])
        if path in walk.values:
            return walk.lines.shown(walk.values[path])
    return walk.lines.shown(0)


def find_line_of_text(text: str, place: Place, line: int, column: int, written: str) -> Shown | None:
    """Return where a line of a long text is in the file, or None where the file does not show that line as it is.

    ``line`` and ``column`` count within the text; ``written`` is the beginning of that line or all of it.
    """
    walk = _walked(text)
    begin = walk.values.get(place)
    if begin is None:
        return None
    opening = walk.lines.shown(begin)
    below = int(opening.text[opening.column - 1 :].rstrip("\r") in {"'''", '"""'})
    number = opening.line + below + line - 1
    if number > len(walk.lines.rows):
        return None
    row = walk.lines.rows[number - 1]
    moved = row.find(written)
    return None if moved < 0 else Shown(number, column + moved, row)


def unclosed(text: str) -> Shown | None:
    """Return where a text begins that is never closed, or None."""
    begin = next((found.start() for found in _TOKEN.finditer(text) if found.lastgroup == "quote"), None)
    return None if begin is None else _Lines(text).shown(begin)


def unclosed_list(text: str) -> Shown | None:
    """Return where the innermost list or table on one line begins that is never closed, or None."""
    begun: list[int] = []
    for found in _TOKEN.finditer(text):
        if found.lastgroup == "mark" and found[0] in "[{":
            begun.append(found.start())
        elif found.lastgroup == "mark" and found[0] in "]}" and begun:
            begun.pop()
    return _Lines(text).shown(begun[-1]) if begun else None


def twice(text: str) -> tuple[str, Shown] | None:
    """Return the first key or table that is there a second time, and where, or None."""
    walk = _walked(text)
    return None if walk.again is None else (walk.again[0], walk.lines.shown(walk.again[1]))


def marked(shown: str, column: int) -> tuple[str, str]:
    """Return a line, cut where it is very long, and the line below it with a mark under the column."""
    cut = max(0, column - 1 - _WIDTH // 2) if len(shown) > _WIDTH else 0
    row = shown[cut : cut + _WIDTH].replace("\t", " ")
    before, after = "…" if cut else "", "…" if len(shown) > cut + _WIDTH else ""
    return f"{before}{row}{after}", f"{' ' * (column - 1 - cut + len(before))}^"


class _Lines:
    """The lines of a text, and where each begins."""

    def __init__(self, text: str) -> None:
        self.rows = text.split("\n")
        self._begins = [0, *accumulate(len(row) + 1 for row in self.rows[:-1])]

    def shown(self, offset: int) -> Shown:
        """Return the line and column of a character."""
        number = bisect_right(self._begins, offset) - 1
        return Shown(number + 1, offset - self._begins[number] + 1, self.rows[number])


@lru_cache(maxsize=2)
def _walked(text: str) -> _Walk:
    walk = _Walk(text)
    walk.statements()
    return walk


class _Walk:
    """One walk over tables, keys and values; stops quietly where the text is no TOML."""

    def __init__(self, text: str) -> None:
        self._tokens = [
            _Token(found.lastgroup or "", found[0], found.start())
            for found in _TOKEN.finditer(text)
            if found.lastgroup != "nothing"
        ]
        self._next = 0
        self.lines = _Lines(text)
        self.keys: dict[Place, int] = {}
        self.values: dict[Place, int] = {}
        self.again: tuple[str, int] | None = None
        """The first key or table that is there a second time, and where."""

    def statements(self) -> None:
        table: Place = ()
        counts: dict[Place, int] = {}
        while (token := self._peek()) is not None:
            if token.kind == "end":
                self._next += 1
            elif token.text == "[":
                table = self._header(counts)
            else:
                self._pair(table)

    def _peek(self) -> _Token | None:
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    def _take(self, text: str) -> bool:
        token = self._peek()
        if token is None or token.text != text or token.kind not in {"mark", "end"}:
            return False
        self._next += 1
        return True

    def _header(self, counts: dict[Place, int]) -> Place:
        self._take("[")
        many = self._take("[")
        path: Place = ()
        names = self._names()
        for name, _ in names:
            path = (*path, name)
            last = len(names) == sum(isinstance(part, str) for part in path)
            if many and last:
                counts[path] = counts.get(path, -1) + 1
            if path in counts:
                path = (*path, counts[path])
        if names:
            self._key(path, names[-1][0], names[0][1])
        while (token := self._peek()) is not None and token.kind != "end":
            self._next += 1
        return path

    def _names(self) -> list[tuple[str, int]]:
        """Read a key, which may have dots in it."""
        names = []
        while (token := self._peek()) is not None and token.kind in {"text", "bare"}:
            names.append((_unquoted(token.text), token.at))
            self._next += 1
            if not self._take("."):
                break
        return names

    def _pair(self, table: Place) -> None:
        names = self._names()
        path = table
        for name, at in names[:-1]:
            path = (*path, name)
            self.keys.setdefault(path, at)
        if names:
            path = (*path, names[-1][0])
            self._key(path, *names[-1])
        if names and self._take("="):
            self._value(path)
        else:
            self._next += 1

    def _key(self, path: Place, name: str, at: int) -> None:
        if self.keys.setdefault(path, at) != at and self.again is None:
            self.again = name, at

    def _value(self, path: Place) -> None:
        token = self._peek()
        if token is None:
            return
        self.values.setdefault(path, token.at)
        if self._take("["):
            self._several(path, "]")
        elif self._take("{"):
            self._several(path, "}")
        else:
            while (token := self._peek()) is not None and token.kind != "end" and token.text not in {",", "]", "}"}:
                self._next += 1

    def _several(self, path: Place, close: str) -> None:
        """Read the entries of a list or of a table on one line."""
        number = 0
        while (token := self._peek()) is not None and not self._take(close):
            if token.kind == "end" or token.text == ",":
                self._next += 1
            elif close == "]":
                before = self._next
                self._value((*path, number))
                number += 1
                self._next = max(self._next, before + 1)
            else:
                self._pair(path)


def _unquoted(key: str) -> str:
    if key[:1] == '"':
        try:
            return str(json.loads(key))
        except ValueError:
            return key[1:-1]
    return key[1:-1] if key[:1] == "'" else key
