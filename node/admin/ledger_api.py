"""Routes of the admin API around the ledger: what left, and the proof that nothing of it was changed or removed."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from aiohttp import web

from node.admin.server import Body, answer, read_body
from node.errors import UsageError
from node.ledger import Ledger
from node.store import connections, ledger
from node.store.engine import Store
from node.store.ledger import Entry
from node.store.port import Reader
from protocol.fingerprint import fingerprint

MOST = 500
FAR_FUTURE_MS = 1 << 60


class _Nothing(Body):
    pass


class LedgerApi:
    """The ledger's part of the admin API."""

    def __init__(self, store: Store, book: Ledger) -> None:
        self._store = store
        self._book = book

    def add_routes(self, app: web.Application) -> None:
        """Add the routes."""
        add = app.router.add_route
        add("POST", "/api/v1/ledger/verify", self._verify)
        add("POST", "/api/v1/ledger/sign-anew", self._sign_anew)
        add("GET", "/api/v1/ledger/of/{about}", self._entries)

    async def _verify(self, request: web.Request) -> web.Response:
        await read_body(request, _Nothing)
        report = await self._book.verify()
        return answer({"sound": report.sound, **asdict(report)})

    async def _sign_anew(self, request: web.Request) -> web.Response:
        await read_body(request, _Nothing)
        anchor = await self._book.sign(anew=True)
        return answer({"at_ms": anchor.at_ms, "chains": len(anchor.tips)})

    async def _entries(self, request: web.Request) -> web.Response:
        about = request.match_info["about"]
        try:
            limit = min(max(int(request.query.get("limit", "20")), 1), MOST)
            before = int(request.query["before"]) if "before" in request.query else None
        except ValueError:
            raise UsageError("limit and before are numbers.") from None

        async def look(tx: Reader) -> tuple[dict[int, connections.Connection], list[Entry]]:
            rows = {one.id: one for one in await connections.every(tx)}
            named = next((one for one in rows.values() if one.name == about), None)
            if named is not None:
                return rows, await ledger.newest(tx, named.id, before=before, limit=limit)
            until = FAR_FUTURE_MS if before is None else before
            entries = await ledger.of_issue(tx, about, before_ms=until, limit=limit)
            files = sorted({digest for one in entries for digest in _files(one)})
            if files:
                at = sorted({one.connection_id for one in entries})
                entries += await ledger.of_files(tx, at, files, limit=limit)
            return rows, sorted(entries, key=lambda one: (-one.at_ms, one.connection_id, -one.number))[:limit]

        rows, entries = await self._store.read(look)
        if not entries and before is None and all(one.name != about for one in rows.values()):
            raise UsageError(
                f"Nothing of {about} ever left.", advice="Name an issue of ours by its key, or a connection."
            )
        return answer({"about": about, "entries": [_shown(one, rows) for one in entries]})


def _files(one: Entry) -> list[str]:
    """Return the digests of the files that a message names."""
    try:
        files = json.loads(one.payload or b"{}").get("replica", {}).get("attachments") or ()
        return [str(file["blob"]) for file in files]
    except (ValueError, AttributeError, TypeError, KeyError):
        return []


def _shown(one: Entry, rows: dict[int, connections.Connection]) -> dict[str, Any]:
    row = rows[one.connection_id]
    return {
        "connection": row.name,
        "number": one.number,
        "at_ms": one.at_ms,
        "to": row.peer_label,
        "to_fingerprint": fingerprint(one.peer_node_key),
        "key": one.issue_key,
        "kind": one.kind,
        "mid": one.mid,
        "epoch": one.epoch,
        "seq": one.seq,
        "place": one.place,
        "places": one.places,
        "revision": one.revision,
        "rule_version": one.rule_version,
        "payload": None if one.payload is None else one.payload.decode(),
        "payload_sha256": one.payload_sha256.hex(),
        "hash": one.hash.hex(),
    }
