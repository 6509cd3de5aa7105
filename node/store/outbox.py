"""What waits to leave, one row a message, in the order in which it was put there.

Statements only, no decisions but one: an older replica of an issue that nobody has sealed yet gives way to a newer one.
A row is ``queued`` (plaintext only), then ``sealed`` (an envelope of `node.store.envelopes` carries it, alone or with
others: they share its place in the stream), then ``acked`` (the peer has signed for it). A row that gave way is
``superseded``: no outcome will come for it.
Times are milliseconds since 1970 UTC. ``mid`` is the text that the message carries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from node.store.engine import Reader, Transaction
from protocol.messages import Code

QUEUED: Final = "queued"
SEALED: Final = "sealed"
ACKED: Final = "acked"
SUPERSEDED: Final = "superseded"

REPLICA: Final = "issue.replica"
"""The one kind that says everything anew, so that a newer one makes an older one needless."""


@dataclass(frozen=True, slots=True)
class Queued:
    """A row that has no place in the stream yet. ``payload`` is the plaintext; the rest is what the ledger notes."""

    id: int
    mid: str
    kind: str
    payload: bytes
    link_id: int | None = None
    issue_key: str | None = None
    revision: int | None = None
    rule_version: int | None = None


@dataclass(frozen=True, slots=True)
class Sealed:
    """A row with its place in the stream."""

    id: int
    epoch: int
    seq: int


@dataclass(frozen=True, slots=True)
class Sent:
    """What the sync core needs to know of a row that the peer speaks about."""

    id: int
    connection_id: int
    link_id: int | None
    mid: str
    kind: str
    revision: int | None
    rule_version: int | None
    state: str
    outcome: int | None


def superseded(kind: str, waiting: Sequence[tuple[int, str]]) -> list[int]:
    """Say which queued rows of one link a new message of ``kind`` makes needless. Pure.

    ``waiting`` are (row id, kind) of the link's queued rows, oldest first. Only replicas give way, and only those
    after the last row of any other kind: what a removal ended must not be mixed with what came after it.
    """
    if kind != REPLICA:
        return []
    needless: list[int] = []
    for row_id, row_kind in waiting:
        needless = [*needless, row_id] if row_kind == REPLICA else []
    return needless


async def enqueue(
    tx: Transaction,
    *,
    connection_id: int,
    link_id: int | None,
    mid: str,
    kind: str,
    payload: bytes,
    now_ms: int,
    revision: int | None = None,
    rule_version: int | None = None,
) -> bool:
    """Put one message into the queue; return False if this connection has had this ``mid`` before (then no change).

    Older queued replicas of the same link are marked superseded in the same transaction.
    """
    row = await tx.fetch_one(
        "INSERT INTO outbox (connection_id, link_id, mid, kind, revision, rule_version, payload, state, created_ms)"
        " VALUES (:connection_id, :link_id, :mid, :kind, :revision, :rule_version, :payload, 'queued', :now_ms)"
        " ON CONFLICT (connection_id, mid) DO NOTHING RETURNING id",
        {
            "connection_id": connection_id,
            "link_id": link_id,
            "mid": mid.encode(),
            "kind": kind,
            "revision": revision,
            "rule_version": rule_version,
            "payload": payload,
            "now_ms": now_ms,
        },
    )
    if row is None:
        return False
    if link_id is not None and kind == REPLICA:
        waiting = await tx.fetch_all(
            "SELECT id, kind FROM outbox WHERE link_id = :link_id AND connection_id = :connection_id"
            " AND state = 'queued' AND id < :id ORDER BY id",
            {"link_id": link_id, "connection_id": connection_id, "id": row["id"]},
        )
        needless = superseded(kind, [(one["id"], one["kind"]) for one in waiting])
        await tx.executemany(
            "UPDATE outbox SET state = 'superseded', outcome = :code, outcome_ms = :now_ms WHERE id = :id",
            [{"code": int(Code.SUPERSEDED), "now_ms": now_ms, "id": row_id} for row_id in needless],
        )
    return True


async def has(reader: Reader, connection_id: int, state: str) -> bool:
    """Tell whether there is any row in a state; a long queue costs no more than a short one."""
    row = await reader.fetch_one(
        "SELECT 1 AS one FROM outbox WHERE connection_id = :connection_id AND state = :state LIMIT 1",
        {"connection_id": connection_id, "state": state},
    )
    return row is not None


async def find(reader: Reader, connection_id: int, mid: str) -> Sent | None:
    """Return the row with this message id."""
    row = await reader.fetch_one(
        "SELECT id, connection_id, link_id, mid, kind, revision, rule_version, state, outcome FROM outbox"
        " WHERE connection_id = :connection_id AND mid = :mid",
        {"connection_id": connection_id, "mid": mid.encode()},
    )
    if row is None:
        return None
    return Sent(
        id=row["id"],
        connection_id=row["connection_id"],
        link_id=row["link_id"],
        mid=row["mid"].decode(),
        kind=row["kind"],
        revision=row["revision"],
        rule_version=row["rule_version"],
        state=row["state"],
        outcome=row["outcome"],
    )


async def record_outcome(tx: Transaction, connection_id: int, mid: str, code: int, now_ms: int) -> Sent | None:
    """Note what the peer says became of a message; return the row as it was, or None if we never sent such a message.

    A final outcome (below 400) is never replaced by a temporary one, nor ``applied`` by anything: a peer that was
    restored says of what it had applied before only that something newer took its place.
    """
    sent = await find(tx, connection_id, mid)
    known = None if sent is None else sent.outcome
    if sent is not None and (known is None or known >= Code.DELAYED or (known != Code.APPLIED and code < Code.DELAYED)):
        await tx.execute(
            "UPDATE outbox SET outcome = :code, outcome_ms = :now_ms WHERE id = :id",
            {"code": int(code), "now_ms": now_ms, "id": sent.id},
        )
    return sent


async def applied(reader: Reader, link_id: int) -> int:
    """Return the highest revision of a link that the peer has applied, 0 where none is known."""
    row = await reader.fetch_one(
        "SELECT revision FROM outbox WHERE link_id = :link_id AND kind = :kind AND outcome = :applied "
        "ORDER BY id DESC LIMIT 1",
        {"link_id": link_id, "kind": REPLICA, "applied": int(Code.APPLIED)},
    )
    return 0 if row is None else row["revision"] or 0


async def next_queued(reader: Reader, connection_id: int, *, rows: int, size: int) -> list[Queued]:
    """Return the oldest queued rows: at most ``rows``, and payloads of ``size`` bytes together (at least one row)."""
    sizes = await reader.fetch_all(  # which SQLite knows without reading the payloads
        "SELECT id, LENGTH(payload) AS size FROM outbox WHERE connection_id = :connection_id AND state = 'queued'"
        " ORDER BY id LIMIT :rows",
        {"connection_id": connection_id, "rows": rows},
    )
    if not sizes:
        return []
    totals = accumulate(row["size"] for row in sizes)
    last = max((row["id"] for row, total in zip(sizes, totals, strict=True) if total <= size), default=sizes[0]["id"])
    found = await reader.fetch_all(
        "SELECT o.id, o.mid, o.kind, o.payload, o.link_id, o.revision, o.rule_version, link.issue_key FROM outbox AS o"
        " LEFT JOIN link ON link.id = o.link_id WHERE o.connection_id = :connection_id AND o.state = 'queued'"
        " AND o.id <= :last ORDER BY o.id",
        {"connection_id": connection_id, "last": last},
    )
    return [
        Queued(
            id=row["id"],
            mid=row["mid"].decode(),
            kind=row["kind"],
            payload=row["payload"],
            link_id=row["link_id"],
            issue_key=row["issue_key"],
            revision=row["revision"],
            rule_version=row["rule_version"],
        )
        for row in found
    ]


async def mark_sealed(tx: Transaction, rows: Sequence[Sealed]) -> bool:
    """Give queued rows their place; False if one of them is not queued any more: then undo all."""
    done = await tx.executemany(
        "UPDATE outbox SET state = 'sealed', epoch = :epoch, seq = :seq WHERE id = :id AND state = 'queued'",
        [{"epoch": row.epoch, "seq": row.seq, "id": row.id} for row in rows],
    )
    return done.rowcount == len(rows)


async def mark_acked(tx: Transaction, connection_id: int, epoch: int, after: int, upto: int, now_ms: int) -> int:
    """Note that the peer signed for every row of ``epoch`` beyond seq ``after`` and up to ``upto``; return how many."""
    done = await tx.execute(
        # The plus keeps SQLite from going through all sealed rows instead of the few between the two places.
        "UPDATE outbox SET state = 'acked', acked_ms = :now_ms WHERE connection_id = :connection_id"
        " AND +state = 'sealed' AND epoch = :epoch AND seq > :after AND seq <= :upto",
        {"now_ms": now_ms, "connection_id": connection_id, "epoch": epoch, "after": after, "upto": upto},
    )
    return done.rowcount


async def mark_lost(tx: Transaction, connection_id: int, epoch: int, seq: int) -> None:
    """Note that the peer was restored and holds nothing of ``epoch`` beyond ``seq``: it must be sent again."""
    await tx.execute(
        "UPDATE outbox SET state = 'sealed', acked_ms = NULL WHERE connection_id = :connection_id"
        " AND state = 'acked' AND epoch = :epoch AND seq > :seq",
        {"connection_id": connection_id, "epoch": epoch, "seq": seq},
    )


async def requeue(tx: Transaction, connection_id: int) -> int:
    """Take its place from every sealed row, so that a new epoch can seal it again; return how many there are.

    The new epoch may pack them in another way.
    """
    done = await tx.execute(
        "UPDATE outbox SET state = 'queued', epoch = NULL, seq = NULL"
        " WHERE connection_id = :connection_id AND state = 'sealed'",
        {"connection_id": connection_id},
    )
    return done.rowcount


async def drop_replicas(tx: Transaction, connection_id: int) -> None:
    """Forget replicas that have no place in the stream: this node does not know any more what is ours."""
    await tx.execute(
        "DELETE FROM outbox WHERE connection_id = :connection_id AND state = 'queued' AND kind = :kind",
        {"connection_id": connection_id, "kind": REPLICA},
    )


async def drop_queued(tx: Transaction, connection_id: int, now_ms: int) -> None:
    """Mark everything that has no place in the stream as superseded: the connection is closing."""
    await tx.execute(
        "UPDATE outbox SET state = 'superseded', outcome = :code, outcome_ms = :now_ms"
        " WHERE connection_id = :connection_id AND state = 'queued'",
        {"code": int(Code.SUPERSEDED), "now_ms": now_ms, "connection_id": connection_id},
    )


@dataclass(frozen=True, slots=True)
class Waiting:
    """How much waits on one connection: rows without a place, rows without a receipt, the oldest one's time."""

    queued: int
    sealed: int
    oldest_ms: int | None


