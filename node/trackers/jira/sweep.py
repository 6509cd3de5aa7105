"""Walks through the issues that were updated since some time, page by page, while they go on being updated. Pure.

Numbering pages (``startAt``) loses issues: one that is updated meanwhile moves to the end of the order, the others
move up, and the first of the next page is never seen. So each page starts at the second of the last issue seen
before. Where a whole page was updated in one second, as by a bulk change, that second is walked by numbers; if its
count changes on the way, it is walked again. Issues may therefore come twice, but none is left out.

    1795500000000        everything from this second on
    1795500000000:50:700 this second alone, from its 50th issue on; it had 700 (0:0 where that is not known yet)
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from node.errors import UsageError

_CURSOR = re.compile(r"([0-9]{1,18})(?::([0-9]{1,12}):([0-9]{1,12}))?", re.ASCII)
SECOND_MS = 1000
"""Some Jiras keep milliseconds in an issue but not in the index, so times are compared in whole seconds."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sweep stands: ``since_ms`` is a whole second; ``start`` is None outside of a crowded second."""

    since_ms: int
    start: int | None = None
    expected: int = 0

    @classmethod
    def parse(cls, cursor: str) -> Place:
        """Read a cursor. Raises UsageError where it is none."""
        found = _CURSOR.fullmatch(cursor)
        if found is None:
            raise UsageError("That is not a cursor of a sweep in this tracker.")
        since = int(found[1]) // SECOND_MS * SECOND_MS
        return cls(since) if found[2] is None else cls(since, int(found[2]), int(found[3]))

    @property
    def condition(self) -> str:
        """The query's condition; a bare number is an absolute time, where text is read in our user's zone."""
        upper = "" if self.start is None else f" AND updated < {self.since_ms + SECOND_MS}"
        return f"updated >= {self.since_ms}{upper}"

    def next(self, updated_ms: Sequence[int], total: int) -> str | None:
        """Return the cursor of the next page, or None at the end.

        Args:
            updated_ms: when the issues of this page were updated, in their order.
            total: how many issues the query has.
        """
        if self.start is None:
            if not updated_ms or len(updated_ms) >= total:
                return None
            last = updated_ms[-1] // SECOND_MS * SECOND_MS
            return f"{last}" if last > self.since_ms else f"{self.since_ms}:0:0"
        if self.start > 0 and total != self.expected:
            return f"{self.since_ms}:0:0"
        seen = self.start + len(updated_ms)
        if not updated_ms or seen >= total:
            return f"{self.since_ms + SECOND_MS}"
        return f"{self.since_ms}:{seen}:{total}"
