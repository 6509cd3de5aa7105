"""Explains past syncs of an issue: which step of which version let each field out or in. Reads what history kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from node.errors import AccordError, UsageError
from node.rules.explain import Explanation, explain, explain_skip, origins_from_json
from node.rules.model import Origin, Skip
from node.rules.ruleset import Direction, RuleSet
from node.rules_desk.publishing import Publishing
from node.store import connections, history, links
from node.store.connections import Connection
from node.store.engine import Store
from node.store.history import Recent
from node.store.port import Reader


class Explaining:
    """Explains syncs by what was stored with them."""

    def __init__(self, store: Store, publishing: Publishing) -> None:
        self._store = store
        self._publishing = publishing

    async def explain(
        self, key: str, *, sync: int | None = None, fields: Sequence[str] = (), past: int = 1
    ) -> dict[str, Any]:
        """Explain the ``past`` newest syncs of each direction and connection, or the one with the number ``sync``.

        Raises:
            UsageError: the issue was never in sync, or has no such sync.
        """

        async def look(tx: Reader) -> tuple[dict[int, Connection], list[Recent]]:
            rows = {one.id: one for one in await connections.every(tx)}
            if sync is not None:
                found = await history.of_key(tx, sync, key)
                return rows, [found] if found is not None else []
            events: list[Recent] = []
            for link in await links.by_key(tx, key):
                for direction in (history.OUT, history.IN):
                    events += await history.syncs(tx, link.id, direction, limit=past)
            return rows, events

        rows, chosen = await self._store.read(look)
        if not chosen and sync:
            raise UsageError(
                f"{key} has no sync number {sync} in its history.",
                advice=f"Numbers are those of: accord explain {key} --past 20",
            )
        if not chosen:
            raise UsageError(
                f"{key} was never in sync on any connection.", advice=f"Bring it in with: accord sync CONNECTION {key}"
            )
        chosen.sort(key=lambda one: -one.id)
        return {"key": key, "syncs": [await self._explained(rows, one, fields) for one in chosen]}

    async def _explained(self, rows: Mapping[int, Connection], one: Recent, fields: Sequence[str]) -> dict[str, Any]:
        event = one.event
        direction: Direction = "outgoing" if event.direction == history.OUT else "incoming"
        connection = rows[event.connection_id]
        origins = origins_from_json(event.origins or {})
        sentences: Sequence[Explanation] = ()
        note = ""
        try:
            ruleset = await self._publishing.version(connection, direction, event.rule_version or 0)
        except AccordError as error:
            note = error.message
        else:
            if event.event == "skipped":
                note = explain_skip(ruleset, Skip(str(event.detail.get("reason", "")), origins.get("")))
            else:
                sentences = _sentences(ruleset, origins, fields)
        moved = set(event.detail.get("fields", ()))
        return {
            "sync": one.id,
            "connection": connection.name,
            "direction": direction,
            "event": event.event,
            "at_ms": event.at_ms,
            "rule_version": event.rule_version,
            "revision": event.detail.get("revision"),
            "note": note,
            "fields": [
                {
                    "field": each.field,
                    "changed": each.field in moved,
                    "step": each.step,
                    "line": each.line,
                    "text": each.sentence,
                }
                for each in sentences
            ],
        }


def _sentences(ruleset: RuleSet, origins: Mapping[str, Origin], fields: Sequence[str]) -> Sequence[Explanation]:
    return explain(ruleset, origins, fields or None)
