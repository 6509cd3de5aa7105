"""Decides whether an issue enters sync by itself, on one connection. Pure.

An issue enters where the outgoing rules are automatic and it is in their scope, once: one that was ever linked there
stays out after its link ended. What the sync itself made for a peer enters no other connection by itself. While the
sync is making an issue, nobody can tell yet whether a new one is that; so a new one waits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from node.rules.ruleset import RuleSet
from node.rules.scope import mismatch, seen_of_issue
from node.trackers.issue import Issue

CLOCK_SKEW_MS = 300_000
"""How far the tracker's clock may be behind ours when it says when an issue was created."""


class Decision(Enum):
    """What to do about one issue on one connection."""

    ENTER = "enter"
    STAY = "stay"
    WAIT = "wait"


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of an issue, read at one moment.

    ``links``: connections that it is or was linked on, and whether the sync made it there. ``creating``: since when
    the sync is making issues whose links are not stored yet, in milliseconds since 1970 UTC by our clock.
    """

    links: Mapping[int, bool]
    creating: Sequence[int]


def watched(ruleset: RuleSet, project: str) -> frozenset[str]:
    """Return the projects whose issues may enter by these rules: those of the scope, else the connection's own."""
    return frozenset(ruleset.scope.project or (project,))


def decide(issue: Issue, *, connection_id: int, project: str, ruleset: RuleSet, known: Known) -> Decision:
    """Decide on one connection. ``project`` is the connection's own."""
    if ruleset.method != "automatic" or connection_id in known.links or any(known.links.values()):
        return Decision.STAY
    if issue.project.casefold() not in {name.casefold() for name in watched(ruleset, project)}:
        return Decision.STAY
    if mismatch(ruleset.scope, seen_of_issue(issue)) is not None:
        return Decision.STAY
    created_ms = issue.created.timestamp() * 1000
    if not known.links and any(created_ms >= since - CLOCK_SKEW_MS for since in known.creating):
        return Decision.WAIT
    return Decision.ENTER
