"""Cursors: how far something was read, by name."""

from __future__ import annotations

from node.store.port import Reader, Transaction


async def read(reader: Reader, name: str) -> str | None:
    """Return a cursor, or None where nothing was read yet."""
    row = await reader.fetch_one("SELECT value FROM cursor WHERE name = :name", {"name": name})
    return None if row is None else str(row["value"])


def resync(connection_id: int) -> str:
    """Return the name of the cursor that says: every linked issue of this connection must be sent anew."""
    return f"resync:{connection_id}"


async def ask_resync(tx: Transaction, connection_id: int, now_ms: int, *, of: str | None = None) -> None:
    """Ask for everything to be sent anew. ``of`` is the message in which the peer asked; an earlier one is kept."""
    if of is None:
        of = asked_in(await read(tx, resync(connection_id)) or "")
    await write(tx, resync(connection_id), f"{now_ms} {of}" if of else str(now_ms))


def asked_in(value: str) -> str | None:
    """Return the message in which a peer asked for what this cursor says, None if nobody asked."""
    return value.partition(" ")[2] or None


def told_address(connection_id: int) -> str:
    """Return the name of the cursor that says which addresses of this node the peer of a connection was told last."""
    return f"told-address:{connection_id}"


OWN_ADDRESS = "own-address"
"""The cursor that says at which addresses this node is reached, as JSON."""


async def drop(tx: Transaction, name: str) -> None:
    """Forget a cursor."""
    await tx.execute("DELETE FROM cursor WHERE name = :name", {"name": name})


async def write(tx: Transaction, name: str, value: str) -> None:
    """Move a cursor."""
    await tx.execute(
        "INSERT INTO cursor (name, value) VALUES (:name, :value) "
        "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        {"name": name, "value": value},
    )
