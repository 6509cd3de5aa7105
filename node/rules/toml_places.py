"""Finds the line of a key in a TOML text, for messages only. Pure; never judges whether the text is right."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TypeAlias

Place: TypeAlias = tuple[str | int, ...]
"""A path such as ``("step", 2, "when")``; numbers count from 0."""

_HEADER = re.compile(r"^\s*(\[\[|\[)\s*([^\[\]]+?)\s*(?:\]\]|\])")
_KEY = re.compile(r"""^\s*("(?:[^"\\]|\\.)*"|'[^']*'|[A-Za-z0-9_-]+)\s*=""")
_LONG = re.compile(r"\"\"\"|'''")


def find_place(text: str, place: Place) -> tuple[int, int, str]:
    """Return line and column (from 1) of the deepest part of the place that is written, and the line itself."""
    lines = text.split("\n")
    best, found = 0, (1, 1)
    for path, line, column in _written(lines):
        depth = len(path)
        if depth > best and path == place[:depth]:
            best, found = depth, (line, column)
    return (*found, lines[found[0] - 1])


def _written(lines: list[str]) -> Iterator[tuple[Place, int, int]]:
    """Walk over tables and keys with their paths."""
    table: Place = ()
    counts: dict[str, int] = {}
    quote = ""
    for number, line in enumerate(lines, start=1):
        if quote:
            quote = "" if line.count(quote) % 2 else quote
            continue
        header, key = _HEADER.match(line), _KEY.match(line)
        if header is not None:
            name = header[2]
            if header[1] == "[[":
                counts[name] = counts.get(name, -1) + 1
            table = _path(name, counts)
            yield table, number, header.start(2) + 1
        elif key is not None:
            yield (*table, _unquoted(key[1])), number, key.start(1) + 1
        long = _LONG.search(line)
        if long is not None and line.count(long[0]) % 2:
            quote = long[0]


def _path(name: str, counts: dict[str, int]) -> Place:
    path: list[str | int] = []
    for part in name.split("."):
        path.append(_unquoted(part.strip()))
        dotted = ".".join(str(piece) for piece in path if isinstance(piece, str))
        if dotted in counts:
            path.append(counts[dotted])
    return tuple(path)


def _unquoted(key: str) -> str:
    return key[1:-1].replace('\\"', '"') if key[:1] in {'"', "'"} else key
