"""Connections, invitations and how reaching each peer goes, as rows. Statements only, no decisions.

Times are milliseconds since 1970 UTC. The words of ``state`` are those of `node.connections`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from node.store.engine import Reader, Row, Transaction

PENDING: Final = "pending"
ACTIVE: Final = "active"
DEACTIVATED: Final = "deactivated"
CLOSED: Final = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """One row: two nodes that were, are or will be paired. Statements and pairing are the JSON that was stored."""

    id: int
    name: str
    role: str
    state: str
    verified: bool
    conn: bytes | None
    peer_label: str
    peer_urls: tuple[str, ...]
    peer_node_key: bytes | None
    peer_statement: bytes | None
    own_statement: bytes | None
    pairing: str | None
    project: str
    default_type: str | None
    may_create: tuple[str, ...]
    """What rules may have made in our Jira: words of ``rules.fields.CREATABLE``."""
    description: str
    created_ms: int
    last_sync_ms: int | None
    closed_ms: int | None


async def insert(
    tx: Transaction,
    *,
    name: str,
    role: str,
    conn: bytes,
    project: str,
    peer_label: str,
    peer_urls: Sequence[str],
    pairing: str | None,
    default_type: str | None,
    description: str,
    now_ms: int,
) -> int:
    """Add a pending connection; return its id. The name must be free."""
    row = await tx.fetch_one(
        "INSERT INTO connection (name, role, state, conn, peer_label, peer_urls, pairing, project, default_type,"
        " description, created_ms) VALUES (:name, :role, 'pending', :conn, :peer_label, :peer_urls, :pairing, :project,"
        " :default_type, :description, :now_ms) RETURNING id",
        {
            "name": name,
            "role": role,
            "conn": conn,
            "peer_label": peer_label,
            "peer_urls": json.dumps(list(peer_urls)),
            "pairing": pairing,
            "project": project,
            "default_type": default_type,
            "description": description,
            "now_ms": now_ms,
        },
    )
    assert row is not None  # noqa: S101 - RETURNING gives the row that was inserted
    return int(row["id"])


async def get(reader: Reader, connection_id: int) -> Connection | None:
    """Return one connection by its row id."""
    row = await reader.fetch_one("SELECT * FROM connection WHERE id = :id", {"id": connection_id})
    return None if row is None else _connection(row)


async def by_name(reader: Reader, name: str) -> Connection | None:
    """Return one connection by its name."""
    row = await reader.fetch_one("SELECT * FROM connection WHERE name = :name", {"name": name})
    return None if row is None else _connection(row)


async def by_conn(reader: Reader, conn: bytes) -> Connection | None:
    """Return one connection by its 16 bytes on the wire."""
    row = await reader.fetch_one("SELECT * FROM connection WHERE conn = :conn", {"conn": conn})
    return None if row is None else _connection(row)


async def every(reader: Reader) -> list[Connection]:
    """Return all connections, closed ones too, oldest first."""
    return [_connection(row) for row in await reader.fetch_all("SELECT * FROM connection ORDER BY id")]


async def pending(reader: Reader) -> list[Connection]:
    """Return the connections whose pairing has not ended."""
    return [_connection(row) for row in await reader.fetch_all("SELECT * FROM connection WHERE state = 'pending'")]


async def names(reader: Reader) -> set[str]:
    """Return all names that are taken; a closed connection makes way (`set_aside`)."""
    return {row["name"] for row in await reader.fetch_all("SELECT name FROM connection WHERE state <> 'closed'")}


async def set_aside(tx: Transaction, name: str) -> None:
    """Let a new connection have this name: a closed one that bears it is called ``NAME.closed`` from now on."""
    rows = await tx.fetch_all("SELECT id, name, state FROM connection")
    taken = {row["name"] for row in rows}
    for row in rows:
        if row["name"] == name and row["state"] == CLOSED:
            number = 1
            while (aside := f"{name}.closed" if number == 1 else f"{name}.closed_{number}") in taken:
                number += 1
            await tx.execute("UPDATE connection SET name = :name WHERE id = :id", {"name": aside, "id": row["id"]})


async def set_state(tx: Transaction, connection_id: int, state: str) -> None:
    """Note a new state."""
    await tx.execute("UPDATE connection SET state = :state WHERE id = :id", {"state": state, "id": connection_id})


async def set_closed(tx: Transaction, connection_id: int, now_ms: int) -> None:
    """Note that the connection has ended for good."""
    await tx.execute(
        "UPDATE connection SET state = 'closed', closed_ms = COALESCE(closed_ms, :now_ms) WHERE id = :id",
        {"now_ms": now_ms, "id": connection_id},
    )


async def set_synced(tx: Transaction, connection_id: int, now_ms: int) -> None:
    """Note that something was sent or applied just now."""
    await tx.execute(
        "UPDATE connection SET last_sync_ms = :now_ms WHERE id = :id", {"now_ms": now_ms, "id": connection_id}
    )


async def set_may_create(tx: Transaction, connection_id: int, kinds: Sequence[str]) -> None:
    """Note what rules may have made in our Jira."""
    await tx.execute(
        "UPDATE connection SET may_create = :kinds WHERE id = :id", {"kinds": json.dumps(kinds), "id": connection_id}
    )


async def set_peer_urls(tx: Transaction, connection_id: int, urls: Sequence[str]) -> None:
    """Note where the peer is reached from now on."""
    await tx.execute(
        "UPDATE connection SET peer_urls = :urls WHERE id = :id", {"urls": json.dumps(list(urls)), "id": connection_id}
    )


async def set_verified(tx: Transaction, connection_id: int) -> None:
    """Note that people have compared the short codes."""
    await tx.execute("UPDATE connection SET verified = 1 WHERE id = :id", {"id": connection_id})


async def replace_pairing(tx: Transaction, connection_id: int, before: str | None, after: str) -> bool:
    """Keep the new record of the pairing machine; False, and no change, if somebody else has moved it meanwhile."""
    done = await tx.execute(
        "UPDATE connection SET pairing = :after WHERE id = :id AND pairing IS :before",
        {"after": after, "id": connection_id, "before": before},
    )
    return done.rowcount == 1


async def delete(tx: Transaction, connection_id: int) -> None:
    """Forget a connection that never began."""
    await tx.execute("DELETE FROM connection WHERE id = :id", {"id": connection_id})


async def pin(
    tx: Transaction,
    connection_id: int,
    *,
    own_statement: bytes,
    peer_statement: bytes,
    peer_node_key: bytes,
    peer_urls: Sequence[str],
) -> None:
    """Keep what the pairing has proved: from here on only these keys are believed."""
    await tx.execute(
        "UPDATE connection SET own_statement = :own_statement, peer_statement = :peer_statement,"
        " peer_node_key = :peer_node_key, peer_urls = :peer_urls WHERE id = :id",
        {
            "own_statement": own_statement,
            "peer_statement": peer_statement,
            "peer_node_key": peer_node_key,
            "peer_urls": json.dumps(list(peer_urls)),
            "id": connection_id,
        },
    )


def _connection(row: Row) -> Connection:
    values = {name: row[name] for name in Connection.__slots__}
    values["verified"] = bool(row["verified"])
    for name in ("peer_urls", "may_create"):
        values[name] = tuple(json.loads(row[name]))
    return Connection(**values)


OPEN: Final = "open"
USED: Final = "used"
REVOKED: Final = "revoked"
EXPIRED: Final = "expired"
LOCKED: Final = "locked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """One row: a code that was given out. The code and its secrets are in the connection's pairing record."""

    invite: bytes
    connection_id: int
    state: str
    expires_ms: int


