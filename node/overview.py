"""One connection as people want to see it: its row, what waits on it, how reaching its peer goes. Read only.

Shows only the half of the short code that our own admin reads out.
"""

from __future__ import annotations

from dataclasses import dataclass

from node.store import outbox, streams
from node.store.connections import Connection
from node.store.engine import Reader
from node.store.outbox import Waiting
from node.store.streams import Peer
from node.transport.pairing import load
from protocol.fingerprint import fingerprint
from protocol.pairing import InviterPairing


@dataclass(frozen=True, slots=True)
class Overview:
    """One connection as people want to see it."""

    connection: Connection
    peer_fingerprint: str | None
    short_code: str | None
    """The six digits that our admin reads out; None once compared, or before the handshake ended."""
    code: str | None
    """The invitation code, while it can still be used."""
    waiting: Waiting
    reach: Peer


async def overview_of(reader: Reader, connection: Connection) -> Overview:
    """Gather how one connection stands."""
    record = load(connection)
    return Overview(
        connection=connection,
        peer_fingerprint=fingerprint(connection.peer_node_key) if connection.peer_node_key else None,
        short_code=record.ours_to_read_out if record and not connection.verified else None,
        code=record.code if isinstance(record, InviterPairing) else None,
        waiting=await outbox.waiting(reader, connection.id),
        reach=await streams.peer(reader, connection.id),
    )
