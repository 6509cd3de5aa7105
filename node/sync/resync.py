"""Tells a peer everything again that it has lost: every linked issue, once, from what is known of it.

The transport notices a peer that was restored further back than sent messages are kept, or is asked by one that was
restored, and leaves a cursor; it stays until all is queued, so a crash in between only says some of it twice. Asks the
tracker nothing but lost files. A peer that asks again and again is served ever more slowly.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from contextlib import suppress

from node.background import Background
from node.errors import AccordError, TrackerNotFound
from node.store import connections, cursors, links, outbox, problems
from node.store.links import Link
from node.store.port import Transaction
from node.store.problems import Problem
from node.sync.outgoing import Outgoing, Sent
from node.sync.site import Site
from protocol.messages import ResyncEnd, dump_message

_LOG = logging.getLogger(__name__)

AGAIN_SECONDS = 30.0
"""The longest wait for what stood in the way: a tracker that does not answer, an incoming write, a full disk."""
FIRST_SECONDS = 0.25
"""The first of them; each is twice as long as the one before."""
FREE_ROUNDS = 3
"""Rounds for one peer that begin at once; one more begins every..."""
ROUND_MS = 600_000
"""...ten minutes."""
PART = 100
"""Links read at a time."""


class Resync:
    """Sends everything again, one connection after the other."""

    def __init__(self, site: Site, outgoing: Outgoing) -> None:
        self._site = site
        self._outgoing = outgoing
        self._background = Background("resync", self._run)
        self._news = asyncio.Event()
        self._rounds: dict[int, list[int]] = {}
        """When the last rounds for each peer began; a hint, lost at a restart."""
        self._sent: dict[tuple[int, str], set[int]] = {}
        """Links that were sent since the peer lost everything; a hint, lost at a restart."""

    def start(self) -> None:
        """Look whether a peer has lost anything; also what was left undone before a restart."""
        self._news.set()
        self._background.start()

    async def stop(self) -> None:
        """Stop; what was not queued is found again by its cursor."""
        await self._background.stop()

    async def _run(self) -> None:
        wait = FIRST_SECONDS
        while True:
            self._news.clear()
            try:
                done = await self._send_everything()
            except AccordError as error:
                _LOG.warning("a peer could not be told everything again; it is tried again: %s", error.message)
                done = False
            except Exception:  # noqa: BLE001 - the cursor stays; one fault must not end it
                _LOG.exception("a peer could not be told everything again; it is tried again")
                done = False
            if done and not self._news.is_set():
                return
            if done or self._news.is_set():
                wait = FIRST_SECONDS
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._news.wait()
            wait = min(2 * wait, AGAIN_SECONDS)

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
        if (connection_id, stamp) not in self._sent and not self._may_begin(connection_id):
            return False
        for place in [one for one in self._sent if one[0] == connection_id and one[1] != stamp]:
            del self._sent[place]
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

        async def end(tx: Transaction) -> bool:
            if await cursors.read(tx, cursor) != stamp:
                return False  # it was asked once more
            await cursors.drop(tx, cursor)
            await problems.close_told(tx, connection_id, ["Resend", "Resync"])
            if (of := cursors.asked_in(stamp)) is not None:
                await self._enqueue_end(tx, connection_id, of)
            return True

        self._site.crash_point("before resync.end")
        ended = await self._site.store.write(end)
        self._site.crash_point("resync ended")
        self._sent.pop((connection_id, stamp), None)
        self._site.wake_sender(connection_id)
        return ended

    def _may_begin(self, connection_id: int) -> bool:
        """Tell whether a round may begin now, and count it."""
        now = self._site.clock.now_ms()
        rounds = [at for at in self._rounds.get(connection_id, []) if now - at < FREE_ROUNDS * ROUND_MS]
        if len(rounds) >= FREE_ROUNDS and now - rounds[-1] < ROUND_MS:
            return False
        self._rounds[connection_id] = [*rounds, now][-FREE_ROUNDS:]
        return True

    async def _enqueue_end(self, tx: Transaction, connection_id: int, of: str) -> None:
        message = ResyncEnd(mid=f"end-{hashlib.sha256(of.encode()).hexdigest()[:32]}", of=of)
        await outbox.enqueue(
            tx,
            connection_id=connection_id,
            link_id=None,
            mid=message.mid,
            kind=message.t,
            payload=dump_message(message),
            now_ms=self._site.clock.now_ms(),
        )

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