async def waiting(reader: Reader, connection_id: int) -> Waiting:
    """Count what has not reached the peer."""
    rows = await reader.fetch_all(
        "SELECT state, COUNT(*) AS number, MIN(created_ms) AS oldest_ms FROM outbox"
        " WHERE connection_id = :connection_id AND state IN ('queued', 'sealed') GROUP BY state",
        {"connection_id": connection_id},
    )
    counts = {row["state"]: row["number"] for row in rows}
    oldest_ms = min((row["oldest_ms"] for row in rows), default=None)
    return Waiting(counts.get(QUEUED, 0), counts.get(SEALED, 0), oldest_ms)


async def prune(tx: Transaction, connection_id: int, *, before_ms: int, keep: int) -> None:
    """Delete rows that the peer signed for before ``before_ms``, but never the newest ``keep`` of them."""
    await tx.execute(
        "DELETE FROM outbox WHERE connection_id = :connection_id AND state IN ('acked', 'superseded')"
        " AND COALESCE(acked_ms, outcome_ms) < :before_ms AND id NOT IN (SELECT id FROM outbox"
        " WHERE connection_id = :connection_id AND state IN ('acked', 'superseded') ORDER BY id DESC LIMIT :keep)",
        {"connection_id": connection_id, "before_ms": before_ms, "keep": keep},
    )
