"""Links issues of ours by a peer's wish, and knows its own links from those of people. Intents are its caller's.

Jira answers a link without its id and takes one that is there already, so it is looked up before and after. A link that
is found before the call is ours only if the sync made it from its other end, or if a call of ours may have made it.
"""

from __future__ import annotations

import json
from contextlib import suppress

from node.errors import TrackerNotFound
from node.rules.model import DraftIssueLink
from node.store import links
from node.store.port import Transaction
from node.sync.plan import ISSUE_LINK, AddIssueLink, TwinItem
from node.sync.site import Site


def issue_link_marker(operation: AddIssueLink) -> str:
    """Return the marker of the intent: all that is needed to find the link again."""
    link = operation.link
    return json.dumps([link.issue, link.type, link.outward, operation.other_id], ensure_ascii=False)


async def find_by_marker(site: Site, issue_id: str, marker: str) -> tuple[str | None, AddIssueLink]:
    """Return the id of the link that a call may have made, if it did, and what the call was.

    Raises:
        TrackerError: our tracker could not be asked.
    """
    issue, kind, outward, other_id = json.loads(marker)
    operation = AddIssueLink(DraftIssueLink(issue=issue, type=kind, outward=outward), other_id)
    return await site.tracker.find_issue_link(issue_id, kind, other_id, outward=outward), operation


async def drop_begun(site: Site, issue_id: str, marker: str) -> None:
    """Remove the link that a call of an earlier plan may have made.

    One that is known as ours by now was made from its other end at the same time, and is that end's to remove.

    Raises:
        TrackerError: our tracker could not be asked.
    """
    found, _ = await find_by_marker(site, issue_id, marker)
    if found is None or await site.store.read(lambda tx: links.is_our_issue_link(tx, found)):
        return
    with suppress(TrackerNotFound):
        await site.tracker.delete_issue_link(found)


async def store_issue_link(
    tx: Transaction, link_id: int, item: TwinItem, operation: AddIssueLink, *, connection_id: int, peer_issue: str
) -> None:
    """Store a link as ours at both its ends. ``peer_issue`` is the peer's handle of our issue's twin."""
    await links.put_issue_link(
        tx,
        link_id,
        item,
        connection_id=connection_id,
        other_id=operation.other_id,
        seen_there=operation.link.seen_from(peer_issue).handle,
    )


async def make_issue_link(site: Site, issue_id: str, operation: AddIssueLink, *, begun: bool) -> TwinItem | None:
    """Link two issues; return what is ours then, or None where people have linked them already.

    Args:
        site: the house.
        issue_id: our issue.
        operation: the link.
        begun: whether a call of ours may have made it before.

    Raises:
        TrackerError: it cannot be done, or not now.
    """
    link, other = operation.link, operation.other_id
    async with site.locks.hold(f"issue link:{'/'.join(sorted([issue_id, other]))}"):
        found = await site.tracker.find_issue_link(issue_id, link.type, other, outward=link.outward)
        if found is not None:
            known = found
            if not begun and not await site.store.read(lambda tx: links.is_our_issue_link(tx, known)):
                return None
        else:
            found = await site.tracker.add_issue_link(issue_id, link.type, other, outward=link.outward)
    return TwinItem(ISSUE_LINK, link.handle, found, "")
