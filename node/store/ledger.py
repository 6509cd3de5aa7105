"""The ledger: one row for everything that was sealed, one chain of hashes a connection. Rows are added, never changed.

A row's hash covers the hash before it and every column except the payload, which enters by its digest: the payload
may be dropped later and the chain still verifies. Messages that share an envelope share its ``head``, and each row says
its ``place`` among so many ``places``, so that none of them can be missing.
Statements and the hash only; ``node/ledger.py`` verifies.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, fields

from node.store.port import Reader, Row, Transaction
from protocol.primitives import tagged_hash_of_parts

START = bytes(32)
"""What the first row of a chain names as the hash before it."""
FILE = "blob"
"""The kind of rows about the bytes of a file; their ``mid`` is its SHA-256 in hex."""
_CONTEXT = b"accord ledger row 1"
_CONTEXT_SHARED = b"accord ledger row 2"
"""For rows with a place in an envelope: the others keep the form that they always had."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """Something that is sealed. ``head`` is the SHA-256 of the envelope's header, which signs for everything else."""

    at_ms: int
    kind: str
    head: bytes
    payload: bytes
    link_id: int | None = None
    issue_key: str | None = None
    mid: str | None = None
    epoch: int | None = None
    seq: int | None = None
    revision: int | None = None
    rule_version: int | None = None
    place: int | None = None
    places: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One row. ``payload`` is None where it was dropped, ``place`` and ``places`` where its envelope held it alone."""

    connection_id: int
    number: int
    at_ms: int
    conn: bytes
    peer_node_key: bytes
    link_id: int | None
    issue_key: str | None
    kind: str
    mid: str | None
    epoch: int | None
    seq: int | None
    revision: int | None
    rule_version: int | None
    head: bytes
    payload_sha256: bytes
    payload: bytes | None
    prev: bytes
    hash: bytes
    place: int | None
    places: int | None


_COLUMNS = tuple(field.name for field in fields(Entry))
_SHARED = ("place", "places")
_HASHED = tuple(name for name in _COLUMNS if name not in {"connection_id", "payload", "hash", *_SHARED})
_LIST = ", ".join(_COLUMNS)
_INSERT = f"INSERT INTO ledger ({_LIST}) VALUES ({', '.join(f':{name}' for name in _COLUMNS)})"  # noqa: S608 - our own names


def hash_of(values: dict[str, object]) -> bytes:
    """Return the hash of a row: every hashed column, in order, each after its length; nothing is told from empty."""
    if values["place"] is None and values["places"] is None:
        return tagged_hash_of_parts(_CONTEXT, *(_part(values[name]) for name in _HASHED))
    return tagged_hash_of_parts(_CONTEXT_SHARED, *(_part(values[name]) for name in (*_HASHED, *_SHARED)))


def _part(value: object) -> bytes:
    if value is None:
        return b""
    if isinstance(value, bytes):
        return b"b" + value
    return f"{'i' if isinstance(value, int) else 't'}{value}".encode()


async def append(
    tx: Transaction, connection_id: int, *, conn: bytes, peer_node_key: bytes, rows: Sequence[Leaving]
) -> None:
    """Continue a connection's chain, in the same transaction as the sealing."""
    last = await tip(tx, connection_id)
    number, prev = last or (0, START)
    added = []
    for row in rows:
        number += 1
        values: dict[str, object] = {
            "connection_id": connection_id,
            "number": number,
            "at_ms": row.at_ms,
            "conn": conn,
            "peer_node_key": peer_node_key,
            "link_id": row.link_id,
            "issue_key": row.issue_key,
            "kind": row.kind,
            "mid": row.mid,
            "epoch": row.epoch,
            "seq": row.seq,
            "revision": row.revision,
            "rule_version": row.rule_version,
            "head": row.head,
            "payload_sha256": hashlib.sha256(row.payload).digest(),
            "payload": row.payload,
            "prev": prev,
            "place": row.place,
            "places": row.places,
        }
        prev = values["hash"] = hash_of(values)
        added.append(values)
    await tx.executemany(_INSERT, added)  # type: ignore[arg-type]  # every value is one that a column takes


