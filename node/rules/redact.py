"""Replaces people in a recorded case by made-up ones, the same person by the same one everywhere. Pure.

Names, user ids and e-mail addresses of everybody who appears as a user go, wherever they stand; so does every e-mail
address in a text. What people wrote stays: a name that appears nowhere as a user is not known to be one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from node.rules.guard import ADDRESS

_MADE_UP = re.compile(r"person\d+@example\.com")
_SHORTEST = 3
"""Characters of a name or id from which on it is replaced within texts: shorter ones are parts of words."""
_AUTHORS = ("author", "author_email", "author_name")


def redact(data: Any) -> Any:
    """Return JSON with every person replaced."""
    people = _people(data)
    table: dict[str, str] = {}
    for number, person in enumerate(people, start=1):
        made_up = {"id": f"person{number}", "display_name": f"Person {number}", "email": f"person{number}@example.com"}
        for kind, text in person.items():
            table.setdefault(text, made_up[kind])
    return _replace(data, _Table(table))


class _Table:
    """What is replaced by what; addresses that are met on the way are added."""

    def __init__(self, table: dict[str, str]) -> None:
        self.whole = table
        within = sorted((text for text in table if len(text) >= _SHORTEST), key=len, reverse=True)
        self._within = re.compile(
            "|".join(rf"(?<![A-Za-z0-9]){re.escape(text)}(?![A-Za-z0-9])" for text in within) or r"(?!)"
        )
        self._others: dict[str, str] = {}

    def replace(self, text: str) -> str:
        if text in self.whole:
            return self.whole[text]
        known = self._within.sub(lambda found: self.whole[found[0]], text)
        return ADDRESS.sub(lambda found: self._address(found[0]), known)

    def _address(self, address: str) -> str:
        if _MADE_UP.fullmatch(address):
            return address
        return self._others.setdefault(address, f"address{len(self._others) + 1}@example.com")


def _people(data: Any) -> list[dict[str, str]]:
    """Collect everybody who appears as a user or author; one who shares a text with another is the same person."""
    found: list[dict[str, str]] = []
    for person in _walk(data):
        texts = {kind: text for kind, text in person.items() if text}
        same = next((one for one in found if set(one.values()) & set(texts.values())), None)
        if same is None:
            found.append(texts)
        else:
            for kind, text in texts.items():
                same.setdefault(kind, text)
    return found


def _walk(data: Any) -> Iterator[dict[str, str]]:
    if isinstance(data, dict):
        if isinstance(data.get("display_name"), str):
            yield {kind: data[kind] for kind in ("id", "display_name", "email") if isinstance(data.get(kind), str)}
        if isinstance(data.get("author"), str):
            email = data.get("author_email")
            yield {"display_name": data["author"], **({"email": email} if isinstance(email, str) else {})}
        for value in data.values():
            yield from _walk(value)
    elif isinstance(data, list):
        for item in data:
            yield from _walk(item)


def _replace(data: Any, table: _Table) -> Any:
    if isinstance(data, dict):
        return {table.replace(key): _replace(value, table) for key, value in data.items()}
    if isinstance(data, list):
        return [_replace(item, table) for item in data]
    return table.replace(data) if isinstance(data, str) else data
