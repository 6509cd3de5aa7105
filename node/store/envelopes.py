"""The bytes that travel, one row an envelope, however many messages are in it. Statements only, no decisions.

``tx`` are ours, as they were sealed: sent again until the peer has signed for them, and kept for a while after that.
``rx`` are the peer's, as they came: the proof of what it said. The messages themselves are in outbox and inbox.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from node.store.port import Reader, Transaction
from node.store.streams import RX, TX


@dataclass(frozen=True, slots=True)
class Kept:
    """An envelope with its place in its stream."""

    epoch: int
    seq: int
    messages: int
    data: bytes


async def keep(tx: Transaction, connection_id: int, direction: str, envelopes: Sequence[Kept]) -> None:
    """Store envelopes of one stream, ``tx`` or ``rx``."""
    await tx.executemany(
        "INSERT INTO envelope (connection_id, direction, epoch, seq, messages, bytes)"
        " VALUES (:connection_id, :direction, :epoch, :seq, :messages, :data)",
        [
            {
                "connection_id": connection_id,
                "direction": direction,
                "epoch": one.epoch,
                "seq": one.seq,
                "messages": one.messages,
                "data": one.data,
            }
            for one in envelopes
        ],
    )


async def after(reader: Reader, connection_id: int, epoch: int, seq: int, *, limit: int, size: int) -> list[bytes]:
    """Return our envelopes of ``epoch`` after ``seq``, in order: ``limit`` at most, of ``size`` bytes together."""
    rows = await reader.fetch_all(
        "SELECT bytes FROM (SELECT bytes, seq, SUM(LENGTH(bytes)) OVER (ORDER BY seq) AS total FROM (SELECT bytes, seq"
        " FROM envelope WHERE connection_id = :connection_id AND direction = :direction AND epoch = :epoch"
        " AND seq > :seq ORDER BY seq LIMIT :limit)) WHERE total <= :size ORDER BY seq",
        {
            "connection_id": connection_id,
            "direction": TX,
            "epoch": epoch,
            "seq": seq,
            "limit": limit,
            "size": size,
        },
    )
    return [row["bytes"] for row in rows]


async def unacked(reader: Reader, connection_id: int, epoch: int, acked: int) -> tuple[int, int]:
    """Return the messages in our envelopes of ``epoch`` after ``acked``, and the bytes of these envelopes."""
    row = await reader.fetch_one(
        "SELECT COALESCE(SUM(messages), 0) AS messages, COALESCE(SUM(LENGTH(bytes)), 0) AS size FROM envelope"
        " WHERE connection_id = :connection_id AND direction = :direction AND epoch = :epoch AND seq > :acked",
        {"connection_id": connection_id, "direction": TX, "epoch": epoch, "acked": acked},
    )
    return (0, 0) if row is None else (int(row["messages"]), int(row["size"]))


async def at(reader: Reader, connection_id: int, epoch: int, seq: int) -> bytes | None:
    """Return our envelope at one place, None if it is not here any more."""
    row = await reader.fetch_one(
        "SELECT bytes FROM envelope WHERE connection_id = :connection_id AND direction = :direction"
        " AND epoch = :epoch AND seq = :seq",
        {"connection_id": connection_id, "direction": TX, "epoch": epoch, "seq": seq},
    )
    return None if row is None else row["bytes"]


async def held_from(reader: Reader, connection_id: int, epoch: int) -> int | None:
    """Return the lowest seq of ``epoch`` of which our envelope is still here."""
    row = await reader.fetch_one(
        "SELECT MIN(seq) AS seq FROM envelope WHERE connection_id = :connection_id AND direction = :direction"
        " AND epoch = :epoch",
        {"connection_id": connection_id, "direction": TX, "epoch": epoch},
    )
    return None if row is None else row["seq"]


async def drop_ours(tx: Transaction, connection_id: int) -> None:
    """Forget all envelopes of ours: a new epoch begins, and none of an older one is ever sent again."""
    await tx.execute(
        "DELETE FROM envelope WHERE connection_id = :connection_id AND direction = :direction",
        {"connection_id": connection_id, "direction": TX},
    )


async def prune(tx: Transaction, connection_id: int) -> None:
    """Forget the envelopes of which no message is kept any more."""
    for direction, box in ((TX, "outbox"), (RX, "inbox")):
        await tx.execute(
            "DELETE FROM envelope WHERE connection_id = :connection_id AND direction = :direction AND NOT EXISTS"  # noqa: S608 - our own names
            f" (SELECT 1 FROM {box} AS message WHERE message.connection_id = envelope.connection_id"
            " AND message.epoch = envelope.epoch AND message.seq = envelope.seq)",
            {"connection_id": connection_id, "direction": direction},
        )
