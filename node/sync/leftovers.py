"""Finds out what became of calls that nobody makes again: their message was skipped or held, or its connection closed.

What such a call made on our issue is a copy of something of the peer's; known as that, it never goes back as ours. A
file carries no marker: one whose upload was cut and then given up counts as a file of our people.
"""

from __future__ import annotations

from collections.abc import Sequence

from node.store import links, steps
from node.store.port import Transaction
from node.store.steps import OnIssue
from node.sync.issue_links import find_by_marker, store_issue_link
from node.sync.plan import ISSUE_LINK, UNKNOWN, AddIssueLink, TwinItem
from node.sync.site import Site


async def adopt_leftovers(site: Site, issue_id: str, left: Sequence[OnIssue]) -> None:
    """Probe each call by its marker, remember what it made, and end it.

    Raises:
        TrackerError: the tracker could not be asked; what was not found out stays open.
    """
    for one in left:
        kind, _, handle = one.step.key.partition(":")
        item_id: str | None = None
        linked: AddIssueLink | None = None
        if kind == "comment":
            item_id = await site.tracker.find_comment(issue_id, one.step.marker)
        elif kind == "worklog":
            item_id = await site.tracker.find_worklog(issue_id, one.step.marker)
        elif kind == ISSUE_LINK:
            item_id, linked = await find_by_marker(site, issue_id, one.step.marker)
        made = None if item_id is None else TwinItem(kind, handle, item_id, UNKNOWN)

        async def end(
            tx: Transaction, one: OnIssue = one, made: TwinItem | None = made, linked: AddIssueLink | None = linked
        ) -> None:
            await steps.end(tx, one.connection_id, one.step.issue, one.step.key)
            if made is not None and linked is not None:
                await store_issue_link(
                    tx, one.link_id, made, linked, connection_id=one.connection_id, peer_issue=one.step.issue
                )
            elif made is not None:
                await links.put_item(tx, one.link_id, made)

        await site.store.write(end)
