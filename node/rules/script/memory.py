"""Remembers evaluations, so that an input that did not change is not evaluated again. Bounded; nothing is stored."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from node.rules.script.engine import HelperCall

MAX_ENTRIES = 4_096
MAX_CHARACTERS = 32 << 20


@dataclass(frozen=True, slots=True)
class Remembered:
    """What the box answered (JSON text), what it logged, and what it asked on the way."""

    answer: str
    log: tuple[str, ...]
    calls: tuple[HelperCall, ...]


class Memory:
    """The latest evaluations by the digest of script and input."""

    def __init__(self, *, entries: int = MAX_ENTRIES, characters: int = MAX_CHARACTERS) -> None:
        self._entries = entries
        self._characters = characters
        self._held = 0
        self._kept: OrderedDict[Any, Remembered] = OrderedDict()

    def get(self, key: Any) -> Remembered | None:
        """Return what is remembered, if anything, and keep it longer."""
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def put(self, key: Any, value: Remembered) -> None:
        """Remember; the oldest go where there is no room."""
        self.forget(key)
        self._kept[key] = value
        self._held += _size(value)
        while self._kept and (len(self._kept) > self._entries or self._held > self._characters):
            _, old = self._kept.popitem(last=False)
            self._held -= _size(old)

    def forget(self, key: Any) -> None:
        """Remember no longer."""
        old = self._kept.pop(key, None)
        if old is not None:
            self._held -= _size(old)


def _size(value: Remembered) -> int:
    return len(value.answer) + sum(map(len, value.log)) + 200 * (1 + len(value.calls))
