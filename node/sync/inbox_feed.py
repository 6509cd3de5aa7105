"""The crew that settles received messages, and what becomes of those that cannot be settled now."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial

from node.background import Background
from node.crew import Crew, Job
from node.errors import AccordError, Fault, TrackerError, TrackerUnreachable
from node.store import inbox, links, problems
from node.store.errors import StoreClosed, StoreUnavailable
from node.store.inbox import Received
from node.store.port import Transaction
from node.store.problems import Problem
from node.sync.endings import Settled, in_keys
from node.sync.incoming import Incoming
from node.sync.site import Site
from node.triggers.patience import TELL_AFTER, leave_alone, patience_ms

_LOG = logging.getLogger(__name__)

FILES_MS = 60_000
"""A replica that waits for files is looked at again after this time at the latest; usually their arrival wakes it."""
LATER_MS = 50
"""How long a message first waits for those before it that still have to be settled; doubling up to..."""
MAX_LATER_MS = 5_000
FILES_TELL_AFTER = 10
"""Waits of that length after which people are told that files do not come."""


class InboxFeed:
    """The crew that settles received messages."""

    def __init__(self, site: Site, incoming: Incoming, *, size: int = 6) -> None:
        self._site = site
        self._incoming = incoming
        self._size = size
        self._looking = Background("files for the inbox", self._wake_complete)
        self._look_again = False
        self.crew: Crew[Received] = Crew(
            "inbox",
            find=self._find,
            work=self._work,
            next_due_ms=lambda after_ms: site.store.read(lambda tx: inbox.next_due(tx, after_ms)),
            clock=site.clock,
            size=size,
        )

    async def start(self) -> None:
        """Begin; what waited before a restart is tried at once, because nobody remembers for which files it waited."""
        await self._site.store.write(inbox.make_all_due)
        self.crew.start()

    async def stop(self) -> None:
        """Stop at once; every row is found again."""
        await self.crew.stop()
        await self._looking.stop()

    async def _find(self) -> Sequence[Job[Received]]:
        now = self._site.clock.now_ms()
        rows = await self._site.store.read(lambda tx: inbox.ready(tx, now, limit=4 * self._size))
        return [Job(_key(row), row) for row in rows]

    async def _work(self, row: Received) -> None:
        try:
            settled = await self._incoming.settle(row)
        except (StoreUnavailable, StoreClosed):
            raise  # nothing was decided: the row stays as it is, and the crew comes back to it
        except TrackerError as error:
            await self._postpone(row, error)
        except OSError as error:
            text = f"A file could not be read or written on the node's machine: {error.strerror or error}."
            await self._postpone(row, TrackerUnreachable(text, advice="Make room on its disk."))
        except Exception as error:  # noqa: BLE001 - a mistake of ours holds one issue, and is told
            _LOG.exception("a received message could not be settled; it is held")
            await self._hold(row, Fault(error))
        else:
            if settled is Settled.FILES:
                await self._wait_for_files(row)
            elif settled is Settled.LATER:
                due = self._site.clock.now_ms() + int(min(LATER_MS * 2**row.attempts, MAX_LATER_MS))
                await self._site.store.write(lambda tx: inbox.wait(tx, row.id, due))

    async def _hold(self, row: Received, error: AccordError) -> None:
        async def work(tx: Transaction) -> None:
            await inbox.hold(tx, row.id)
            await problems.report(tx, await self._problem(tx, row, error), now_ms=self._site.clock.now_ms())

        await self._site.store.write(work)

    async def _wait_for_files(self, row: Received) -> None:
        now = self._site.clock.now_ms()
        late = AccordError(
            f"{self._incoming.files.missing(row.connection_id, row.issue or '')} files of this issue have not "
            "come from the other side yet; the issue waits for them.",
            advice="Ask the other side's admin whether the files are still there, or skip this state of the issue.",
        )

        async def work(tx: Transaction) -> None:
            await inbox.wait(tx, row.id, now + FILES_MS)
            if row.attempts + 1 >= FILES_TELL_AFTER:
                await problems.report(tx, await self._problem(tx, row, late), now_ms=now)

        await self._site.store.write(work)
        await self._wake_complete()  # the files may have come in between

    async def _problem(self, tx: Transaction, row: Received, error: AccordError) -> Problem:
        link = await links.find(tx, row.connection_id, twin=row.issue) if row.issue is not None else None
        return Problem(
            connection_id=row.connection_id,
            stage=problems.INBOX,
            ref=row.id,
            issue_key=link.issue_key if link else None,
            code=type(error).__name__,
            message=in_keys(error.message, link),
            advice=error.advice or "It is tried again by itself.",
        )

    def received(self) -> None:
        """Messages or files have come in: look for rows that can go on."""
        self.crew.wake()
        if self._incoming.files.awaited:
            self._look_again = True  # one look that has begun may have passed by what came now
            self._looking.start()

    async def _wake_complete(self) -> None:
        """Make the rows of those issues due whose files are all here."""
        while True:
            self._look_again = False
            complete = await self._incoming.files.take_complete()
            if complete:
                await self._site.store.write(partial(inbox.make_due, issues=tuple(complete)))
                self.crew.wake()
            if not self._look_again:
                return

    async def _postpone(self, row: Received, error: TrackerError) -> None:
        now, attempts = self._site.clock.now_ms(), row.attempts + 1
        wait_ms = patience_ms(error, attempts, self._site.clock.jitter())

        async def work(tx: Transaction) -> None:
            await inbox.wait(tx, row.id, now + int(wait_ms))
            if attempts >= TELL_AFTER:
                await problems.report(tx, await self._problem(tx, row, error), now_ms=now)

        await self._site.store.write(work)
        leave_alone(self.crew, _key(row), error, wait_ms / 1000)


def _key(row: Received) -> str:
    return f"{row.connection_id}/{row.issue or row.id}"
