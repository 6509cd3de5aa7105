"""Finds the last replica that came for an issue: applied, waiting or held. Only reads."""

from __future__ import annotations

from node.errors import UsageError
from node.store import inbox, links
from node.store.links import Link
from node.store.port import Reader
from node.sync.site import Party, Site
from protocol.messages import IssueReplica, parse_message
from protocol.replica import Replica


async def received(site: Site, party: Party, key: str) -> tuple[Link | None, Replica]:
    """Return the newest replica for our issue ``key``, or for the peer's issue of that key where nothing is linked.

    Raises:
        UsageError: nothing came for it on this connection.
    """

    async def look(tx: Reader) -> tuple[Link | None, Replica | None]:
        link = next((one for one in await links.by_key(tx, key) if one.connection_id == party.id), None)
        if link is None:
            return None, await _waiting(tx, party.id, key)
        if link.twin is not None:
            for row in reversed(await inbox.open_of_issue(tx, party.id, link.twin)):
                message = parse_message(row.payload)
                if isinstance(message, IssueReplica):
                    return link, message.replica
        return link, Replica.model_validate(link.received["replica"]) if link.received is not None else None

    link, replica = await site.store.read(look)
    if replica is None:
        raise UsageError(
            f"Nothing was received for {key} on {party.name} yet.",
            advice="Give a file with a replica instead, or wait for the other side's next change.",
        )
    return link, replica


async def _waiting(tx: Reader, connection_id: int, key: str) -> Replica | None:
    """Return the newest replica that waits or is held, and that the peer calls ``key``."""
    for row in await inbox.open_replicas(tx, connection_id):
        message = parse_message(row.payload)
        if isinstance(message, IssueReplica) and message.replica.key == key:
            return message.replica
    return None
