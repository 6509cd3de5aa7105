"""Tells a peer everything again that it has lost: every linked issue, once, from what is known of it.

The transport notices a peer that was restored further back than sent messages are kept, and leaves a cursor; it stays
until all is queued, so a crash in between only says some of it twice. Asks the tracker nothing but lost files.
"""

from __future__ import annotations

import asyncio
import logging

from node.errors import AccordError
from node.store import connections, cursors, links
from node.store.port import Transaction
from node.sync.outgoing import Outgoing
from node.sync.site import Site

_LOG = logging.getLogger(__name__)


class Resync:
    """Sends everything again, one connection after the other."""

    def __init__(self, site: Site, outgoing: Outgoing) -> None:
        self._site = site
        self._outgoing = outgoing
        self._task: asyncio.Task[None] | None = None
        self._again = False

    def start(self) -> None:
        """Look whether a peer has lost anything; also what was left undone before a restart."""
        if self._task is not None and not self._task.done():
            self._again = True
            return
        self._task = asyncio.create_task(self._run(), name="resync")

    async def stop(self) -> None:
        """Stop; what was not queued is found again by its cursor."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            self._again = False
            for row in await self._site.store.read(connections.every):
                cursor = cursors.resync(row.id)
                stamp = await self._site.store.read(lambda tx, name=cursor: cursors.read(tx, name))  # type: ignore[misc]  # bound early, on purpose
                if stamp is not None and row.state == connections.ACTIVE:
                    await self._send_all(row.id, cursor, stamp)
            if not self._again:
                return

    async def _send_all(self, connection_id: int, cursor: str, stamp: str) -> None:
        for link in await self._site.store.read(lambda tx: links.of_connection(tx, connection_id)):
            if link.state != links.ACTIVE:
                continue
            try:
                await self._outgoing.again(link)
            except AccordError as error:
                _LOG.warning("%s could not be sent again, its next change will be: %s", link.issue_key, error.message)

        async def done(tx: Transaction) -> None:
            if await cursors.read(tx, cursor) == stamp:
                await cursors.drop(tx, cursor)

        await self._site.store.write(done)
