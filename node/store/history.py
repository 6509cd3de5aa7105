"""History: what the sync did, for people to read later: why a field changed, when, by which version of the rules."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from node.store.port import Reader, Row, Transaction

OUT = "out"
IN = "in"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """``event`` is one of: linked, sent, outcome, applied, conflict, skipped, held, ended."""

    connection_id: int
    link_id: int | None
    at_ms: int
    direction: str
    event: str
    rule_version: int | None = None
    detail: Mapping[str, Any]
    origins: Mapping[str, Any] | None = None
    """What `node.rules.explain.origins_to_json` gives: which step let each field through."""


async def add(tx: Transaction, event: Event) -> None:
    """Write one event down."""
    await tx.execute(
        "INSERT INTO history (connection_id, link_id, at_ms, direction, event, rule_version, detail, origins) "
        "VALUES (:connection_id, :link_id, :at_ms, :direction, :event, :rule_version, :detail, :origins)",
        {
            **asdict(event),
            "detail": json.dumps(event.detail, ensure_ascii=False),
            "origins": None if event.origins is None else json.dumps(event.origins, ensure_ascii=False),
        },
    )


@dataclass(frozen=True, slots=True)
class Recent:
    """An event with the issue that it is about."""

    id: int
    issue_key: str | None
    event: Event


async def recent(reader: Reader, *, after: int, limit: int) -> list[Recent]:
    """Return the newest events of all connections beyond event ``after``, newest first."""
    rows = await reader.fetch_all(
        "SELECT history.*, link.issue_key FROM history LEFT JOIN link ON link.id = history.link_id "
        "WHERE history.id > :after ORDER BY history.id DESC LIMIT :limit",
        {"after": after, "limit": limit},
    )
    return [Recent(row["id"], row["issue_key"], _event(row)) for row in rows]


def _event(row: Row) -> Event:
    return Event(
        connection_id=row["connection_id"],
        link_id=row["link_id"],
        at_ms=row["at_ms"],
        direction=row["direction"],
        event=row["event"],
        rule_version=row["rule_version"],
        detail=json.loads(row["detail"]),
        origins=None if row["origins"] is None else json.loads(row["origins"]),
    )


async def of_link(reader: Reader, link_id: int, *, limit: int = 50) -> list[Event]:
    """Return the newest events of a link, newest first."""
    rows = await reader.fetch_all(
        "SELECT * FROM history WHERE link_id = :link_id ORDER BY id DESC LIMIT :limit",
        {"link_id": link_id, "limit": limit},
    )
    return [_event(row) for row in rows]


async def of_key(reader: Reader, event_id: int, issue_key: str) -> Recent | None:
    """Return one event, if it is about this issue of ours."""
    row = await reader.fetch_one(
        "SELECT history.*, link.issue_key FROM history JOIN link ON link.id = history.link_id "
        "WHERE history.id = :id AND link.issue_key = :key",
        {"id": event_id, "key": issue_key},
    )
    return Recent(row["id"], row["issue_key"], _event(row)) if row else None


async def syncs(reader: Reader, link_id: int, direction: str, *, limit: int) -> list[Recent]:
    """Return the newest syncs of a link in one direction: what was sent, applied or kept back by a rule."""
    rows = await reader.fetch_all(
        "SELECT history.*, link.issue_key FROM history JOIN link ON link.id = history.link_id "
        "WHERE history.link_id = :link_id AND history.direction = :direction "
        "AND history.event IN ('sent', 'applied', 'skipped') ORDER BY history.id DESC LIMIT :limit",
        {"link_id": link_id, "direction": direction, "limit": limit},
    )
    return [Recent(row["id"], row["issue_key"], _event(row)) for row in rows]


async def spare(reader: Reader, *, after: int, before_ms: int, keep: int, limit: int) -> tuple[list[int], int | None]:
    """Look at ``limit`` events older than ``before_ms`` beyond event ``after``; return which can go, and the last.

    The newest ``keep`` events of a link never go. None: there are no older ones.
    """
    rows = await reader.fetch_all(
        "SELECT id, (SELECT count(*) FROM (SELECT 1 FROM history AS newer WHERE newer.link_id IS old.link_id "
        "AND newer.id > old.id LIMIT :keep)) AS newer FROM history AS old "
        "WHERE id > :after AND at_ms < :before_ms ORDER BY id LIMIT :limit",
        {"after": after, "before_ms": before_ms, "keep": keep, "limit": limit},
    )
    return [row["id"] for row in rows if row["newer"] >= keep], rows[-1]["id"] if rows else None


async def drop(tx: Transaction, ids: Sequence[int]) -> None:
    """Forget events."""
    await tx.execute(
        "DELETE FROM history WHERE id IN (SELECT value FROM json_each(:ids))", {"ids": json.dumps(list(ids))}
    )
