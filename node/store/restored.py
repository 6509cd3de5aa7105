"""That our own database was put back: per connection, what was asked of its peer and from where on it answers.

One cursor a connection, which stays for good: a link that nobody has heard of since `Restored.begin` has not recovered,
however late the peer speaks of it. Statements only, never a decision. Times are milliseconds since 1970 UTC.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from node.store import cursors
from node.store.port import Reader, Transaction

LEAP: Final = 1 << 20
"""By how much revisions rise: more than anybody said between a backup and its restore."""
PROBLEM: Final = "NewEpoch"
"""The code of the problem that says so while the peer is waited for."""

_NAME: Final = "restored:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """A restore that was noticed.

    Attributes:
        mid: of the message that asks the peer to say everything again.
        since_ms: when this database had last heard of the peer; what came later is lost.
        begin: the inbox row after which the peer says everything again, 0 until it has begun.
        done_ms: when waiting for the peer was over, 0 while it is waited for.
        anchor: the signed row of the ledger that showed the loss, so that it is taken for a loss once.
    """

    mid: str
    since_ms: int
    begin: int = 0
    done_ms: int = 0
    anchor: str = ""

    @property
    def waits(self) -> bool:
        """Tell whether nothing of ours may be sent yet."""
        return not self.done_ms

    def knows(self, received: Mapping[str, Any] | None) -> bool:
        """Tell by the last replica of a link whether it has recovered: the peer has spoken of it since it began."""
        return bool(self.begin) and (received or {}).get("row", 0) >= self.begin


async def read(reader: Reader, connection_id: int) -> Restored | None:
    """Return the last restore that was noticed on a connection."""
    value = await cursors.read(reader, f"{_NAME}{connection_id}")
    return None if value is None else Restored(**json.loads(value))


async def write(tx: Transaction, connection_id: int, restored: Restored) -> None:
    """Keep what is known of a restore."""
    await cursors.write(tx, f"{_NAME}{connection_id}", json.dumps(asdict(restored)))


async def every(reader: Reader) -> dict[int, Restored]:
    """Return the last restore of each active connection that has seen one."""
    rows = await reader.fetch_all(
        "SELECT connection.id, cursor.value FROM connection JOIN cursor ON cursor.name = :name || connection.id "
        "WHERE connection.state = 'active'",
        {"name": _NAME},
    )
    return {row["id"]: Restored(**json.loads(row["value"])) for row in rows}


async def waits(reader: Reader, connection_id: int) -> bool:
    """Tell whether a connection waits for its peer to say again what was lost."""
    found = await read(reader, connection_id)
    return found is not None and found.waits


async def waits_on_issue(reader: Reader, issue_id: str) -> bool:
    """Tell whether one of our issues is linked on a connection that waits."""
    rows = await reader.fetch_all(
        "SELECT cursor.value FROM link JOIN connection ON connection.id = link.connection_id "
        "JOIN cursor ON cursor.name = :name || link.connection_id "
        "WHERE link.issue_id = :issue_id AND link.state = 'active' AND connection.state = 'active'",
        {"name": _NAME, "issue_id": issue_id},
    )
    return any(Restored(**json.loads(row["value"])).waits for row in rows)


async def leap(tx: Transaction, connection_id: int) -> None:
    """Let the revisions of all links rise above everything that was ever said, and with them what was not said yet.

    What was said in messages without a receipt counts as not said: they are dropped. A link of which the peer never
    heard begins with its first message.
    """
    unsaid = (
        "min(link.revision + 1, coalesce((SELECT min(o.revision) FROM outbox AS o WHERE o.link_id = link.id "
        "AND o.kind = 'issue.replica' AND o.state IN ('queued', 'sealed')), link.revision + 1))"
    )
    raised = (
        "(SELECT json_group_object(e.key, CASE WHEN e.value >= {unsaid} THEN e.value + :leap ELSE e.value END) "
        "FROM json_each(link.{column}) AS e)"
    )
    await tx.execute(
        f"UPDATE link SET edited = {raised.format(unsaid=unsaid, column='edited')}, "  # noqa: S608 - our own names
        f"sent_changed = {raised.format(unsaid=unsaid, column='sent_changed')}, "
        "sent = CASE WHEN twin IS NULL AND received IS NULL THEN NULL ELSE sent END, "
        "revision = revision + :leap WHERE connection_id = :connection_id",
        {"leap": LEAP, "connection_id": connection_id},
    )


async def say_again(tx: Transaction, connection_id: int, begin: int, now_ms: int) -> None:
    """Let every issue of a connection be looked at, and those of which nobody spoke since row ``begin`` be sent."""
    await tx.execute(
        "UPDATE link SET sent = json_remove(sent, '$.comments', '$.attachments', '$.worklogs') "
        "WHERE connection_id = :connection_id AND state = 'active' AND sent IS NOT NULL "
        "AND coalesce(json_extract(received, '$.row'), 0) < :begin",
        {"connection_id": connection_id, "begin": begin},
    )
    await tx.execute(
        "INSERT INTO change (source, issue, received_ms, state) SELECT 'poll', issue_id, :now_ms, 'new' FROM link "
        "WHERE connection_id = :connection_id AND state = 'active'",
        {"connection_id": connection_id, "now_ms": now_ms},
    )
    await tx.execute("UPDATE change SET due_ms = 0 WHERE state = 'waiting'")


async def row_of(reader: Reader, connection_id: int, mid: str) -> int:
    """Return the inbox row of a message, 0 where it is not there."""
    row = await reader.fetch_one(
        "SELECT max(id) AS id FROM inbox WHERE connection_id = :connection_id AND mid = :mid",
        {"connection_id": connection_id, "mid": mid.encode()},
    )
    return (row["id"] or 0) if row else 0


async def newest_row(reader: Reader) -> int:
    """Return the newest row that the inbox had, as far as anything remembers it; 0 where nothing came."""
    row = await reader.fetch_one(
        "SELECT max(coalesce((SELECT max(id) FROM inbox), 0), "
        "coalesce((SELECT max(json_extract(received, '$.row')) FROM link), 0)) AS id"
    )
    return row["id"] if row else 0


async def replicas_wait(reader: Reader, connection_id: int, before: int) -> bool:
    """Tell whether a replica up to row ``before`` is neither settled nor held."""
    row = await reader.fetch_one(
        "SELECT 1 AS one FROM inbox WHERE connection_id = :connection_id AND id < :before AND kind = 'issue.replica' "
        "AND state IN ('new', 'waiting') LIMIT 1",
        {"connection_id": connection_id, "before": before},
    )
    return row is not None


@dataclass(frozen=True, slots=True)
class Said:
    """A comment, file or worklog of which the peer spoke. ``blob`` and ``size`` are those of a file."""

    kind: str
    handle: str
    blob: str = ""
    size: int = 0


async def items_said(reader: Reader, connection_id: int, issue: str) -> list[Said]:
    """Return every part of one of the peer's issues in all messages that are kept, the last ones first."""
    found: list[Said] = []
    for kind in ("comment", "attachment", "worklog"):
        rows = await reader.fetch_all(
            "SELECT json_extract(part.value, '$.id') AS handle, json_extract(part.value, '$.blob') AS blob, "
            "json_extract(part.value, '$.size') AS size, max(inbox.id) AS last "
            "FROM inbox, json_each(CAST(inbox.payload AS TEXT), :place) AS part "
            "WHERE inbox.connection_id = :connection_id AND inbox.issue = :issue AND inbox.kind = 'issue.replica' "
            "GROUP BY handle, blob, size ORDER BY last DESC, handle",
            {"connection_id": connection_id, "issue": issue, "place": f"$.replica.{kind}s"},
        )
        found += [Said(kind, row["handle"], row["blob"] or "", row["size"] or 0) for row in rows]
    return found
