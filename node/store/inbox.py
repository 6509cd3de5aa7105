"""What the peer has said and we have signed for, one row a message. Statements only, no decisions.

A row is ``new``, ``waiting`` (tried, due again at ``due_ms``), ``held`` (a person must look) or ``done`` (with its
outcome in ``code``). Rows of one issue are applied in order; rows of different issues do not wait for each other, and
a held row does not stop newer rows of its issue, since the newest replica says all.
Times are milliseconds since 1970 UTC. ``issue`` is the peer's handle, ``mid`` the text that the message carries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from node.store.engine import Reader, Transaction
from protocol.messages import Code

NEW: Final = "new"
WAITING: Final = "waiting"
HELD: Final = "held"
DONE: Final = "done"

_COLUMNS: Final = "i.id, i.connection_id, i.mid, i.kind, i.issue, i.payload, i.state, i.attempts, i.received_ms"


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message that has just been accepted into the stream. ``code`` is set when nobody needs to look at it."""

    epoch: int
    seq: int
    mid: str | None
    kind: str
    issue: str | None
    envelope: bytes
    payload: bytes
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
        "INSERT INTO inbox (connection_id, epoch, seq, mid, kind, issue, envelope, payload, state, code, received_ms,"
        " done_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                connection_id, one.epoch, one.seq, None if one.mid is None else one.mid.encode(), one.kind, one.issue,
                one.envelope, one.payload, NEW if one.code is None else DONE, one.code, now_ms,
                None if one.code is None else now_ms,
            )
            for one in messages
        ],
    )  # fmt: skip


async def known(reader: Reader, connection_id: int, mids: Sequence[str]) -> set[str]:
    """Return those of ``mids`` that this connection has received before, in any epoch. At most 900 at a time."""
    if not mids:
        return set()
    marks = ", ".join("?" * len(mids))
    rows = await reader.fetch_all(
        f"SELECT mid FROM inbox WHERE connection_id = ? AND mid IN ({marks})",  # noqa: S608 - only question marks
        (connection_id, *(mid.encode() for mid in mids)),
    )
    return {bytes(row[0]).decode() for row in rows}


async def outcome_of(reader: Reader, connection_id: int, mid: str) -> int | None:
    """Return the recorded outcome of a message, None while it has none (or never came)."""
    row = await reader.fetch_one(
        "SELECT code FROM inbox WHERE connection_id = ? AND mid = ? AND state = ? ORDER BY id LIMIT 1",
        (connection_id, mid.encode(), DONE),
    )
    return None if row is None else row[0]


async def ready(reader: Reader, now_ms: int, *, limit: int) -> list[Received]:
    """Return messages that may be worked on now: of each issue only the oldest open one, on active connections."""
    rows = await reader.fetch_all(
        f"SELECT {_COLUMNS} FROM inbox AS i JOIN connection AS c ON c.id = i.connection_id"  # noqa: S608 - a constant
        " WHERE i.state IN (?, ?) AND i.due_ms <= ? AND c.state = 'active' AND NOT EXISTS (SELECT 1 FROM inbox AS e"
        " WHERE e.connection_id = i.connection_id AND e.issue = i.issue AND e.id < i.id AND e.state IN (?, ?))"
        " ORDER BY i.id LIMIT ?",
        (NEW, WAITING, now_ms, NEW, WAITING, limit),
    )
    return [_received(row) for row in rows]


async def open_of_issue(reader: Reader, connection_id: int, issue: str) -> list[Received]:
    """Return every message about one issue that has no outcome yet, held ones too, oldest first."""
    rows = await reader.fetch_all(
        f"SELECT {_COLUMNS} FROM inbox AS i"  # noqa: S608 - a constant
        " WHERE i.connection_id = ? AND i.issue = ? AND i.state <> ? ORDER BY i.id",
        (connection_id, issue, DONE),
    )
    return [_received(row) for row in rows]


