"""What rules know besides the issue or replica that they are evaluated on. Plain values and ports."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from node.rules.facts import TrackerFacts
from node.rules.helpers import Twins
from node.trackers.issue import Issue
from protocol.replica import Replica


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingContext:
    """What the outgoing rules know besides the issue.

    ``first_sync``: nothing was sent for this issue yet. ``linked``: it is in sync already, so the scope does not
    matter. ``previous``: the content that was sent last, with ``fields`` in it. ``own_items``: (kind, our tracker's
    id) of what the sync itself wrote into the issue, kinds being ``comment``, ``attachment`` and ``worklog``; ids alone
    would not do, because a comment and a file may have the same one. Custom fields leave only with ``facts``: a field
    that Jira no longer has is not an empty one, and a user id is not a text.
    """

    first_sync: bool
    linked: bool = False
    previous: Mapping[str, Any] | None = None
    connection: str = ""
    own_items: AbstractSet[tuple[str, str]] = frozenset()
    facts: TrackerFacts | None = None
    twins: Twins | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IncomingContext:
    """What the incoming rules know besides the replica.

    ``first_sync``: our issue is not linked yet. ``issue``: our issue, None when it will be created.
    ``previous``: the replica before this one. ``project``: where an issue would be created. ``may_create``: what
    scripts may have made in our Jira, words of ``fields.CREATABLE``.
    """

    first_sync: bool
    project: str
    facts: TrackerFacts
    issue: Issue | None = None
    previous: Replica | None = None
    default_type: str | None = None
    may_create: AbstractSet[str] = frozenset()
    connection: str = ""
    twins: Twins | None = None
