"""What the peer has said and we have signed for, one row a message. Statements only, no decisions.

A row is ``new``, ``waiting`` (tried, due again at ``due_ms``), ``held`` (a person must look) or ``done`` (with its
outcome in ``code``). Rows of one issue are applied in order; rows of different issues do not wait for each other, and
a held row does not stop newer rows of its issue, since the newest replica says all.
Times are milliseconds since 1970 UTC. ``issue`` is the peer's handle, ``mid`` the text that the message carries.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final

from node.store.engine import Reader, Row, Transaction
from protocol.messages import Code

NEW: Final = "new"
WAITING: Final = "waiting"
HELD: Final = "held"
DONE: Final = "done"

HELD_TO_ONE: Final = 16
HELD_BYTES_TO_ONE: Final = 4
"""So many held messages, and so many of their bytes, count as one that waits."""

_COLUMNS: Final = "i.id, i.connection_id, i.mid, i.kind, i.issue, i.payload, i.state, i.attempts, i.received_ms"


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message that has just been accepted into the stream. ``code`` is set when nobody needs to look at it.

    ``place`` is its number among the messages of its envelope, from 1; ``size`` its share of that envelope's bytes.
    """

    epoch: int
    seq: int
    place: int
    mid: str | None
    kind: str
    issue: str | None
    payload: bytes
    size: int
    code: int | None = None


@dataclass(frozen=True, slots=True)
class Received:
    """A stored message, as the apply workers read it. ``payload`` is what ``protocol.messages`` parses."""

    id: int
    connection_id: int
    mid: str | None
    kind: str
    issue: str | None
    payload: bytes
    state: str
    attempts: int
    received_ms: int


async def add(tx: Transaction, connection_id: int, messages: Sequence[Arrived], now_ms: int) -> None:
    """Store accepted messages, in stream order."""
    await tx.executemany(
        "INSERT INTO inbox (connection_id, epoch, seq, place, mid, kind, issue, size, payload, state, code,"
        " received_ms, done_ms) VALUES (:connection_id, :epoch, :seq, :place, :mid, :kind, :issue, :size, :payload,"
        " :state, :code, :now_ms, :done_ms)",
        [
            {
                "connection_id": connection_id,
                "epoch": one.epoch,
                "seq": one.seq,
                "place": one.place,
                "mid": None if one.mid is None else one.mid.encode(),
                "kind": one.kind,
                "issue": one.issue,
                "size": one.size,
                "payload": one.payload,
                "state": NEW if one.code is None else DONE,
                "code": one.code,
                "now_ms": now_ms,
                "done_ms": None if one.code is None else now_ms,
            }
            for one in messages
        ],
    )


async def known(reader: Reader, connection_id: int, mids: Sequence[str]) -> dict[str, int | None]:
    """Return those of ``mids`` that this connection has received before, in any epoch, each with its outcome so far."""
    if not mids:
        return {}
    rows = await reader.fetch_all(
        # CROSS JOIN keeps SQLite from going through the whole inbox and looking each row up among the few asked ids.
        "SELECT i.mid AS mid, MAX(i.code) AS code FROM json_each(:mids) AS asked CROSS JOIN inbox AS i"
        " WHERE i.connection_id = :connection_id AND i.mid = CAST(asked.value AS BLOB) GROUP BY i.mid",
        {"connection_id": connection_id, "mids": json.dumps(mids)},
    )
    return {row["mid"].decode(): row["code"] for row in rows}


async def ready(reader: Reader, now_ms: int, *, limit: int) -> list[Received]:
    """Return messages that may be worked on now, of active connections in turn: of an issue's new ones only the oldest.

    A message that waits, for files or for the tracker, does not keep a newer one of its issue waiting; nor does all
    that waits of one partner keep another's waiting.
    """
    active = await reader.fetch_all("SELECT id FROM connection WHERE state = 'active' ORDER BY id")
    queues = [await _ready_of(reader, row["id"], now_ms, limit) for row in active]
    in_turn = [one for turn in zip_longest(*queues) for one in turn if one is not None]
    rows = await reader.fetch_all(
        f"SELECT {_COLUMNS} FROM json_each(:ids) AS asked CROSS JOIN inbox AS i"  # noqa: S608 - a constant
        " WHERE i.id = asked.value ORDER BY asked.key",
        {"ids": json.dumps(in_turn[:limit])},
    )
    return [_received(row) for row in rows]


