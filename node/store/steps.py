"""Steps: calls to the tracker that must not happen twice. Intent stored, call, result stored with the intent's end.

An intent that is still here when the call is to be made means that a crash or a cut line came between: probe first.
Setting fields may happen twice; its intent says which of our fields may be of our own writing without our knowing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from node.store.port import Reader, Transaction

FIELDS = "fields"
"""The calls that set fields."""

CREATE = "create"
"""The call that makes an issue."""

BORN = "born with"
"""What an issue was to be made with: one that is found again may be older than the peer's last word."""

_IN_WORK = (
    "EXISTS (SELECT 1 FROM inbox JOIN connection ON connection.id = inbox.connection_id "
    "WHERE inbox.connection_id = step.connection_id AND inbox.issue = step.issue "
    "AND inbox.state IN ('new', 'waiting') AND connection.state <> 'closed')"
)


@dataclass(frozen=True, slots=True)
class Step:
    """``issue`` is the peer's handle, ``key`` names the call, ``marker`` is what the call leaves in the tracker.

    A file's marker is ``<SHA-256>/<size>``, because it carries nothing but its bytes; those of ``fields``
    and ``born with`` hold the values, as JSON (`node.sync.attempts`).
    """

    issue: str
    key: str
    marker: str
    since_ms: int


async def open_steps(reader: Reader, connection_id: int, issue: str) -> dict[str, Step]:
    """Return the intents of an issue whose result is not known, by key."""
    rows = await reader.fetch_all(
        "SELECT issue, key, marker, since_ms FROM step WHERE connection_id = :connection_id AND issue = :issue",
        {"connection_id": connection_id, "issue": issue},
    )
    return {row["key"]: Step(row["issue"], row["key"], row["marker"], row["since_ms"]) for row in rows}


async def intend(tx: Transaction, connection_id: int, steps: Sequence[Step]) -> None:
    """Store intents; one that is stored already keeps its first time and takes the new marker."""
    await tx.executemany(
        "INSERT INTO step (connection_id, issue, key, marker, since_ms) "
        "VALUES (:connection_id, :issue, :key, :marker, :since_ms) "
        "ON CONFLICT (connection_id, issue, key) DO UPDATE SET marker = excluded.marker",
        [{"connection_id": connection_id, **asdict(step)} for step in steps],
    )


async def end(tx: Transaction, connection_id: int, issue: str, key: str) -> None:
    """The result is stored in this transaction, or the call certainly had no effect."""
    await tx.execute(
        "DELETE FROM step WHERE connection_id = :connection_id AND issue = :issue AND key = :key",
        {"connection_id": connection_id, "issue": issue, "key": key},
    )


async def open_since(reader: Reader, key: str) -> list[int]:
    """Return since when calls of this name are open, in milliseconds since 1970 UTC.

    Only those count whose message is still being worked on: nobody makes the call any more for one that ended without
    it, or whose connection is closed.
    """
    rows = await reader.fetch_all(f"SELECT step.since_ms FROM step WHERE key = :key AND {_IN_WORK}", {"key": key})  # noqa: S608 - a constant
    return [row["since_ms"] for row in rows]


@dataclass(frozen=True, slots=True)
class OnIssue:
    """An open call on one of our issues. ``in_work``: the message that asked for it is still being worked on."""

    link_id: int
    connection_id: int
    step: Step
    in_work: bool


async def on_issue(reader: Reader, issue_id: str) -> list[OnIssue]:
    """Return the calls on one of our issues, by any connection's wish, that have no known result yet."""
    rows = await reader.fetch_all(
        f"SELECT step.*, link.id AS link_id, {_IN_WORK} AS in_work FROM step "  # noqa: S608 - a constant
        "JOIN link ON link.connection_id = step.connection_id AND link.twin = step.issue "
        "WHERE link.issue_id = :issue_id",
        {"issue_id": issue_id},
    )
    return [
        OnIssue(
            row["link_id"],
            row["connection_id"],
            Step(row["issue"], row["key"], row["marker"], row["since_ms"]),
            bool(row["in_work"]),
        )
        for row in rows
    ]


async def drop_of_closed_connections(tx: Transaction) -> None:
    """Forget calls that nobody will make or probe any more."""
    await tx.execute("DELETE FROM step WHERE connection_id IN (SELECT id FROM connection WHERE state = 'closed')")
