"""Changes: what was seen to happen in our tracker and was not dealt with yet. Stored before it is answered."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from node.store.port import Reader, Row, Transaction

WEBHOOK = "webhook"
POLL = "poll"
REQUEST = "request"

NEW = "new"
WAITING = "waiting"
HELD = "held"


@dataclass(frozen=True, slots=True)
class StoredChange:
    """One notice. ``issue`` is an id, or the key that a person typed; ``body`` is raw JSON.

    A request is a notice, too: a person wants an issue in sync on its connection.
    """

    id: int
    source: str
    connection_id: int | None
    issue: str | None
    body: str | None
    state: str
    attempts: int


async def add(
    tx: Transaction,
    *,
    source: str,
    now_ms: int,
    issue: str | None = None,
    body: str | None = None,
    connection_id: int | None = None,
) -> int:
    """Store a notice and return its row's id."""
    row = await tx.fetch_one(
        "INSERT INTO change (source, connection_id, issue, body, received_ms, state) "
        "VALUES (:source, :connection_id, :issue, :body, :now_ms, 'new') RETURNING id",
        {"source": source, "connection_id": connection_id, "issue": issue, "body": body, "now_ms": now_ms},
    )
    return row["id"] if row else 0


async def swept(tx: Transaction, *, issue: str, body: str, now_ms: int) -> None:
    """Store what a sweep saw of an issue, unless the same is stored and waits: each sweep sees it again."""
    await tx.execute(
        "INSERT INTO change (source, issue, body, received_ms, state) SELECT 'poll', :issue, :body, :now_ms, 'new' "
        "WHERE NOT EXISTS (SELECT 1 FROM change WHERE source = 'poll' AND issue = :issue AND body = :body)",
        {"issue": issue, "body": body, "now_ms": now_ms},
    )


MAX_READ = 32 * 1024 * 1024
"""Characters of notices that are read at once."""


async def due(
    reader: Reader, now_ms: int, *, after: int = 0, limit: int = 100, size: int = MAX_READ
) -> list[StoredChange]:
    """Return notices that can be dealt with now, oldest first, beyond row ``after``: of ``size`` together, or one."""
    rows = await reader.fetch_all(
        "SELECT id, source, connection_id, issue, body, state, attempts FROM (SELECT first.*, "
        "SUM(LENGTH(COALESCE(body, ''))) OVER (ORDER BY id) AS total, ROW_NUMBER() OVER (ORDER BY id) AS place "
        "FROM (SELECT * FROM change WHERE id > :after AND (state = 'new' OR (state = 'waiting' AND due_ms <= :now_ms)) "
        "ORDER BY id LIMIT :limit) AS first) WHERE total <= :size OR place = 1 ORDER BY id",
        {"after": after, "now_ms": now_ms, "limit": limit, "size": size},
    )
    return [_stored(row) for row in rows]


async def newest(reader: Reader) -> int:
    """Return the id of the newest notice, 0 where there is none."""
    row = await reader.fetch_one("SELECT max(id) AS id FROM change")
    return (row["id"] or 0) if row else 0


async def any_new(reader: Reader, up_to: int) -> bool:
    """Tell whether nobody has looked yet at a notice up to row ``up_to``."""
    row = await reader.fetch_one(
        "SELECT 1 AS one FROM change WHERE state = 'new' AND id <= :up_to LIMIT 1", {"up_to": up_to}
    )
    return row is not None


async def next_due_ms(reader: Reader, after_ms: int) -> int | None:
    """Return when the next waiting notice comes due that was not due at ``after_ms``."""
    row = await reader.fetch_one(
        "SELECT min(due_ms) AS due FROM change WHERE state = 'waiting' AND due_ms > :after_ms", {"after_ms": after_ms}
    )
    return row["due"] if row else None


async def done(tx: Transaction, ids: Sequence[int]) -> None:
    """Forget notices that were dealt with."""
    await tx.execute(
        "DELETE FROM change WHERE id IN (SELECT value FROM json_each(:ids))", {"ids": json.dumps(list(ids))}
    )


async def done_of_issue(tx: Transaction, issue_id: str, *, up_to: int) -> None:
    """Forget earlier notices of an issue that are held: the look that succeeded saw a newer state.

    One that waits may show a still newer state, since notices come in any order. What a person asked for stays until
    it was answered.
    """
    await tx.execute(
        "DELETE FROM change WHERE issue = :issue AND id <= :up_to AND state = 'held' AND source <> 'request'",
        {"issue": issue_id, "up_to": up_to},
    )


