"""Answers rules that ask which issue of ours is linked with one of the peer's. Reads links, decides nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from typing_extensions import override

from node.store import links
from node.store.engine import Store


class LinkTwins:
    """``Twins`` of one connection: a rule cannot look into another one."""

    def __init__(self, store: Store, connection_id: int) -> None:
        self._store = store
        self._connection_id = connection_id

    async def handles(self, issue_ids: Sequence[str]) -> Mapping[str, str]:
        """Return what the peer calls those of our issues that are or were linked on this connection."""
        return await self._store.read(lambda tx: links.handles(tx, self._connection_id, issue_ids))

    async def local_key(self, remote: str) -> str | None:
        """Return our key for the peer's key or handle, or None while it is not linked."""
        return await self._store.read(lambda tx: links.local_key(tx, self._connection_id, remote))


class AskedTwins(LinkTwins):
    """The same, and ``missing`` holds what was asked for in vain: the sync core looks again once it is linked."""

    def __init__(self, store: Store, connection_id: int) -> None:
        super().__init__(store, connection_id)
        self.missing: set[str] = set()

    @override
    async def local_key(self, remote: str) -> str | None:
        """Return our key, or note that there is none."""
        key = await super().local_key(remote)
        if key is None:
            self.missing.add(remote)
        return key
