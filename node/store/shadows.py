"""Shadows: the last state of each linked issue that we know of, so that a change costs no extra read.

Also the digests of its files, so that a file is fetched once. Statements only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import TypeAdapter

from node.store.port import Reader, Transaction
from node.sync.content import FileDigest
from node.trackers.issue import Issue, Value

_ISSUE = TypeAdapter(Issue)


@dataclass(frozen=True, slots=True)
class Shadow:
    """``updated_ms`` is the tracker's own time of the last state that it showed; 0 when it has shown none yet.

    ``pending`` are the fields that we wrote since, which it has not shown yet.
    """

    issue: Issue
    updated_ms: int
    pending: Mapping[str, Value] = field(default_factory=dict)


async def read(reader: Reader, issue_id: str) -> Shadow | None:
    """Return the shadow of an issue."""
    row = await reader.fetch_one("SELECT updated_ms, body, pending FROM shadow WHERE issue_id = :id", {"id": issue_id})
    if row is None:
        return None
    return Shadow(_ISSUE.validate_json(row["body"]), row["updated_ms"], json.loads(row["pending"]))


async def write(tx: Transaction, issue: Issue, *, updated_ms: int, pending: Mapping[str, Value] | None = None) -> None:
    """Keep the state of an issue."""
    await tx.execute(
        "INSERT INTO shadow (issue_id, issue_key, updated_ms, body, pending) "
        "VALUES (:id, :key, :updated_ms, :body, :pending) "
        "ON CONFLICT (issue_id) "
        "DO UPDATE SET issue_key = excluded.issue_key, updated_ms = excluded.updated_ms, body = excluded.body, "
        "pending = excluded.pending",
        {
            "id": issue.id,
            "key": issue.key,
            "updated_ms": updated_ms,
            "body": _ISSUE.dump_json(issue).decode(),
            "pending": json.dumps(dict(pending or {}), ensure_ascii=False),
        },
    )


async def drop(tx: Transaction, issue_id: str) -> None:
    """Forget an issue that is gone."""
    await tx.execute("DELETE FROM shadow WHERE issue_id = :id", {"id": issue_id})


async def known_times(reader: Reader, issue_ids: Sequence[str]) -> dict[str, int]:
    """Return the time of the known state of each of these issues that has a shadow."""
    rows = await reader.fetch_all(
        "SELECT issue_id, updated_ms FROM shadow WHERE issue_id IN (SELECT value FROM json_each(:ids))",
        {"ids": json.dumps(list(issue_ids))},
    )
    return {row["issue_id"]: row["updated_ms"] for row in rows}


async def file_digests(reader: Reader, attachment_ids: Sequence[str]) -> dict[str, FileDigest]:
    """Return the digests of those files that were fetched before."""
    rows = await reader.fetch_all(
        "SELECT attachment_id, sha256, size FROM attachment_blob WHERE attachment_id IN "
        "(SELECT value FROM json_each(:ids))",
        {"ids": json.dumps(list(attachment_ids))},
    )
    return {row["attachment_id"]: FileDigest(row["sha256"], row["size"]) for row in rows}


async def put_file_digest(tx: Transaction, attachment_id: str, digest: FileDigest) -> None:
    """Keep the digest of a file of ours."""
    await tx.execute(
        "INSERT INTO attachment_blob (attachment_id, sha256, size) VALUES (:id, :sha256, :size) "
        "ON CONFLICT (attachment_id) DO UPDATE SET sha256 = excluded.sha256, size = excluded.size",
        {"id": attachment_id, "sha256": digest.sha256, "size": digest.size},
    )


async def forget_digest(tx: Transaction, sha256: str) -> None:
    """Forget of which of our files this is the digest, so that they are fetched again."""
    await tx.execute("DELETE FROM attachment_blob WHERE sha256 = :sha256", {"sha256": sha256})


async def drop_unlinked(tx: Transaction) -> None:
    """Forget issues that no connection carries any more."""
    await tx.execute(
        "DELETE FROM shadow WHERE NOT EXISTS (SELECT 1 FROM link JOIN connection ON connection.id = link.connection_id "
        "WHERE link.issue_id = shadow.issue_id AND link.state = 'active' AND connection.state <> 'closed')"
    )


async def unused_digests(reader: Reader) -> list[str]:
    """Return the ids of files of which a digest is kept and that no known issue has."""
    rows = await reader.fetch_all(
        "SELECT attachment_id FROM attachment_blob WHERE attachment_id NOT IN (SELECT json_extract(file.value, '$.id') "
        "FROM shadow, json_each(shadow.body, '$.attachments') AS file)"
    )
    return [row["attachment_id"] for row in rows]


async def drop_digests(tx: Transaction, attachment_ids: Sequence[str]) -> None:
    """Forget digests of files; one that is needed again is made again."""
    await tx.execute(
        "DELETE FROM attachment_blob WHERE attachment_id IN (SELECT value FROM json_each(:ids))",
        {"ids": json.dumps(list(attachment_ids))},
    )
