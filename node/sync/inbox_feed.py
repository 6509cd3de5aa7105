"""The crew that settles received messages, and what becomes of those that cannot be settled now."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from node.crew import Crew, Job
from node.errors import TrackerBusy, TrackerError
from node.store import inbox, problems
from node.store.inbox import Received
from node.store.port import Transaction
from node.store.problems import Problem
from node.sync.endings import Settled
from node.sync.incoming import Incoming
from node.sync.site import Site
from node.triggers.change_feed import TELL_AFTER, backoff_ms

FILES_MS = 60_000
"""A replica that waits for files is looked at again after this time at the latest; usually their arrival wakes it."""


class InboxFeed:
    """The crew that settles received messages."""

    def __init__(self, site: Site, incoming: Incoming, *, size: int = 6) -> None:
        self._site = site
        self._incoming = incoming
        self._size = size
        self._looking: asyncio.Task[None] | None = None
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
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    async def _find(self) -> Sequence[Job[Received]]:
        now = self._site.clock.now_ms()
        rows = await self._site.store.read(lambda tx: inbox.ready(tx, now, limit=4 * self._size))
        return [Job(f"{row.connection_id}/{row.issue or row.id}", row) for row in rows]

    async def _work(self, row: Received) -> None:
        try:
            settled = await self._incoming.settle(row)
        except TrackerError as error:
            await self._postpone(row, error)
            return
        if settled is Settled.FILES:
            due = self._site.clock.now_ms() + FILES_MS
            await self._site.store.write(lambda tx: inbox.wait(tx, row.id, due))
            await self._wake_complete()  # the files may have come in between

    def received(self) -> None:
        """Messages or files have come in: look for rows that can go on."""
        self.crew.wake()
        if self._incoming.missing and (self._looking is None or self._looking.done()):
            self._looking = asyncio.create_task(self._wake_complete(), name="files for the inbox")
        elif self._incoming.missing:
            self._look_again = True

    async def _wake_complete(self) -> None:
        """Make the rows of those issues due whose files are all here."""
        while True:
            self._look_again = False
            complete: list[tuple[int, str]] = []
            for issue, digests in list(self._incoming.missing.items()):
                if all([await self._site.files.arrived(issue[0], sha256) for sha256 in digests]):
                    complete.append(issue)
            for issue in complete:
                self._incoming.missing.pop(issue, None)
            if complete:
                await self._site.store.write(partial(inbox.make_due, issues=tuple(complete)))
                self.crew.wake()
            if not self._look_again:
                return

    async def _postpone(self, row: Received, error: TrackerError) -> None:
        now, attempts = self._site.clock.now_ms(), row.attempts + 1
        wait_ms = error.retry_after * 1000 if isinstance(error, TrackerBusy) else backoff_ms(attempts)
        wait_ms = wait_ms * (0.5 + self._site.clock.jitter())
        problem = Problem(
            connection_id=row.connection_id,
            stage=problems.INBOX,
            ref=row.id,
            issue_key=None,
            code=type(error).__name__,
            message=error.message,
            advice=error.advice or "It is tried again by itself.",
        )

        async def work(tx: Transaction) -> None:
            await inbox.wait(tx, row.id, now + int(wait_ms))
            if attempts >= TELL_AFTER:
                await problems.report(tx, problem, now_ms=now)

        await self._site.store.write(work)
        self.crew.pause(min(wait_ms / 1000, MAX_PAUSE))


MAX_PAUSE = 30.0
"""Seconds for which one failure keeps the whole crew from the tracker; the row itself may wait longer."""