async def insert_invitation(tx: Transaction, *, invite: bytes, connection_id: int, expires_ms: int) -> None:
    """Keep a code that is about to be shown."""
    await tx.execute(
        "INSERT INTO invitation (invite, connection_id, state, expires_ms)"
        " VALUES (:invite, :connection_id, 'open', :expires_ms)",
        {"invite": invite, "connection_id": connection_id, "expires_ms": expires_ms},
    )


async def invitation(reader: Reader, invite: bytes) -> Invitation | None:
    """Return an invitation by its 16 bytes."""
    row = await reader.fetch_one("SELECT * FROM invitation WHERE invite = :invite", {"invite": invite})
    return None if row is None else _invitation(row)


async def invitation_of(reader: Reader, connection_id: int) -> Invitation | None:
    """Return the invitation of a connection that we made; None if the peer made it."""
    row = await reader.fetch_one("SELECT * FROM invitation WHERE connection_id = :id", {"id": connection_id})
    return None if row is None else _invitation(row)


async def count_open_invitations(reader: Reader) -> int:
    """Return how many codes are out that can still be used."""
    row = await reader.fetch_one("SELECT COUNT(*) AS number FROM invitation WHERE state = 'open'")
    return 0 if row is None else int(row["number"])


async def end_invitation(tx: Transaction, connection_id: int, state: str) -> None:
    """Note how the open invitation of a connection ended, if it has one."""
    await tx.execute(
        "UPDATE invitation SET state = :state WHERE connection_id = :id AND state = 'open'",
        {"state": state, "id": connection_id},
    )


def _invitation(row: Row) -> Invitation:
    return Invitation(**{name: row[name] for name in Invitation.__slots__})