async def tip(reader: Reader, connection_id: int) -> tuple[int, bytes] | None:
    """Return number and hash of the last row of a connection's chain."""
    row = await reader.fetch_one(
        "SELECT number, hash FROM ledger WHERE connection_id = :id ORDER BY number DESC LIMIT 1", {"id": connection_id}
    )
    return None if row is None else (row["number"], row["hash"])


async def tips(reader: Reader) -> dict[bytes, tuple[int, bytes]]:
    """Return number and hash of the last row of every chain, by the connection's bytes on the wire."""
    rows = await reader.fetch_all(
        "SELECT l.conn, l.number, l.hash FROM connection AS c JOIN ledger AS l ON l.connection_id = c.id "
        "AND l.number = (SELECT max(number) FROM ledger WHERE connection_id = c.id)"
    )
    return {row["conn"]: (row["number"], row["hash"]) for row in rows}


async def chains(reader: Reader) -> list[int]:
    """Return the ids of the connections that have a chain."""
    rows = await reader.fetch_all("SELECT DISTINCT connection_id FROM ledger ORDER BY connection_id")
    return [row["connection_id"] for row in rows]


async def part(reader: Reader, connection_id: int, *, after: int, limit: int) -> list[Entry]:
    """Return rows of one chain beyond number ``after``, oldest first."""
    rows = await reader.fetch_all(
        f"SELECT {_LIST} FROM ledger WHERE connection_id = :id AND number > :after ORDER BY number LIMIT :limit",  # noqa: S608 - our own names
        {"id": connection_id, "after": after, "limit": limit},
    )
    return [_entry(row) for row in rows]


async def of_issue(reader: Reader, issue_key: str, *, before_ms: int, limit: int) -> list[Entry]:
    """Return what left of an issue on any connection until ``before_ms``, newest first; earlier keys of it count."""
    rows = await reader.fetch_all(
        f"SELECT {_LIST} FROM ledger WHERE at_ms <= :before AND (issue_key = :key OR link_id IN "  # noqa: S608 - our own names
        "(SELECT id FROM link WHERE issue_key = :key)) ORDER BY at_ms DESC, connection_id, number DESC LIMIT :limit",
        {"key": issue_key, "before": before_ms, "limit": limit},
    )
    return [_entry(row) for row in rows]


async def of_files(reader: Reader, connection_ids: Sequence[int], digests: Sequence[str], *, limit: int) -> list[Entry]:
    """Return what left of files, by SHA-256 in hex, on these connections, newest first."""
    rows = await reader.fetch_all(
        f"SELECT {_LIST} FROM ledger WHERE issue_key IS NULL AND kind = :kind "  # noqa: S608 - our own names
        "AND mid IN (SELECT value FROM json_each(:digests)) "
        "AND connection_id IN (SELECT value FROM json_each(:connections)) "
        "ORDER BY at_ms DESC, connection_id, number DESC LIMIT :limit",
        {
            "kind": FILE,
            "digests": json.dumps(list(digests)),
            "connections": json.dumps(list(connection_ids)),
            "limit": limit,
        },
    )
    return [_entry(row) for row in rows]


async def newest(reader: Reader, connection_id: int, *, before: int | None, limit: int) -> list[Entry]:
    """Return rows of one chain below number ``before``, or from its end, newest first."""
    rows = await reader.fetch_all(
        f"SELECT {_LIST} FROM ledger WHERE connection_id = :id AND (:before IS NULL OR number < :before) "  # noqa: S608 - our own names
        "ORDER BY number DESC LIMIT :limit",
        {"id": connection_id, "before": before, "limit": limit},
    )
    return [_entry(row) for row in rows]


async def entry(reader: Reader, connection_id: int, number: int) -> Entry | None:
    """Return one row."""
    found = await part(reader, connection_id, after=number - 1, limit=1)
    return found[0] if found and found[0].number == number else None


def values_of(row: Entry) -> dict[str, object]:
    """Return a row as ``hash_of`` takes it."""
    return {name: getattr(row, name) for name in _COLUMNS}


def _entry(row: Row) -> Entry:
    return Entry(**{name: row[name] for name in _COLUMNS})
