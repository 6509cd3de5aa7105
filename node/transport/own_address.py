"""Tells peers where this node is reached, when that has changed: told once when pairing, it would be true for ever.

Only puts messages into the outbox, in the unit of work that remembers what was told. A peer that moved at the same time
hears of it when it calls, or from its admin.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from node.store import connections, cursors, outbox
from node.store.connections import Connection
from node.store.engine import Transaction
from node.transport.addresses import found_only_here
from protocol.messages import NodeAddress, dump_message

_MAY_HEAR = frozenset({connections.ACTIVE, connections.DEACTIVATED})


async def told(tx: Transaction, connection_id: int, urls: Sequence[str]) -> None:
    """Remember what the peer of a new connection is told by an invitation, or by the answer to one."""
    await cursors.write(tx, cursors.told_address(connection_id), json.dumps(list(urls)))


async def tell(tx: Transaction, urls: Sequence[str], now_ms: int) -> list[int]:
    """Tell every peer that was told another address; return the connections over which something is to be sent.

    An address that only this machine can use replaces no other: a node that was started without its ``public_url``
    would be lost to its peers.
    """
    now = json.dumps(list(urls))
    await cursors.write(tx, cursors.OWN_ADDRESS, now)
    moved = []
    for connection in await connections.every(tx):
        before = await cursors.read(tx, cursors.told_address(connection.id))
        if connection.state not in _MAY_HEAR or before == now or (before is not None and _is_worse(urls, before)):
            continue
        await _enqueue(tx, connection, urls, now_ms)
        moved.append(connection.id)
    return moved


async def tell_again(tx: Transaction, connection: Connection, now_ms: int) -> None:
    """Tell a peer once more that was restored: what it knows may be older than what it was told."""
    known = await cursors.read(tx, cursors.told_address(connection.id))
    if known is not None:
        await _enqueue(tx, connection, json.loads(known), now_ms)


async def _enqueue(tx: Transaction, connection: Connection, urls: Sequence[str], now_ms: int) -> None:
    message = NodeAddress(urls=tuple(urls))
    payload = dump_message(message)
    await outbox.enqueue(
        tx,
        connection_id=connection.id,
        link_id=None,
        mid=f"address-{now_ms:x}-{hashlib.sha256(payload).hexdigest()[:16]}",
        kind=message.t,
        payload=payload,
        now_ms=now_ms,
    )
    await told(tx, connection.id, urls)


def _is_worse(urls: Sequence[str], before: str) -> bool:
    return all(found_only_here(url) for url in urls) and not all(found_only_here(url) for url in json.loads(before))
