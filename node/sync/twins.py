"""Answers rules that ask which issue of ours is linked with one of the peer's. Reads links, decides nothing."""

from __future__ import annotations

from node.store import links
from node.store.engine import Store


class LinkTwins:
    """``Twins`` of one connection: a rule cannot look into another one."""

    def __init__(self, store: Store, connection_id: int) -> None:
        self._store = store
        self._connection_id = connection_id

    async def local_key(self, remote: str) -> str | None:
        """Return our key for the peer's key or handle, or None while it is not linked."""
        return await self._store.read(lambda tx: links.local_key(tx, self._connection_id, remote))
