"""What has been seen of one workflow of our Jira: which transitions lead out of which status. Pure.

Jira tells only the transitions out of an issue's current status, so a workflow is learned by the way, and a way that is
known costs no question. What is known may be out of date or closed to one issue: it is a guide, and Jira decides.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence

from node.trackers.base import Transition
from node.trackers.issue import Value

Usable = Callable[[Transition], bool]


class Workflow:
    """The ways from status to status that were seen; the case of their names does not count."""

    def __init__(self) -> None:
        self._ways: dict[str, tuple[Transition, ...]] = {}

    def learn(self, status: str, offered: Sequence[Transition]) -> None:
        """Remember which transitions lead out of a status."""
        self._ways[status.casefold()] = tuple(offered)

    def forget(self, status: str) -> None:
        """Forget what leads out of a status: it turned out not to be so."""
        self._ways.pop(status.casefold(), None)

    def out_of(self, status: str) -> tuple[Transition, ...] | None:
        """Return the transitions out of a status, or None where that was never seen."""
        return self._ways.get(status.casefold())

    def into(self, status: str) -> list[Transition]:
        """Return all transitions that lead to a status, from wherever."""
        wanted = status.casefold()
        return [one for ways in self._ways.values() for one in ways if one.to_status.casefold() == wanted]

    def route(self, start: str, goal: Callable[[str], bool], usable: Usable) -> list[Transition] | None:
        """Return the shortest known way to the nearest status that ``goal`` accepts (in small letters), if any."""
        begin = start.casefold()
        seen = {begin}
        ways: deque[tuple[str, list[Transition]]] = deque([(begin, [])])
        while ways:
            here, way = ways.popleft()
            if goal(here):
                return way
            for one in self._ways.get(here, ()):
                there = one.to_status.casefold()
                if there not in seen and usable(one):
                    seen.add(there)
                    ways.append((there, [*way, one]))
        return None


class Workflows:
    """The workflows of our Jira, one for each type of issue in each project."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Workflow] = {}

    def of(self, project: str, issue_type: str) -> Workflow:
        """Return what is known of a workflow; at first that is nothing."""
        return self._known.setdefault((project.casefold(), issue_type.casefold()), Workflow())


def missing(transition: Transition, given: Mapping[str, Value]) -> list[str]:
    """Name the fields that a transition's screen asks for and that nobody gave."""
    return [name for name in transition.required if given.get(name) in (None, "", [])]
