"""How much is kept of messages that nobody works on any more, and letting go of the oldest. Statements only.

What is counted for a message is its size and `ROW` for the row itself: its columns and its places in the indexes.
A settled message takes its size twice, as payload and as its share of the envelope that it came in.
"""

from __future__ import annotations

from typing import Final

from node.store.port import Reader, Row, Transaction
from node.store.streams import RX, TX

ROW: Final = 1_024
"""Bytes that are counted for a row beside what is in it; more than any row takes with its 64-character ids."""
PART: Final = 5_000
"""Rows that are looked at in one statement."""

_ANSWERS: Final = "kind IN ('outcome', 'blob.gone', 'resync.begin', 'node.address')"
"""What a peer can make us say as often as it likes; of each the newest matters most."""

_PINNED: Final = (
    "i.kind = 'issue.replica' AND EXISTS (SELECT 1 FROM link WHERE link.connection_id = i.connection_id"
    " AND link.twin = i.issue) AND NOT EXISTS (SELECT 1 FROM inbox AS n WHERE n.connection_id = i.connection_id"
    " AND n.issue = i.issue AND n.id > i.id AND n.kind = 'issue.replica')"
)
"""The newest replica of a linked issue: rules may look at it again (`node.store.awaited`)."""


async def settled(reader: Reader, connection_id: int) -> int:
    """Return what is counted for all settled messages of a connection; SQLite knows it from an index."""
    row = await reader.fetch_one(
        "SELECT COALESCE(SUM(size), 0) + COUNT(*) * :row AS size FROM inbox"
        " WHERE connection_id = :connection_id AND state = 'done'",
        {"connection_id": connection_id, "row": ROW},
    )
    return 0 if row is None else int(row["size"])


async def pinned(reader: Reader, connection_id: int) -> int:
    """Return what is counted for the newest replicas of linked issues, as far as they are settled."""
    row = await reader.fetch_one(
        "SELECT COALESCE(SUM(i.size), 0) + COUNT(*) * :row AS size FROM link CROSS JOIN inbox AS i ON i.id ="
        " (SELECT MAX(n.id) FROM inbox AS n WHERE n.connection_id = link.connection_id AND n.issue = link.twin"
        " AND n.kind = 'issue.replica') WHERE link.connection_id = :connection_id AND i.state = 'done'",
        {"connection_id": connection_id, "row": ROW},
    )
    return 0 if row is None else int(row["size"])


async def let_go(tx: Transaction, connection_id: int, size: int) -> None:
    """Forget the oldest settled messages until ``size`` counted bytes are gone, and the envelopes that they came in.

    An envelope goes with the first of its messages, so that one small message cannot keep a large envelope. What waits,
    what is held, and the newest replica of a linked issue stay; nothing waits any more on behalf of an issue of which
    nothing is left.
    """
    place = (-1, -1, -1)
    while size > 0:
        rows = await tx.fetch_all(
            # The plus makes SQLite go by the place in the stream, which is the age, and stop where it is enough.
            "SELECT i.id, i.epoch, i.seq, i.place, i.size, i.issue FROM inbox AS i"  # noqa: S608 - a constant
            " WHERE i.connection_id = :connection_id AND (i.epoch, i.seq, i.place) > (:epoch, :seq, :place)"
            f" AND +i.state = 'done' AND NOT ({_PINNED}) ORDER BY i.epoch, i.seq, i.place LIMIT :part",
            {"connection_id": connection_id, "epoch": place[0], "seq": place[1], "place": place[2], "part": PART},
        )
        going: list[Row] = []
        for row in rows:
            if size <= 0:
                break
            going.append(row)
            size -= row["size"] + ROW
        if not going:
            return
        place = (going[-1]["epoch"], going[-1]["seq"], going[-1]["place"])
        await _drop(tx, connection_id, going)


async def _drop(tx: Transaction, connection_id: int, rows: list[Row]) -> None:
    await tx.executemany("DELETE FROM inbox WHERE id = :id", [{"id": row["id"]} for row in rows])
    await tx.executemany(
        "DELETE FROM envelope WHERE connection_id = :connection_id AND direction = :direction AND epoch = :epoch"
        " AND seq = :seq",
        [
            {"connection_id": connection_id, "direction": RX, "epoch": epoch, "seq": seq}
            for epoch, seq in sorted({(row["epoch"], row["seq"]) for row in rows})
        ],
    )
    await tx.executemany(
        "DELETE FROM awaited WHERE connection_id = :connection_id AND issue = :issue AND NOT EXISTS"
        " (SELECT 1 FROM inbox WHERE inbox.connection_id = awaited.connection_id AND inbox.issue = awaited.issue)",
        [
            {"connection_id": connection_id, "issue": issue}
            for issue in sorted({row["issue"] for row in rows if row["issue"] is not None})
        ],
    )


async def trim_answers(tx: Transaction, connection_id: int, state: str, size: int) -> int:
    """Forget our oldest answers in one state of the outbox beyond ``size`` counted bytes; return how many.

    With answers that the peer has signed for go all envelopes up to theirs, not only their own: a peer that was
    restored gets all that it lacks without a gap, or everything anew.
    """
    rows = await tx.fetch_all(
        "DELETE FROM outbox WHERE id IN (SELECT id FROM (SELECT id, SUM(2 * LENGTH(payload) + :row)"  # noqa: S608 - a constant
        " OVER (ORDER BY id DESC) AS total FROM outbox WHERE connection_id = :connection_id AND state = :state"
        f" AND {_ANSWERS}) WHERE total > :size) RETURNING epoch, seq",
        {"connection_id": connection_id, "state": state, "row": ROW, "size": size},
    )
    places = [(row["epoch"], row["seq"]) for row in rows if row["seq"] is not None]
    if places:
        epoch, seq = max(places)
        await tx.execute(
            "DELETE FROM envelope WHERE connection_id = :connection_id AND direction = :direction"
            " AND (epoch, seq) <= (:epoch, :seq)",
            {"connection_id": connection_id, "direction": TX, "epoch": epoch, "seq": seq},
        )
    return len(rows)