async def _ready_of(reader: Reader, connection_id: int, now_ms: int, limit: int) -> list[int]:
    rows = await reader.fetch_all(
        # Any other indexes would have SQLite read the whole backlog, or all that an issue ever was, for each row.
        "SELECT i.id AS id FROM inbox AS i INDEXED BY ix_inbox_connection_id_id_open"
        " WHERE i.connection_id = :connection_id AND i.state IN ('new', 'waiting') AND i.due_ms <= :now_ms"
        " AND NOT EXISTS (SELECT 1 FROM inbox AS e INDEXED BY ix_inbox_connection_id_issue_new"
        " WHERE e.connection_id = i.connection_id AND e.issue = i.issue AND e.id < i.id AND e.state = 'new')"
        " ORDER BY i.id LIMIT :limit",
        {"connection_id": connection_id, "now_ms": now_ms, "limit": limit},
    )
    return [row["id"] for row in rows]


async def open_of_issue(reader: Reader, connection_id: int, issue: str) -> list[Received]:
    """Return every message about one issue that has no outcome yet, held ones too, oldest first."""
    rows = await reader.fetch_all(
        f"SELECT {_COLUMNS} FROM inbox AS i WHERE i.connection_id = :connection_id"  # noqa: S608 - a constant
        " AND i.issue = :issue AND i.state <> 'done' ORDER BY i.id",
        {"connection_id": connection_id, "issue": issue},
    )
    return [_received(row) for row in rows]


async def is_in_work(reader: Reader, connection_id: int, issue: str) -> bool:
    """Tell whether a message about one issue waits to be applied; a held one waits for a person."""
    row = await reader.fetch_one(
        "SELECT 1 AS one FROM inbox WHERE connection_id = :connection_id AND issue = :issue"
        " AND state IN ('new', 'waiting') LIMIT 1",
        {"connection_id": connection_id, "issue": issue},
    )
    return row is not None


async def open_replicas(reader: Reader, connection_id: int, *, limit: int = 1_000) -> list[Received]:
    """Return replicas of a connection that have no outcome yet, held ones too, newest first."""
    rows = await reader.fetch_all(
        f"SELECT {_COLUMNS} FROM inbox AS i WHERE i.connection_id = :connection_id"  # noqa: S608 - a constant
        " AND i.kind = 'issue.replica' AND i.state <> 'done' ORDER BY i.id DESC LIMIT :limit",
        {"connection_id": connection_id, "limit": limit},
    )
    return [_received(row) for row in rows]


async def get(reader: Reader, inbox_id: int) -> Received | None:
    """Return one message."""
    row = await reader.fetch_one(
        f"SELECT {_COLUMNS} FROM inbox AS i WHERE i.id = :id",  # noqa: S608 - a constant
        {"id": inbox_id},
    )
    return None if row is None else _received(row)


async def next_due(reader: Reader, after_ms: int) -> int | None:
    """Return when the next waiting message comes due that was not due at ``after_ms``, None if none waits."""
    row = await reader.fetch_one(
        "SELECT MIN(due_ms) AS due_ms FROM inbox WHERE state = 'waiting' AND due_ms > :after_ms",
        {"after_ms": after_ms},
    )
    return None if row is None else row["due_ms"]


async def finish(tx: Transaction, inbox_id: int, code: int, now_ms: int) -> None:
    """Record the one final outcome of a message."""
    await tx.execute(
        "UPDATE inbox SET state = 'done', code = :code, done_ms = :now_ms WHERE id = :id",
        {"code": int(code), "now_ms": now_ms, "id": inbox_id},
    )


async def wait(tx: Transaction, inbox_id: int, due_ms: int) -> None:
    """Count one try more and leave the message until ``due_ms``."""
    await tx.execute(
        "UPDATE inbox SET state = 'waiting', attempts = attempts + 1, due_ms = :due_ms"
        " WHERE id = :id AND state <> 'done'",
        {"due_ms": due_ms, "id": inbox_id},
    )


async def make_due(tx: Transaction, issues: Iterable[tuple[int, str]]) -> None:
    """Let the waiting messages about these (connection, issue) go on at once: what they waited for is here."""
    await tx.executemany(
        "UPDATE inbox SET due_ms = 0 WHERE connection_id = :connection_id AND issue = :issue AND state = 'waiting'",
        [{"connection_id": connection_id, "issue": issue} for connection_id, issue in issues],
    )


