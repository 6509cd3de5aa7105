"""The keys of each connection, ready to seal and to open, made once and kept. Never a decision, never a row written.

What is kept never goes stale by itself: a connection's keys are pinned once. Whoever ends a connection calls `forget`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from node.keys import ConnectionSecrets, KeyFolder
from node.store import connections
from node.store.connections import Connection
from node.store.engine import Store
from protocol.envelope import OpeningKeys, SealingKeys, keys_for
from protocol.identity import SignedStatement, verify_statement
from protocol.pairing import Role


@dataclass(frozen=True, slots=True, eq=False)
class Channel:
    """What one paired connection takes to seal and open. ``peer_version`` is that of the pinned key statement."""

    connection_id: int
    name: str
    sealing: SealingKeys = field(repr=False)
    opening: OpeningKeys = field(repr=False)
    secrets: ConnectionSecrets = field(repr=False)
    peer_version: int
    peer_node_key: bytes


class Channels:
    """All channels of a node, by the connection's bytes on the wire and by its row."""

    def __init__(self, store: Store, keys: KeyFolder) -> None:
        self._store = store
        self._keys = keys
        self._by_conn: dict[bytes, Channel] = {}
        self._by_id: dict[int, Channel] = {}

    async def by_conn(self, conn: bytes) -> Channel | None:
        """Return the channel of a connection; None for a stranger, an unpaired or a destroyed one."""
        known = self._by_conn.get(conn)
        if known is not None:
            return known
        return await self._open(await self._store.read(lambda reader: connections.by_conn(reader, conn)))

    def is_open(self, conn: bytes) -> bool:
        """Tell whether the keys of this connection are at hand, without looking at any row."""
        return conn in self._by_conn

    async def by_id(self, connection_id: int) -> Channel | None:
        """Return the channel of a connection; None for an unpaired or a destroyed one."""
        known = self._by_id.get(connection_id)
        if known is not None:
            return known
        return await self._open(await self._store.read(lambda reader: connections.get(reader, connection_id)))

    def forget(self, connection_id: int) -> None:
        """Drop the keys of a connection that has ended."""
        channel = self._by_id.pop(connection_id, None)
        if channel is not None:
            del self._by_conn[channel.opening.conn]

    async def _open(self, row: Connection | None) -> Channel | None:
        if row is None or row.conn is None or not self._keys.has_connection(row.conn):
            return None
        channel = await asyncio.to_thread(_channel, row, self._keys)
        if channel is not None:
            self._by_conn[channel.opening.conn] = channel
            self._by_id[channel.connection_id] = channel
        return channel


def _channel(row: Connection, keys: KeyFolder) -> Channel | None:
    if row.conn is None or row.peer_statement is None or row.peer_node_key is None:
        return None
    theirs = verify_statement(
        SignedStatement.model_validate_json(row.peer_statement), conn=row.conn, node_key=row.peer_node_key
    )
    secrets = keys.connection(row.conn)
    our_dir = 0 if row.role == Role.INVITER else 1
    sealing, opening = keys_for(conn=row.conn, our_dir=our_dir, ours=secrets.keys, theirs=theirs)
    return Channel(row.id, row.name, sealing, opening, secrets, theirs.v, row.peer_node_key)
