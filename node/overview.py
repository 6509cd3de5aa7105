"""One connection as people want to see it: its row, what waits on it, how reaching its peer goes. Read only.

Shows only the half of the short code that our own admin reads out.
"""

from __future__ import annotations

from dataclasses import dataclass

from node.store import outbox, streams
from node.store.connections import CLOSED, Connection
from node.store.engine import Reader
from node.store.outbox import Waiting
from node.store.streams import Peer
from node.transport.pairing import load
from protocol.fingerprint import fingerprint


@dataclass(frozen=True, slots=True)
class Overview:
    """One connection as people want to see it."""

    connection: Connection
    peer_fingerprint: str | None
    short_code: str | None
    """The six digits that our admin reads out; None before the handshake ended, and when nobody needs them any more.

    That our admin has typed theirs says nothing of the other side, which never tells: so they stay to be read out for
    as long as a comparison is expected at all.
    """
    waiting: Waiting
    reach: Peer


async def overview_of(reader: Reader, connection: Connection, *, now_ms: int) -> Overview:
    """Gather how one connection stands."""
    record = load(connection)
    expected = not connection.verified or (record is not None and now_ms // 1000 < record.deadline)
    return Overview(
        connection=connection,
        peer_fingerprint=fingerprint(connection.peer_node_key) if connection.peer_node_key else None,
        short_code=record.ours_to_read_out if record and expected and connection.state != CLOSED else None,
        waiting=await outbox.waiting(reader, connection.id),
        reach=await streams.peer(reader, connection.id),
    )
