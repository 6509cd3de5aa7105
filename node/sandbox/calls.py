"""What was asked of the sandbox: every REST call by method and route, with who asked.

Counts calls of ``/rest/`` and ``/secure/`` only; the sandbox's own pages and controls are not Jira's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

READ_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
READING_POSTS = frozenset({"/rest/api/2/search", "/rest/api/2/worklog/list"})
"""Routes that are asked by POST and change nothing."""


@dataclass(frozen=True, slots=True)
class Call:
    """One kind of call. ``route`` is a template, such as ``/rest/api/2/issue/{issue}``."""

    method: str
    route: str
    status: int
    user: str
    agent: str

    @property
    def writes(self) -> bool:
        """Return whether calls of this kind change something."""
        return self.method not in READ_METHODS and self.route not in READING_POSTS


class CallCounter:
    """Counts calls until it is cleared."""

    def __init__(self) -> None:
        self._counts: Counter[Call] = Counter()

    def add(self, call: Call) -> None:
        """Count one call."""
        self._counts[call] += 1

    def clear(self) -> None:
        """Start again from nothing."""
        self._counts.clear()

    def count(
        self,
        method: str | None = None,
        route: str | None = None,
        *,
        writes: bool | None = None,
        user: str | None = None,
    ) -> int:
        """Return how many calls fit; a route may be given without ``/rest/api/2``."""
        wanted = {route, f"/rest/api/2{route}"} if route is not None else None
        return sum(
            amount
            for call, amount in self._counts.items()
            if (method is None or call.method == method)
            and (wanted is None or call.route in wanted)
            and (writes is None or call.writes is writes)
            and (user is None or call.user == user)
        )

    def by_route(self, user: str | None = None) -> dict[str, int]:
        """Return the counts by ``METHOD route``, the most frequent first; of one user's calls if a name is given."""
        counts: Counter[str] = Counter()
        for call, amount in self._counts.items():
            if user is None or call.user == user:
                counts[f"{call.method} {call.route}"] += amount
        return dict(counts.most_common())

    def routes(self, user: str | None = None) -> list[dict[str, Any]]:
        """Return each method and route with its count and whether it writes, the most frequent first."""
        writes = {f"{call.method} {call.route}": call.writes for call in self._counts}
        return [
            {"method": name.partition(" ")[0], "route": name.partition(" ")[2], "count": count, "writes": writes[name]}
            for name, count in self.by_route(user).items()
        ]

    def report(self, user: str | None = None) -> dict[str, Any]:
        """Return all that is known, as JSON; ``byRoute`` and ``routes`` only of ``user``'s calls if a name is given."""
        return {
            "total": sum(self._counts.values()),
            "reads": self.count(writes=False),
            "writes": self.count(writes=True),
            "byRoute": self.by_route(user),
            "routes": self.routes(user),
            "byUser": _sum_by((call.user, amount) for call, amount in self._counts.items()),
            "byAgent": _sum_by((call.agent, amount) for call, amount in self._counts.items()),
            "byStatus": _sum_by((str(call.status), amount) for call, amount in self._counts.items()),
        }


def _sum_by(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for name, amount in pairs:
        counts[name] += amount
    return dict(counts.most_common())
