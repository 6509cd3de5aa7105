"""What rules are told besides the issue or replica, alike in a sync and in a preview of one. Reads, never writes."""

from __future__ import annotations

from node.rules.contexts import IncomingContext, OutgoingContext
from node.rules.helpers import Twins
from node.store import links
from node.store.links import Link
from node.sync.site import Party, Site
from node.sync.twins import LinkTwins
from node.trackers.issue import Issue
from protocol.replica import Replica


async def outgoing_context(site: Site, party: Party, link: Link, *, twins: Twins | None = None) -> OutgoingContext:
    """Return the context in which our issue of this link, new (``id`` 0) or stored, is looked at."""
    return OutgoingContext(
        first_sync=link.sent is None,
        linked=link.id != 0,
        facts=site.facts,
        previous=link.sent,
        connection=party.name,
        own_items=await site.store.read(lambda tx: links.made_by_sync(tx, link.issue_id)),
        twins=twins or LinkTwins(site.store, party.id),
    )


def incoming_context(
    site: Site, party: Party, link: Link | None, ours: Issue | None, *, twins: Twins | None = None
) -> IncomingContext:
    """Return the context in which a replica is looked at. ``ours`` is our issue, None while there is none."""
    previous = link.received if link is not None else None
    return IncomingContext(
        first_sync=previous is None,
        issue=ours,
        previous=Replica.model_validate(previous["replica"]) if previous else None,
        project=party.project,
        default_type=party.default_type,
        may_create=party.may_create,
        connection=party.name,
        facts=site.facts,
        twins=twins or LinkTwins(site.store, party.id),
    )
