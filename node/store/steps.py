"""Steps: calls to the tracker that must not happen twice. Intent stored, call, result stored with the intent's end.

An intent that is still here when the call is to be made means that a crash or a cut line came between: probe first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from node.store.port import Reader, Transaction

CREATE = "create"
"""The call that makes an issue."""


@dataclass(frozen=True, slots=True)
class Step:
    """``issue`` is the peer's handle, ``key`` names the call, ``marker`` is what the call leaves in the tracker."""

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
    """Store intents; one that is stored already keeps its first time."""
    await tx.executemany(
        "INSERT INTO step (connection_id, issue, key, marker, since_ms) "
        "VALUES (:connection_id, :issue, :key, :marker, :since_ms) ON CONFLICT DO NOTHING",
        [{"connection_id": connection_id, **asdict(step)} for step in steps],
    )


async def end(tx: Transaction, connection_id: int, issue: str, key: str) -> None:
    """The result is stored in this transaction, or the call certainly had no effect."""
    await tx.execute(
        "DELETE FROM step WHERE connection_id = :connection_id AND issue = :issue AND key = :key",
        {"connection_id": connection_id, "issue": issue, "key": key},
    )


async def open_since(reader: Reader, key: str) -> list[int]:
    """Return since when calls of this name are open, on any connection; milliseconds since 1970 UTC."""
    rows = await reader.fetch_all("SELECT since_ms FROM step WHERE key = :key", {"key": key})
    return [row["since_ms"] for row in rows]


async def any_on_issue(reader: Reader, issue_id: str) -> bool:
    """Tell whether a call on one of our issues, by any connection's wish, has no known result yet."""
    row = await reader.fetch_one(
        "SELECT 1 AS one FROM step JOIN link ON link.connection_id = step.connection_id AND link.twin = step.issue "
        "WHERE link.issue_id = :issue_id LIMIT 1",
        {"issue_id": issue_id},
    )
    return row is not None
