"""Replaces people in a recorded case by made-up ones, the same person by the same one everywhere. Pure.

Names, user ids and e-mail addresses of everybody who appears as a user go, wherever they stand; so does every e-mail
address in a text. What people wrote stays: a name that appears nowhere as a user is not known to be one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from node.rules.guard import ADDRESS

_MADE_UP = re.compile(r"person\d+@example\.com")
_SHORTEST = 3
"""Characters of a name or id from which on it is replaced within texts: shorter ones are parts of words."""
_PEOPLE = ("assignee", "reporter", "creator", "author_name")
"""Names under which somebody stands by a text."""


def redact(data: Any) -> Any:
    """Return JSON with every person replaced."""
    return Redactor(data).replace(data)


class Redactor:
    """Replaces the people of some JSON, there and in whatever else is about them.

    Args:
        data: where everybody appears as a user or author.
        asked: names that rules looked up, with the user that was found or None: a name that a user map knows appears
            nowhere as a user.
        kept: tells of a text whether it stays, because the rules themselves name somebody by it.
    """

    def __init__(
        self, data: Any, *, asked: Mapping[str, Any] | None = None, kept: Callable[[str], bool] = lambda _: False
    ) -> None:
        looked_up = ({**_user(user), "alias": name} for name, user in (asked or {}).items())
        self._table = _Table(_made_up(_people([*_walk(data), *looked_up]), kept))
        self.words = frozenset(
            word for text, made_up in self._table.whole.items() if text != made_up for word in words_of(text)
        )
        """All words of the names that are replaced, in lower case."""

    def replace(self, data: Any) -> Any:
        """Return JSON with every person replaced."""
        return _replace(data, self._table)


def words_of(text: str) -> list[str]:
    """Return the words of a text in lower case."""
    return re.findall(r"\w+", text.casefold())


def _made_up(people: Sequence[dict[str, str]], kept: Callable[[str], bool]) -> dict[str, str]:
    table: dict[str, str] = {}
    for number, person in enumerate(people, start=1):
        address = f"person{number}@example.com"
        made_up = {"id": f"person{number}", "display_name": f"Person {number}", "email": address}
        for text, kind in person.items():
            alias = address if ADDRESS.fullmatch(text) else f"Person {number}"
            table.setdefault(text, text if kept(text) else made_up.get(kind, alias))
    return table


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


def _people(persons: Iterable[dict[str, str]]) -> list[dict[str, str]]:
    """Collect everybody, each as texts with what they are; one who shares a text with another is the same person."""
    found: list[dict[str, str]] = []
    for person in persons:
        texts = {text: kind for kind, text in person.items() if text}
        same = [one for one in found if one.keys() & texts.keys()]
        if not same:
            found.append(texts)
            continue
        for other in (*same[1:], texts):
            same[0].update({text: kind for text, kind in other.items() if text not in same[0]})
        found = [one for one in found if not any(one is other for other in same[1:])]
    return found


def _walk(data: Any) -> Iterator[dict[str, str]]:
    if isinstance(data, dict):
        if isinstance(data.get("display_name"), str):
            yield _user(data)
        for name in _PEOPLE:
            if isinstance(data.get(name), str):
                yield {"alias": data[name]}
        if isinstance(data.get("author"), str):
            email = data.get("author_email")
            yield {"display_name": data["author"], **({"email": email} if isinstance(email, str) else {})}
        for value in data.values():
            yield from _walk(value)
    elif isinstance(data, list):
        for item in data:
            yield from _walk(item)


def _user(data: Any) -> dict[str, str]:
    if not isinstance(data, dict):
        return {}
    return {kind: data[kind] for kind in ("id", "display_name", "email") if isinstance(data.get(kind), str)}


def _replace(data: Any, table: _Table) -> Any:
    if isinstance(data, dict):
        return {table.replace(key): _replace(value, table) for key, value in data.items()}
    if isinstance(data, list):
        return [_replace(item, table) for item in data]
    return table.replace(data) if isinstance(data, str) else data
