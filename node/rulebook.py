"""The published rules of every connection, ready to be evaluated. One place where a version becomes the current one.

A version is read once and kept; publishing replaces it for the next sync, while one that runs goes on with the
version it started with. Never evaluates a rule itself.
"""

from __future__ import annotations

import asyncio
import logging

from node.clock import Clock
from node.errors import ConfigError, UsageError
from node.keys import KeyFolder
from node.rules.incoming import IncomingRules
from node.rules.outgoing import OutgoingRules
from node.rules.ruleset import Direction, RuleSet, basic_incoming, basic_outgoing
from node.rules.script.engine import RuleEngine
from node.store import connections, rule_sets
from node.store.engine import Store
from node.store.port import Transaction
from node.store.rule_sets import StoredRuleSet
from node.sync.names import Names
from node.sync.site import Party

_LOG = logging.getLogger(__name__)


class RuleBook:
    """Reads, keeps and publishes rule sets."""

    def __init__(self, store: Store, clock: Clock, *, keys: KeyFolder, engine: RuleEngine | None) -> None:
        self._store = store
        self._clock = clock
        self._keys = keys
        self._engine = engine
        self._names: dict[int, Names] = {}
        self._outgoing: dict[int, OutgoingRules] = {}
        self._incoming: dict[int, IncomingRules] = {}
        self._published = 0
        """How often rules were published: rules that were read before the last time are not kept."""

    async def party(self, connection_id: int) -> Party:
        """Return the connection as the sync core sees it. Raises UsageError where it does not exist."""
        row = await self._store.read(lambda tx: connections.get(tx, connection_id))
        if row is None or row.conn is None:
            raise UsageError("That connection does not exist any more.")
        if connection_id not in self._names:
            secrets = await asyncio.to_thread(self._keys.connection, row.conn)
            self._names[connection_id] = Names(secrets.mid_key)
        return Party(
            id=row.id,
            name=row.name,
            state=row.state,
            inviter=row.role == "inviter",
            project=row.project,
            default_type=row.default_type,
            names=self._names[connection_id],
            may_create=frozenset(row.may_create),
        )

    async def outgoing(self, connection_id: int) -> OutgoingRules:
        """Return the outgoing rules that count now."""
        kept = self._outgoing.get(connection_id)
        if kept is not None:
            return kept
        published = self._published
        version, ruleset = await self.current(connection_id, "outgoing")
        rules = OutgoingRules(ruleset, version=version, engine=self._engine)
        if published == self._published:
            self._outgoing[connection_id] = rules
        return rules

    async def incoming(self, connection_id: int) -> IncomingRules:
        """Return the incoming rules that count now."""
        kept = self._incoming.get(connection_id)
        if kept is not None:
            return kept
        published = self._published
        version, ruleset = await self.current(connection_id, "incoming")
        rules = IncomingRules(ruleset, version=version, engine=self._engine)
        if published == self._published:
            self._incoming[connection_id] = rules
        return rules

    async def automatic(self) -> list[tuple[Party, RuleSet]]:
        """Return the connections that issues enter by themselves, with the outgoing rules that say so."""
        found = []
        for row in await self._store.read(connections.every):
            if row.conn is None or row.state not in {connections.ACTIVE, connections.DEACTIVATED}:
                continue
            try:
                ruleset = (await self.outgoing(row.id)).ruleset
            except ConfigError as error:
                _LOG.warning("no issue enters %s by itself: %s", row.name, error.message)
                continue
            if ruleset.method == "automatic":
                found.append((await self.party(row.id), ruleset))
        return found

    async def current(self, connection_id: int, direction: Direction) -> tuple[int, RuleSet]:
        """Return the version that counts now; version 0 is the Basic rules of a connection that has no others."""
        stored = await self._store.read(lambda tx: rule_sets.current(tx, connection_id, direction))
        if stored is not None:
            return stored.version, RuleSet.from_body(stored.body)
        if direction == "outgoing":
            return 0, basic_outgoing()
        default_type = (await self.party(connection_id)).default_type
        return 0, basic_incoming(default_type) if default_type else basic_incoming()

    async def versions(self, connection_id: int, direction: Direction) -> list[StoredRuleSet]:
        """Return everything that was ever published, newest first."""
        return await self._store.read(lambda tx: rule_sets.versions(tx, connection_id, direction))

    async def publish(self, connection_id: int, *rules: RuleSet, author: str, why: str) -> dict[Direction, int]:
        """Make rule sets the current ones, all or none; return their version numbers."""
        now = self._clock.now_ms()

        async def work(tx: Transaction) -> dict[Direction, int]:
            numbers: dict[Direction, int] = {}
            for ruleset in rules:
                numbers[ruleset.direction] = await rule_sets.publish(
                    tx, connection_id, ruleset.direction, body=ruleset.to_body(), author=author, why=why, now_ms=now
                )
            return numbers

        numbers = await self._store.write(work)
        self._published += 1
        self._outgoing.pop(connection_id, None)
        self._incoming.pop(connection_id, None)
        return numbers