async def set_issue(tx: Transaction, ids: Sequence[int], issue_id: str) -> None:
    """Remember which issue notices are about, once that is known."""
    await tx.execute(
        "UPDATE change SET issue = :issue WHERE id IN (SELECT value FROM json_each(:ids))",
        {"issue": issue_id, "ids": json.dumps(list(ids))},
    )


async def postpone(tx: Transaction, ids: Sequence[int], *, due_ms: int) -> None:
    """Try again later."""
    await tx.execute(
        "UPDATE change SET state = 'waiting', attempts = attempts + 1, due_ms = :due_ms "
        "WHERE id IN (SELECT value FROM json_each(:ids))",
        {"due_ms": due_ms, "ids": json.dumps(list(ids))},
    )


async def ask(tx: Transaction, *, connection_id: int, issue: str, now_ms: int, due_ms: int | None) -> int:
    """Store that a person wants an issue in sync on a connection, due then, or held where None; return the row's id.

    Asking again replaces what was asked before.
    """
    await tx.execute(
        "DELETE FROM change WHERE source = 'request' AND connection_id = :connection_id AND issue = :issue",
        {"connection_id": connection_id, "issue": issue},
    )
    row = await add(tx, source=REQUEST, now_ms=now_ms, issue=issue, connection_id=connection_id)
    if due_ms is None:
        await hold(tx, [row])
    else:
        await postpone(tx, [row], due_ms=due_ms)
    return row


async def hold(tx: Transaction, ids: Sequence[int]) -> None:
    """Keep notices aside until a person decides."""
    await tx.execute(
        "UPDATE change SET state = 'held', attempts = attempts + 1 WHERE id IN (SELECT value FROM json_each(:ids))",
        {"ids": json.dumps(list(ids))},
    )


async def release(tx: Transaction, change_id: int) -> bool:
    """Let a held or waiting notice be tried again at once; False when it is gone."""
    result = await tx.execute(
        "UPDATE change SET state = 'new', due_ms = 0 WHERE id = :id AND state IN ('held', 'waiting')",
        {"id": change_id},
    )
    return result.rowcount > 0


async def requests_of(reader: Reader, issue_ids: Sequence[str]) -> list[StoredChange]:
    """Return the held requests for these issues: what people asked for and could not have yet."""
    rows = await reader.fetch_all(
        "SELECT id, source, connection_id, issue, body, state, attempts FROM change WHERE source = 'request' "
        "AND state = 'held' AND issue IN (SELECT value FROM json_each(:ids)) ORDER BY id",
        {"ids": json.dumps(list(issue_ids))},
    )
    return [_stored(row) for row in rows]


MANY = 256
"""So many notices that were not looked at may tell of any issue: searching all of them would cost more than asking."""


async def unread_about(reader: Reader, issue_id: str) -> list[StoredChange] | None:
    """Return the notices that nobody has looked at and that may be about an issue; None where there are too many.

    A webhook's notice is searched for the id, so it may be about another.
    """
    row = await reader.fetch_one(
        "SELECT COUNT(*) AS number FROM (SELECT 1 FROM change WHERE state IN ('new', 'waiting') LIMIT :many)",
        {"many": MANY},
    )
    number = row["number"] if row else 0
    if number in {0, MANY}:
        return None if number else []
    rows = await reader.fetch_all(
        "SELECT id, source, connection_id, issue, body, state, attempts FROM change WHERE state IN ('new', 'waiting')"
        " AND (issue = :issue OR (issue IS NULL AND INSTR(body, :quoted) > 0)) ORDER BY id",
        {"issue": issue_id, "quoted": json.dumps(issue_id)},
    )
    return [_stored(row) for row in rows]


async def counts(reader: Reader) -> dict[str, int]:
    """Return how many notices are in each state."""
    rows = await reader.fetch_all("SELECT state, count(*) AS changes FROM change GROUP BY state")
    return {row["state"]: row["changes"] for row in rows}


def _stored(row: Row) -> StoredChange:
    return StoredChange(
        row["id"], row["source"], row["connection_id"], row["issue"], row["body"], row["state"], row["attempts"]
    )
