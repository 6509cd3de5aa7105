"""Rule sets as they were published: every version of both directions of a connection is kept."""

from __future__ import annotations

from dataclasses import dataclass

from node.store.port import Reader, Row, Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRuleSet:
    """``body`` is the text that ``rules/ruleset.py`` reads; ``author`` and ``why`` are for people."""

    version: int
    body: str
    author: str
    why: str
    created_ms: int


def _stored(row: Row) -> StoredRuleSet:
    return StoredRuleSet(
        version=row["version"], body=row["body"], author=row["author"], why=row["why"], created_ms=row["created_ms"]
    )


async def publish(
    tx: Transaction, connection_id: int, direction: str, *, body: str, author: str, why: str, now_ms: int
) -> int:
    """Store the next version, which counts from this transaction's commit on, and return its number."""
    row = await tx.fetch_one(
        "SELECT coalesce(max(version), 0) + 1 AS next FROM rule_set "
        "WHERE connection_id = :connection_id AND direction = :direction",
        {"connection_id": connection_id, "direction": direction},
    )
    version: int = row["next"] if row else 1
    await tx.execute(
        "INSERT INTO rule_set (connection_id, direction, version, body, author, why, created_ms) "
        "VALUES (:connection_id, :direction, :version, :body, :author, :why, :now_ms)",
        {
            "connection_id": connection_id,
            "direction": direction,
            "version": version,
            "body": body,
            "author": author,
            "why": why,
            "now_ms": now_ms,
        },
    )
    return version


async def current(reader: Reader, connection_id: int, direction: str) -> StoredRuleSet | None:
    """Return the version that counts now."""
    row = await reader.fetch_one(
        "SELECT * FROM rule_set "
        "WHERE connection_id = :connection_id AND direction = :direction ORDER BY version DESC LIMIT 1",
        {"connection_id": connection_id, "direction": direction},
    )
    return _stored(row) if row else None


async def version(reader: Reader, connection_id: int, direction: str, number: int) -> StoredRuleSet | None:
    """Return one version."""
    row = await reader.fetch_one(
        "SELECT * FROM rule_set WHERE connection_id = :connection_id AND direction = :direction AND version = :version",
        {"connection_id": connection_id, "direction": direction, "version": number},
    )
    return _stored(row) if row else None


async def versions(reader: Reader, connection_id: int, direction: str) -> list[StoredRuleSet]:
    """Return all versions, newest first."""
    rows = await reader.fetch_all(
        "SELECT * FROM rule_set WHERE connection_id = :connection_id AND direction = :direction ORDER BY version DESC",
        {"connection_id": connection_id, "direction": direction},
    )
    return [_stored(row) for row in rows]