async def make_all_due(tx: Transaction) -> None:
    """Let every waiting message be tried at once: whoever knew what it waited for is gone."""
    await tx.execute("UPDATE inbox SET due_ms = 0 WHERE state = 'waiting'")


async def hold(tx: Transaction, inbox_id: int) -> None:
    """Leave the message until a person decides."""
    await tx.execute("UPDATE inbox SET state = 'held', attempts = attempts + 1 WHERE id = :id", {"id": inbox_id})


async def release(tx: Transaction, inbox_id: int) -> None:
    """Let a held or waiting message be tried at once, as if for the first time."""
    await tx.execute(
        "UPDATE inbox SET state = 'new', attempts = 0, due_ms = 0 WHERE id = :id AND state IN ('held', 'waiting')",
        {"id": inbox_id},
    )


async def look_again(tx: Transaction, connection_id: int, issue: str) -> None:
    """Open the newest replica of an issue once more, because what its rules asked for is here now."""
    await tx.execute(
        "UPDATE inbox SET state = 'new', attempts = 0, due_ms = 0, code = NULL, done_ms = NULL"
        " WHERE id = (SELECT MAX(id) FROM inbox WHERE connection_id = :connection_id AND issue = :issue"
        " AND kind = 'issue.replica') AND state IN ('held', 'done')",
        {"connection_id": connection_id, "issue": issue},
    )


async def supersede_older(tx: Transaction, connection_id: int, issue: str, before_id: int, now_ms: int) -> list[int]:
    """End the open replicas of an issue that are older than row ``before_id``; return their ids."""
    rows = await tx.fetch_all(
        "UPDATE inbox SET state = 'done', code = :code, done_ms = :now_ms WHERE connection_id = :connection_id"
        " AND issue = :issue AND id < :before_id AND kind = 'issue.replica' AND state <> 'done' RETURNING id",
        {
            "code": int(Code.SUPERSEDED),
            "now_ms": now_ms,
            "connection_id": connection_id,
            "issue": issue,
            "before_id": before_id,
        },
    )
    return sorted(row["id"] for row in rows)


async def count(reader: Reader, connection_id: int) -> dict[str, int]:
    """Return how many messages are in each state but ``done``."""
    rows = await reader.fetch_all(
        "SELECT state, COUNT(*) AS number FROM inbox WHERE connection_id = :connection_id"
        " AND state IN ('new', 'waiting', 'held') GROUP BY state",
        {"connection_id": connection_id},
    )
    return {row["state"]: row["number"] for row in rows}


async def backlog(reader: Reader, connection_id: int) -> tuple[int, int]:
    """Return how many messages wait to be applied and the bytes that they take: what credit is counted from.

    Held ones count for little, so that people may take their time, but not for nothing: a peer may not fill the disk
    with what nobody can apply.
    """
    row = await reader.fetch_one(
        "SELECT COUNT(*) AS number, COALESCE(SUM(size), 0) AS size,"
        " COUNT(CASE WHEN state = 'held' THEN 1 END) AS held,"
        " COALESCE(SUM(CASE WHEN state = 'held' THEN size END), 0) AS held_size FROM inbox"
        " WHERE connection_id = :connection_id AND state IN ('new', 'waiting', 'held')",
        {"connection_id": connection_id},
    )
    if row is None:
        return 0, 0
    number, size, held, held_size = row["number"], row["size"], row["held"], row["held_size"]
    return number - held + held // HELD_TO_ONE, size - held_size + held_size // HELD_BYTES_TO_ONE


async def prune(tx: Transaction, connection_id: int, *, before_ms: int) -> None:
    """Forget messages that were done before ``before_ms``; their ids are needed only across epochs."""
    await tx.execute(
        "DELETE FROM inbox WHERE connection_id = :connection_id AND state = 'done' AND done_ms < :before_ms",
        {"connection_id": connection_id, "before_ms": before_ms},
    )


def _received(row: Row) -> Received:
    mid: bytes | None = row["mid"]
    return Received(
        id=row["id"],
        connection_id=row["connection_id"],
        mid=None if mid is None else mid.decode(),
        kind=row["kind"],
        issue=row["issue"],
        payload=row["payload"],
        state=row["state"],
        attempts=row["attempts"],
        received_ms=row["received_ms"],
    )
