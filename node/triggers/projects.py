"""Which projects of our Jira are watched: swept, reported by the webhook, and called when the roll is called."""

from __future__ import annotations

from collections.abc import Sequence

from node.store import connections, links
from node.store.engine import Store
from node.store.port import Reader
from node.sync.site import RuleBook
from node.triggers.trigger import watched


async def watched_projects(store: Store, rules: RuleBook) -> Sequence[str]:
    """Return their keys, sorted: where issues come in, where linked ones are, and where some enter from.

    Raises:
        StoreError: the store could not be read.
    """

    async def look(tx: Reader) -> list[str]:
        rows = await connections.every(tx)
        ours = {row.project for row in rows if row.state in {connections.ACTIVE, connections.DEACTIVATED}}
        return sorted(ours | await links.projects(tx))

    found = set(await store.read(look))
    for party, ruleset in await rules.automatic():
        found |= watched(ruleset, party.project)
    return sorted(found)
