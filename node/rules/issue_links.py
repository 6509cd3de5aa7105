"""Links between issues as they travel: only to issues that are in sync on the connection too, by their handles. Pure.

In a replica they are the field ``links``: a list of ``{"type", "outward", "issue"}``, where ``issue`` is the sender's
handle of the other issue and ``outward`` says that the replica's own issue is the one that "blocks".
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from node.rules.model import DraftIssueLink
from node.trackers.issue import Issue, Value

LINKS = "links"
MAX_LINKS = 1_000
"""Links of one issue that are looked at; Jira itself warns far below that."""
_LONGEST = 255


def shared_links(issue: Issue, handles: Mapping[str, str], own: AbstractSet[tuple[str, str]]) -> list[Value]:
    """Return the links that may leave.

    Args:
        issue: ours.
        handles: handles of the issues that are in sync on the connection, by our ids.
        own: (kind, id) of what the sync itself made; its links never go back.
    """
    return [
        {"type": link.type, "outward": link.outward, "issue": handles[link.other_id]}
        for link in issue.links[:MAX_LINKS]
        if link.other_id in handles and ("issue link", link.id) not in own
    ]


def read_links(value: Value) -> tuple[DraftIssueLink, ...]:
    """Return the links of a replica, in the peer's words; what is no link is left out."""
    found: dict[str, DraftIssueLink] = {}
    for entry in value[:MAX_LINKS] if isinstance(value, list) else []:
        if not isinstance(entry, dict):
            continue
        issue, kind, outward = entry.get("issue"), entry.get("type"), entry.get("outward")
        if _is_name(issue) and _is_name(kind) and isinstance(outward, bool):
            link = DraftIssueLink(issue=str(issue), type=str(kind), outward=outward)
            found[link.handle] = link
    return tuple(found.values())


def _is_name(value: Value) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST
