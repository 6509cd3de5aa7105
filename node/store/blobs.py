"""Which files are on their way over each connection. Statements only; the bytes are in the blob folder.

A ``tx`` row says that the peer may ask for a file of ours; an ``rx`` row that we want one of the peer's, with the
chunks that are still missing. A file that is all here has no row any more. ``sha256`` is hex, sizes are bytes, times
are milliseconds since 1970 UTC.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from node.store.engine import Reader, Row, Transaction
from protocol.blob import Ranges, chunk_count, missing_ranges


@dataclass(frozen=True, slots=True)
class Blob:
    """A file on its way. ``missing`` are ranges of chunk indexes, both ends included."""

    sha256: str
    size: int
    missing: Ranges
    created_ms: int


async def offer(tx: Transaction, connection_id: int, sha256: str, size: int, now_ms: int) -> None:
    """Note that the peer may ask for a file of ours."""
    await tx.execute(
        "INSERT INTO blob (connection_id, direction, sha256, size, created_ms)"
        " VALUES (:connection_id, 'tx', :sha256, :size, :now_ms)"
        " ON CONFLICT (connection_id, direction, sha256) DO UPDATE SET created_ms = excluded.created_ms",
        {"connection_id": connection_id, "sha256": sha256, "size": size, "now_ms": now_ms},
    )


async def want(tx: Transaction, connection_id: int, sha256: str, size: int, now_ms: int) -> None:
    """Note that we want a file of the peer's; nothing changes if it is on its way already."""
    missing = missing_ranges((), chunk_count(size))
    await tx.execute(
        "INSERT INTO blob (connection_id, direction, sha256, size, missing, created_ms)"
        " VALUES (:connection_id, 'rx', :sha256, :size, :missing, :now_ms)"
        " ON CONFLICT (connection_id, direction, sha256) DO NOTHING",
        {
            "connection_id": connection_id,
            "sha256": sha256,
            "size": size,
            "missing": json.dumps(missing),
            "now_ms": now_ms,
        },
    )


async def offered(reader: Reader, connection_id: int, sha256: str) -> Blob | None:
    """Return a file of ours that the peer may ask for."""
    row = await reader.fetch_one(
        "SELECT * FROM blob WHERE connection_id = :connection_id AND direction = 'tx' AND sha256 = :sha256",
        {"connection_id": connection_id, "sha256": sha256},
    )
    return None if row is None else _blob(row)


async def wanted(reader: Reader, connection_id: int, *, limit: int) -> list[Blob]:
    """Return files of the peer's that are not all here, oldest first."""
    rows = await reader.fetch_all(
        "SELECT * FROM blob WHERE connection_id = :connection_id AND direction = 'rx'"
        " ORDER BY created_ms, sha256 LIMIT :limit",
        {"connection_id": connection_id, "limit": limit},
    )
    return [_blob(row) for row in rows]


async def wanted_bytes(reader: Reader, connection_id: int) -> int:
    """Return the bytes of all files of the peer's that are on their way."""
    row = await reader.fetch_one(
        "SELECT COALESCE(SUM(size), 0) AS size FROM blob WHERE connection_id = :id AND direction = 'rx'",
        {"id": connection_id},
    )
    return 0 if row is None else int(row["size"])


async def set_missing(tx: Transaction, connection_id: int, sha256: str, missing: Ranges) -> None:
    """Note which chunks are still missing."""
    await tx.execute(
        "UPDATE blob SET missing = :missing WHERE connection_id = :connection_id AND direction = 'rx'"
        " AND sha256 = :sha256",
        {"missing": json.dumps(missing), "connection_id": connection_id, "sha256": sha256},
    )


async def arrived(tx: Transaction, connection_id: int, sha256: str) -> None:
    """Forget a file of the peer's: it is all here, or will never come."""
    await tx.execute(
        "DELETE FROM blob WHERE connection_id = :connection_id AND direction = 'rx' AND sha256 = :sha256",
        {"connection_id": connection_id, "sha256": sha256},
    )


async def stale_offers(reader: Reader, before_ms: int) -> list[tuple[int, str]]:
    """Return (connection, sha256) of offers made before ``before_ms`` whose connections have nothing to deliver."""
    rows = await reader.fetch_all(
        "SELECT connection_id, sha256 FROM blob AS b WHERE direction = 'tx' AND created_ms < :before_ms AND NOT EXISTS"
        " (SELECT 1 FROM outbox AS o WHERE o.connection_id = b.connection_id AND o.state IN ('queued', 'sealed'))",
        {"before_ms": before_ms},
    )
    return [(row["connection_id"], row["sha256"]) for row in rows]


async def withdraw(tx: Transaction, connection_id: int, sha256: str) -> None:
    """Take an offer back."""
    await tx.execute(
        "DELETE FROM blob WHERE connection_id = :connection_id AND direction = 'tx' AND sha256 = :sha256",
        {"connection_id": connection_id, "sha256": sha256},
    )


def _blob(row: Row) -> Blob:
    missing = tuple((low, high) for low, high in json.loads(row["missing"]))
    return Blob(row["sha256"], row["size"], missing, row["created_ms"])
