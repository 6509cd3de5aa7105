"""History: what the sync did, for people to read later: why a field changed, when, by which version of the rules."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from node.store.port import Reader, Transaction

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


async def add(tx: Transaction, event: Event) -> None:
    """Write one event down."""
    await tx.execute(
        "INSERT INTO history (connection_id, link_id, at_ms, direction, event, rule_version, detail) "
        "VALUES (:connection_id, :link_id, :at_ms, :direction, :event, :rule_version, :detail)",
        {**asdict(event), "detail": json.dumps(event.detail, ensure_ascii=False)},
    )


async def of_link(reader: Reader, link_id: int, *, limit: int = 50) -> list[Event]:
    """Return the newest events of a link, newest first."""
    rows = await reader.fetch_all(
        "SELECT * FROM history WHERE link_id = :link_id ORDER BY id DESC LIMIT :limit",
        {"link_id": link_id, "limit": limit},
    )
    return [
        Event(
            connection_id=row["connection_id"],
            link_id=row["link_id"],
            at_ms=row["at_ms"],
            direction=row["direction"],
            event=row["event"],
            rule_version=row["rule_version"],
            detail=json.loads(row["detail"]),
        )
        for row in rows
    ]
