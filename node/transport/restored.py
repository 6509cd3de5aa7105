"""What a restore means to a connection, in the unit of work that shows it: our own is noted, a peer's is answered.

Once noted, nothing of ours is sent until the peer has said everything again (`node.sync.recovery`): what the sync made
here after the backup would be taken for our own people's. Never sends, never calls the tracker.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from node.clock import Clock
from node.store import connections, cursors, outbox, problems, restored, streams
from node.store.connections import Connection
from node.store.engine import Transaction
from node.store.restored import Restored
from node.transport import own_address
from protocol.messages import ResyncBegin, ResyncPlease, dump_message

_UNSAID: Final = (outbox.QUEUED, outbox.SEALED)


async def note(tx: Transaction, connection: Connection, *, now_ms: int, seed: bytes, anchor: str = "") -> None:
    """Our database was put back to before what this connection's peer knows: ask the peer to say everything again.

    While an earlier request of ours has not reached the peer, it is enough.

    Args:
        tx: the unit of work in which it was noticed.
        connection: where.
        now_ms: the time.
        seed: bytes that were never used before; they are not given away.
        anchor: what the ledger's anchor names and this database does not hold, if that showed it.
    """
    known = await restored.read(tx, connection.id)
    await restored.leap(tx, connection.id)
    await outbox.drop_replicas(tx, connection.id)
    await problems.report(tx, _told(connection), now_ms=now_ms)
    if known is not None and known.waits:
        asked = await outbox.find(tx, connection.id, known.mid)
        if asked is not None and asked.state in _UNSAID:
            return
    heard_ms = (await streams.peer(tx, connection.id)).last_heard_ms or connection.created_ms
    since_ms = min(heard_ms, known.since_ms) if known is not None and known.waits else heard_ms
    message = ResyncPlease(mid=f"please-{now_ms:x}-{_short(seed)}")
    state = Restored(mid=message.mid, since_ms=since_ms, anchor=anchor or (known.anchor if known else ""))
    await restored.write(tx, connection.id, state)
    await _enqueue(tx, connection, message, now_ms)


async def note_at_start(tx: Transaction, lost: Mapping[bytes, str], clock: Clock, *, told: bool) -> list[int]:
    """Note where our database was put back, if that shows at a start; return the active connections, by their ids.

    Where it does not show here, their peers' first words may show it.

    Args:
        tx: the unit of work.
        lost: what the ledger's anchor names and this database does not hold, by the bytes of the connection.
        clock: for the time and the seeds.
        told: a person said that it was put back.
    """
    active = [row for row in await connections.every(tx) if row.state == connections.ACTIVE]
    for row in active:
        signed = lost.get(row.conn or b"", "")
        known = await restored.read(tx, row.id)
        if told or (signed and (known is None or known.anchor != signed)):
            await note(tx, row, now_ms=clock.now_ms(), seed=clock.random_bytes(16), anchor=signed)
    return [row.id for row in active]


async def asked(tx: Transaction, connection: Connection, message: ResyncPlease, now_ms: int) -> None:
    """The peer was restored and asks for everything: say at once from where on it comes."""
    await cursors.ask_resync(tx, connection.id, now_ms, of=message.mid)
    await own_address.tell_again(tx, connection, now_ms)
    await _enqueue(tx, connection, ResyncBegin(mid=f"begin-{_short(message.mid.encode())}", of=message.mid), now_ms)


async def begun(tx: Transaction, connection: Connection, message: ResyncBegin) -> None:
    """What follows this message in the inbox is what we asked for."""
    state = await restored.read(tx, connection.id)
    if state is not None and state.waits and state.mid == message.of:
        row = await restored.row_of(tx, connection.id, message.mid)
        await restored.write(tx, connection.id, replace(state, begin=row))


async def _enqueue(tx: Transaction, connection: Connection, message: ResyncPlease | ResyncBegin, now_ms: int) -> None:
    await outbox.enqueue(
        tx,
        connection_id=connection.id,
        link_id=None,
        mid=message.mid,
        kind=message.t,
        payload=dump_message(message),
        now_ms=now_ms,
    )


def _short(data: bytes) -> str:
    return hashlib.sha256(b"accord resync\0" + data).hexdigest()[:32]


def _told(connection: Connection) -> problems.Problem:
    name = connection.name
    return problems.Problem(
        connection_id=connection.id,
        stage=problems.PEER,
        ref=None,
        issue_key=None,
        code=restored.PROBLEM,
        message=f"This node was restored from a backup: it sends nothing over {name} until the other side has said "
        "again what the backup does not know.",
        advice="Nothing needs to be done if you restored it and the other side's node runs. To go on without it, skip "
        "this problem: what the other side said since the backup then comes with its next changes.",
    )