async def get(reader: Reader, inbox_id: int) -> Received | None:
    """Return one message."""
    row = await reader.fetch_one(
        f"SELECT {_COLUMNS} FROM inbox AS i WHERE i.id = ?",  # noqa: S608 - a constant
        (inbox_id,),
    )
    return None if row is None else _received(row)


async def next_due(reader: Reader) -> int | None:
    """Return when the next waiting message is due, None if none waits."""
    row = await reader.fetch_one("SELECT MIN(due_ms) FROM inbox WHERE state IN (?, ?)", (NEW, WAITING))
    return None if row is None else row[0]


async def finish(tx: Transaction, inbox_id: int, code: int, now_ms: int) -> None:
    """Record the one final outcome of a message."""
    await tx.execute(
        "UPDATE inbox SET state = ?, code = ?, done_ms = ? WHERE id = ?", (DONE, int(code), now_ms, inbox_id)
    )


async def wait(tx: Transaction, inbox_id: int, due_ms: int) -> None:
    """Count one try more and leave the message until ``due_ms``."""
    await tx.execute(
        "UPDATE inbox SET state = ?, attempts = attempts + 1, due_ms = ? WHERE id = ?", (WAITING, due_ms, inbox_id)
    )


async def hold(tx: Transaction, inbox_id: int) -> None:
    """Leave the message until a person decides."""
    await tx.execute("UPDATE inbox SET state = ?, attempts = attempts + 1 WHERE id = ?", (HELD, inbox_id))


async def release(tx: Transaction, inbox_id: int) -> None:
    """Let a held or waiting message be tried at once, as if for the first time."""
    await tx.execute(
        "UPDATE inbox SET state = ?, attempts = 0, due_ms = 0 WHERE id = ? AND state IN (?, ?)",
        (NEW, inbox_id, HELD, WAITING),
    )


async def supersede_older(tx: Transaction, connection_id: int, issue: str, before_id: int, now_ms: int) -> list[int]:
    """End the open replicas of an issue that are older than row ``before_id``; return their ids."""
    rows = await tx.fetch_all(
        "UPDATE inbox SET state = ?, code = ?, done_ms = ? WHERE connection_id = ? AND issue = ? AND id < ?"
        " AND kind = 'issue.replica' AND state <> ? RETURNING id",
        (DONE, int(Code.SUPERSEDED), now_ms, connection_id, issue, before_id, DONE),
    )
    return [row[0] for row in rows]


async def count(reader: Reader, connection_id: int) -> dict[str, int]:
    """Return how many messages are in each state but ``done``."""
    rows = await reader.fetch_all(
        "SELECT state, COUNT(*) FROM inbox WHERE connection_id = ? AND state IN (?, ?, ?) GROUP BY state",
        (connection_id, NEW, WAITING, HELD),
    )
    return {row[0]: row[1] for row in rows}


async def backlog(reader: Reader, connection_id: int) -> tuple[int, int]:
    """Return how many messages wait to be applied and the bytes that they take: what credit is counted from."""
    row = await reader.fetch_one(
        "SELECT COUNT(*), COALESCE(SUM(LENGTH(envelope)), 0) FROM inbox WHERE connection_id = ? AND state IN (?, ?)",
        (connection_id, NEW, WAITING),
    )
    return (0, 0) if row is None else (row[0], row[1])


async def prune(tx: Transaction, connection_id: int, *, before_ms: int) -> None:
    """Forget messages that were done before ``before_ms``; their ids are needed only across epochs."""
    await tx.execute(
        "DELETE FROM inbox WHERE connection_id = ? AND state = ? AND done_ms < ?", (connection_id, DONE, before_ms)
    )


def _received(row: Sequence[object]) -> Received:
    mid = row[2]
    return Received(row[0], row[1], None if mid is None else bytes(mid).decode(), *row[3:5], bytes(row[5]), *row[6:])  # type: ignore[arg-type, call-overload]  # typed by the statement
