"""Plans links between issues of ours: which to make, and which of those that the sync made to remove. Pure.

A link that people made is left alone, and not made a second time. One that the sync made and people removed is not made
again, until the peer's people remove and make it anew. The other issue is in sync on the same connection; until it is,
there is nothing to link with, and `node.sync.incoming` sees to it that we look again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

from node.rules.model import Draft
from node.sync.plan import ISSUE_LINK, OTHER_END, AddIssueLink, ClaimIssueLink, Operation, Remove, TwinItem
from node.trackers.issue import Issue


def plan_issue_links(
    draft: Draft,
    items: Sequence[TwinItem],
    *,
    others: Mapping[str, str],
    ours: Issue | None,
    made: AbstractSet[tuple[str, str]],
    begun: AbstractSet[str] = frozenset(),
) -> list[Operation]:
    """Plan links; a draft without any says nothing about them.

    Args:
        draft: what the rules want.
        items: what the sync made on our issue by this peer's wish.
        others: ids of our issues by the peer's handles of their twins.
        ours: our issue as it is known, None while it does not exist.
        made: (kind, id) of all that any sync made on our issue, seen from either end of a link.
        begun: handles of links that a call of ours may have made without our knowing: what is there may be ours.
    """
    if draft.links is None:
        return []
    known = {item.handle: item for item in items if item.kind == ISSUE_LINK}
    by_people = {
        (link.type.casefold(), link.outward, link.other_id)
        for link in (ours.links if ours is not None else ())
        if (ISSUE_LINK, link.id) not in made
    }
    operations: list[Operation] = []
    for link in draft.links:
        item, other = known.get(link.handle), others.get(link.issue)
        if item is not None:
            operations += [ClaimIssueLink(item)] if item.digest == OTHER_END else []
        elif other is not None:
            theirs = (link.type.casefold(), link.outward, other) in by_people
            operations += [AddIssueLink(link, other)] if link.handle in begun or not theirs else []
    wanted = {link.handle for link in draft.links}
    gone = [item for handle, item in known.items() if handle not in wanted and item.digest != OTHER_END]
    return [*operations, *map(Remove, gone)]
