"""Problems: what cannot go on by itself or goes badly, in words for people, each bound to the row that waits."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from node.store.port import Reader, Row, Transaction

CHANGE = "change"
INBOX = "inbox"
PEER = "peer"
OUTCOME = "outcome"
FILE = "file"
SWEEP = "sweep"
GONE = "gone"
"""An issue of ours that cannot be found any more; ``ref`` is its link."""

NOTES = frozenset({"Resend", "NewEpoch", "Resync", "PeerMoved"})
"""Codes of what people should know and need do nothing about: it does not wait for them, and ends by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """``code`` is the class of the error; ``ref`` the waiting row in the table of ``stage``."""

    id: int = 0
    connection_id: int | None
    stage: str
    ref: int | None
    issue_key: str | None
    code: str
    message: str
    advice: str = ""
    first_ms: int = 0
    last_ms: int = 0
    count: int = 1
    state: str = "open"


def _problem(row: Row) -> Problem:
    return Problem(**{name: row[name] for name in Problem.__slots__})


async def report(tx: Transaction, problem: Problem, *, now_ms: int) -> None:
    """Open a problem, or count it once more where the same row already has one.

    What a peer did while no row waits is one problem for each kind: a node that waits after a restore, say, has that
    problem whatever else happens on the connection.
    """
    values = {
        "connection_id": problem.connection_id, "stage": problem.stage, "ref": problem.ref,
        "issue_key": problem.issue_key, "code": problem.code, "message": problem.message, "advice": problem.advice,
        "now_ms": now_ms,
    }  # fmt: skip
    updated = await tx.execute(
        "UPDATE problem SET code = :code, message = :message, advice = :advice, last_ms = :now_ms, "
        "count = count + 1, issue_key = coalesce(:issue_key, issue_key) "
        "WHERE state = 'open' AND stage = :stage AND ref IS :ref AND connection_id IS :connection_id "
        "AND (code = :code OR stage <> 'peer' OR ref IS NOT NULL)",
        values,
    )
    if updated.rowcount:
        return
    await tx.execute(
        "INSERT INTO problem (connection_id, stage, ref, issue_key, code, message, advice, first_ms, last_ms, state) "
        "VALUES (:connection_id, :stage, :ref, :issue_key, :code, :message, :advice, :now_ms, :now_ms, 'open')",
        values,
    )


async def close(tx: Transaction, *, stage: str, ref: int | None, connection_id: int | None = None) -> None:
    """The row went on: its problem is over. Without ``ref``, all of that stage and connection."""
    if ref is None:
        await tx.execute(
            "UPDATE problem SET state = 'closed' WHERE state = 'open' AND stage = :stage "
            "AND connection_id IS :connection_id",
            {"stage": stage, "connection_id": connection_id},
        )
    else:
        await tx.execute(
            "UPDATE problem SET state = 'closed' WHERE state = 'open' AND stage = :stage AND ref = :ref",
            {"stage": stage, "ref": ref},
        )


async def close_told(tx: Transaction, connection_id: int, codes: Sequence[str]) -> None:
    """What was told about the two nodes of a connection is over."""
    await tx.execute(
        "UPDATE problem SET state = 'closed' WHERE state = 'open' AND stage = :stage AND ref IS NULL "
        "AND connection_id = :connection_id AND code IN (SELECT value FROM json_each(:codes))",
        {"stage": PEER, "connection_id": connection_id, "codes": json.dumps(list(codes))},
    )


async def close_of_forgotten_changes(tx: Transaction) -> None:
    """Close the problems of notices that are not there any more: a newer look at their issue took their place."""
    await tx.execute(
        "UPDATE problem SET state = 'closed' WHERE state = 'open' AND stage = :stage AND ref IS NOT NULL "
        "AND NOT EXISTS (SELECT 1 FROM change WHERE change.id = problem.ref)",
        {"stage": CHANGE},
    )


async def close_one(tx: Transaction, problem_id: int) -> None:
    """A person dealt with it."""
    await tx.execute("UPDATE problem SET state = 'closed' WHERE id = :id", {"id": problem_id})


async def open_problems(reader: Reader, *, connection_id: int | None = None, limit: int = 1000) -> list[Problem]:
    """Return open problems, newest first."""
    rows = await reader.fetch_all(
        "SELECT * FROM problem WHERE state = 'open' AND (:connection_id IS NULL OR connection_id = :connection_id) "
        "ORDER BY last_ms DESC, id DESC LIMIT :limit",
        {"connection_id": connection_id, "limit": limit},
    )
    return [_problem(row) for row in rows]


async def open_of_ref(reader: Reader, stage: str, ref: int) -> list[Problem]:
    """Return the open problems of one row."""
    rows = await reader.fetch_all(
        "SELECT * FROM problem WHERE state = 'open' AND stage = :stage AND ref = :ref", {"stage": stage, "ref": ref}
    )
    return [_problem(row) for row in rows]


async def open_of_stage(reader: Reader, stage: str) -> list[Problem]:
    """Return the open problems of a stage."""
    rows = await reader.fetch_all("SELECT * FROM problem WHERE state = 'open' AND stage = :stage", {"stage": stage})
    return [_problem(row) for row in rows]


async def by_id(reader: Reader, problem_id: int) -> Problem | None:
    """Return one problem."""
    row = await reader.fetch_one("SELECT * FROM problem WHERE id = :id", {"id": problem_id})
    return _problem(row) if row else None


async def of_issue(reader: Reader, issue_key: str) -> list[Problem]:
    """Return the open problems of one of our issues."""
    rows = await reader.fetch_all(
        "SELECT * FROM problem WHERE state = 'open' AND issue_key = :key ORDER BY id",
        {"key": issue_key},
    )
    return [_problem(row) for row in rows]


async def close_of_closed_connections(tx: Transaction) -> None:
    """Close what nobody can put right any more; that the connection was closed is still told."""
    await tx.execute(
        "UPDATE problem SET state = 'closed' WHERE state = 'open' AND (stage <> :peer OR ref IS NOT NULL) "
        "AND connection_id IN (SELECT id FROM connection WHERE state = 'closed')",
        {"peer": PEER},
    )


async def close_notes(tx: Transaction, before_ms: int) -> None:
    """Close what was only to be known, and was so before then."""
    await tx.execute(
        "UPDATE problem SET state = 'closed' WHERE state = 'open' AND last_ms < :before_ms "
        "AND code IN (SELECT value FROM json_each(:codes))",
        {"before_ms": before_ms, "codes": json.dumps(sorted(NOTES))},
    )


async def drop_closed(tx: Transaction, before_ms: int) -> None:
    """Forget problems that were over before then."""
    await tx.execute("DELETE FROM problem WHERE state = 'closed' AND last_ms < :before_ms", {"before_ms": before_ms})
