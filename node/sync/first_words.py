"""Waits, after a start, until every peer was heard: its first receipt shows whether our own database was put back.

Before that, what the sync made here could be taken for our people's. A peer that cannot be reached is waited for a
while only; what was prepared meanwhile is dropped if it then turns out that we were restored. Keeps nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress

FIRST_WORDS_SECONDS = 30.0
"""How long peers that do not answer keep a node that starts waiting."""


class FirstWords:
    """Which peers were not heard since the start; ``patience`` in seconds."""

    def __init__(self, *, patience: float = FIRST_WORDS_SECONDS) -> None:
        self._patience = patience
        self._silent: dict[int, asyncio.Event] = {}
        self._over = asyncio.Event()
        self._over.set()

    def expect(self, connection_ids: Iterable[int]) -> None:
        """Wait for the peers of these connections from now on."""
        self._silent = {connection_id: asyncio.Event() for connection_id in connection_ids}
        if self._silent:
            self._over.clear()

    def heard(self, connection_id: int) -> None:
        """A receipt of this connection's peer was taken in."""
        if (event := self._silent.pop(connection_id, None)) is not None:
            event.set()
        if not self._silent:
            self._over.set()

    @property
    def all(self) -> bool:
        """Tell whether nobody is waited for any more."""
        return self._over.is_set()

    async def of_all(self) -> None:
        """Wait for all peers, or until they had their time; then nobody is waited for any more."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._patience):
                await self._over.wait()
        for connection_id in list(self._silent):
            self.heard(connection_id)

    async def of(self, connection_id: int) -> None:
        """Wait for one peer, as long as peers are waited for."""
        if (event := self._silent.get(connection_id)) is not None:
            await event.wait()
