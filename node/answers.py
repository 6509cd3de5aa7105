"""What people ask to see: how an issue stands, what happened, what waits, what cannot go on. Reads rows, asks nobody.

The answers are JSON values, as `admin` hands them out.
"""

from __future__ import annotations

from typing import Any

from node.errors import UsageError
from node.store import changes, connections, cursors, history, inbox, links, outbox, problems, restored
from node.store.errors import StoreUnavailable
from node.store.port import Reader
from node.store.problems import Problem


async def status(reader: Reader, key: str) -> dict[str, Any]:
    """Return everything that is known of one of our issues. Raises UsageError where it is not linked."""
    names = await _names(reader)
    found = {
        "key": key,
        "links": [
            {
                "connection": names.get(link.connection_id, "?"),
                "state": link.state,
                "twin_key": link.twin_key,
                "twin_url": link.twin_url,
                "sent": link.revision,
                "applied": link.seen,
                "synced_ms": link.synced_ms,
                "history": [
                    {
                        "at_ms": event.at_ms,
                        "direction": event.direction,
                        "event": event.event,
                        "rule_version": event.rule_version,
                        "detail": event.detail,
                    }
                    for event in await history.of_link(reader, link.id, limit=20)
                ],
            }
            for link in await links.by_key(reader, key)
        ],
        "problems": [_shown(problem, names) for problem in await problems.of_issue(reader, key)],
    }
    if not found["links"] and not found["problems"]:
        raise UsageError(
            f"{key} is not in sync on any connection.", advice=f"Bring it in with: accord sync CONNECTION {key}"
        )
    return found


async def events(reader: Reader, *, after: int, limit: int) -> list[dict[str, Any]]:
    """Return what happened on all connections since event ``after``, newest first."""
    names = await _names(reader)
    return [
        {
            "id": one.id,
            "at_ms": one.event.at_ms,
            "connection": names.get(one.event.connection_id),
            "issue_key": one.issue_key,
            "direction": one.event.direction,
            "event": one.event.event,
            "detail": one.event.detail,
        }
        for one in await history.recent(reader, after=after, limit=limit)
    ]


async def queue(reader: Reader) -> dict[str, Any]:
    """Return what waits: notices from our tracker, and on each connection what leaves and what came in."""
    return {
        "changes": await changes.counts(reader),
        "connections": [
            {
                "connection": one.name,
                "state": one.state,
                "outgoing": _waiting(await outbox.waiting(reader, one.id)),
                "incoming": await inbox.count(reader, one.id),
            }
            for one in await connections.every(reader)
        ],
    }


async def quiet(reader: Reader) -> bool:
    """Tell whether no row waits that could go on by itself."""
    if await _recover(reader):
        return False
    waits = await queue(reader)
    busy = [count for state, count in waits["changes"].items() if state != changes.HELD and count]
    for one in waits["connections"]:
        if one["state"] != connections.ACTIVE:
            continue
        busy += [one["outgoing"]["queued"], one["outgoing"]["sealed"]]
        busy += [count for state, count in one["incoming"].items() if state != inbox.HELD]
    return not any(busy)


async def errors(reader: Reader, trouble: StoreUnavailable | None) -> list[dict[str, Any]]:
    """Return open problems, newest first. ``trouble`` is why nothing can be stored, which no row can say."""
    names = await _names(reader)
    found = await problems.open_problems(reader)
    return [_shown(problem, names) for problem in ([_store_trouble(trouble)] if trouble else []) + found]


async def _names(reader: Reader) -> dict[int, str]:
    return {one.id: one.name for one in await connections.every(reader)}


def _store_trouble(trouble: StoreUnavailable) -> Problem:
    """Return a problem that cannot be stored, because nothing can."""
    return Problem(
        connection_id=None,
        stage="store",
        ref=None,
        issue_key=None,
        code=type(trouble).__name__,
        message=f"Nothing can be stored: {trouble.message}",
        advice=trouble.advice
        or "Make room on the node's disk. Jira and the peers keep what they have, and come again.",
    )


async def _recover(reader: Reader) -> bool:
    """Tell whether an active connection's node, ours or the peer's, recovers from a restore."""
    if any(one.waits for one in (await restored.every(reader)).values()):
        return True
    active = [row.id for row in await connections.every(reader) if row.state == connections.ACTIVE]
    return any([await cursors.read(reader, cursors.resync(one)) is not None for one in active])


def _waiting(waiting: outbox.Waiting) -> dict[str, Any]:
    return {"queued": waiting.queued, "sealed": waiting.sealed, "oldest_ms": waiting.oldest_ms}


def _shown(problem: Problem, names: dict[int, str]) -> dict[str, Any]:
    return {
        "id": problem.id,
        "connection": names.get(problem.connection_id) if problem.connection_id is not None else None,
        "stage": problem.stage,
        "issue_key": problem.issue_key,
        "code": problem.code,
        "note": problem.code in problems.NOTES,
        "message": problem.message,
        "advice": problem.advice,
        "first_ms": problem.first_ms,
        "last_ms": problem.last_ms,
        "count": problem.count,
    }
