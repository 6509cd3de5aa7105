"""Tells a peer everything again that it has lost: every linked issue, once, from what is known of it.

The transport notices a peer that was restored further back than sent messages are kept, and leaves a cursor; it stays
until all is queued, so a crash in between only says some of it twice. Asks the tracker nothing but lost files.
"""

from __future__ import annotations

import asyncio
import logging

from node.errors import AccordError, TrackerNotFound
from node.store import connections, cursors, links, problems
from node.store.links import Link
from node.store.port import Transaction
from node.store.problems import Problem
from node.sync.outgoing import Outgoing, Sent
from node.sync.site import Site

_LOG = logging.getLogger(__name__)

AGAIN_SECONDS = 30.0
"""How long to wait for what stood in the way: a tracker that does not answer, an incoming write, a full disk."""
PART = 100
"""Links read at a time."""


class Resync:
    """Sends everything again, one connection after the other."""

    def __init__(self, site: Site, outgoing: Outgoing) -> None:
        self._site = site
        self._outgoing = outgoing
        self._task: asyncio.Task[None] | None = None
        self._again = False
        self._sent: dict[tuple[int, str], set[int]] = {}
        """Links that were sent since the peer lost everything; a hint, lost at a restart."""

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
            try:
                done = await self._send_everything()
            except AccordError as error:
                _LOG.warning("a peer could not be told everything again; it is tried again: %s", error.message)
                done = False
            except Exception:  # noqa: BLE001 - the cursor stays; one fault must not end it
                _LOG.exception("a peer could not be told everything again; it is tried again")
                done = False
            if not done:
                await self._site.clock.sleep(AGAIN_SECONDS)
            elif not self._again:
                return

    async def _send_everything(self) -> bool:
        """Send what was asked for; tell whether all of it is queued."""
        done = True
        for row in await self._site.store.read(connections.every):
            cursor = cursors.resync(row.id)
            stamp = await self._site.store.read(lambda tx, name=cursor: cursors.read(tx, name))  # type: ignore[misc]  # bound early, on purpose
            if stamp is not None and row.state == connections.ACTIVE:
                done = await self._send_all(row.id, cursor, stamp) and done
        return done

    async def _send_all(self, connection_id: int, cursor: str, stamp: str) -> bool:
        sent = self._sent.setdefault((connection_id, stamp), set())
        waits, last = False, 0
        while part := await self._site.store.read(
            lambda tx, after=last: links.active_part(tx, connection_id, after=after, limit=PART)  # type: ignore[misc]  # bound early, on purpose
        ):
            for link in part:
                last = link.id
                if link.id not in sent and not await self._send_one(link):
                    waits = True
                    continue
                sent.add(link.id)
        if waits:
            return False

        async def end(tx: Transaction) -> None:
            if await cursors.read(tx, cursor) == stamp:
                await cursors.drop(tx, cursor)

        await self._site.store.write(end)
        del self._sent[connection_id, stamp]
        return True

    async def _send_one(self, link: Link) -> bool:
        """Send one issue; False where it has to be tried again. What cannot be sent is told to people."""
        try:
            left = await self._outgoing.again(link)
        except TrackerNotFound as error:
            await self._tell(link, error)
            return True
        except AccordError as error:
            _LOG.warning("%s could not be sent again yet: %s", link.issue_key, error.message)
            return False
        if left is not None and left.error is not None:
            await self._tell(link, left.error)
        return left is None or left.sent is not Sent.LATER

    async def _tell(self, link: Link, error: AccordError) -> None:
        problem = Problem(
            connection_id=link.connection_id,
            stage=problems.OUTCOME,
            ref=link.id,
            issue_key=link.issue_key,
            code=type(error).__name__,
            message=f"The other side has lost {link.issue_key}, and it could not be sent again. {error.message}",
            advice=error.advice or "Put right what is named here, then retry.",
        )
        await self._site.store.write(lambda tx: problems.report(tx, problem, now_ms=self._site.clock.now_ms()))
