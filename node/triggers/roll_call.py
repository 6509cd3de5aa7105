"""Looks now and then whether every linked issue is still where it is looked for: what no webhook and no sweep can see.

An issue that was moved to a project that nobody watches is found and watched again. One that cannot be found at all
was deleted without a notice, or hidden from us: people are told, for only they know which. Never ends a link by itself.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final

from node.background import Background
from node.clock import Clock
from node.errors import AccordError, TrackerNotFound, TrackerRefused
from node.store import changes, links, problems
from node.store.engine import Store
from node.store.links import Link
from node.store.port import Transaction
from node.store.problems import Problem
from node.trackers.base import Tracker

_LOG = logging.getLogger(__name__)

FIRST_SECONDS: Final = 900.0
"""Not at once: a node that starts has better things to do."""
EVERY_SECONDS: Final = 3_600.0
MOST: Final = 100
"""Missing issues that are asked for one by one in one roll call; the others have their turn in the next."""


class RollCall:
    """Calls the roll of all linked issues.

    Args:
        projects: returns the keys of the projects that are watched.
        wake: called when an issue was found somewhere else, or again, so that it is looked at.
        moved: called where it is somewhere else, so that its project is watched.
    """

    def __init__(
        self,
        store: Store,
        tracker: Tracker,
        clock: Clock,
        *,
        projects: Callable[[], Awaitable[Sequence[str]]],
        wake: Callable[[], None],
        moved: Callable[[], None],
    ) -> None:
        self._store = store
        self._tracker = tracker
        self._clock = clock
        self._projects = projects
        self._wake = wake
        self._moved = moved
        self._background = Background("roll call", self._run)

    def start(self) -> None:
        """Begin; the first call comes after a while."""
        self._background.start()

    def soon(self) -> None:
        """Do not wait for the next turn: somebody put something right."""
        self._background.soon()

    async def stop(self) -> None:
        """Stop; the next call begins anew."""
        await self._background.stop()

    async def _run(self) -> None:
        await self._background.rest(FIRST_SECONDS)
        while True:
            try:
                await self.call()
            except AccordError as error:
                _LOG.warning("the roll could not be called; it is tried again: %s", error.message)
            except Exception:  # noqa: BLE001 - one bad round must not end it
                _LOG.exception("the roll could not be called; it is tried again")
            await self._background.rest(EVERY_SECONDS)

    async def call(self) -> int:
        """Call the roll once (1 call for 1,000 issues, and 1 for each that is missing); return how many were missing.

        Raises:
            TrackerError: the tracker could not be asked; nothing was concluded from that.
        """
        present: dict[str, str] = {}
        unseen: set[str] = set()
        for project in await self._projects():
            try:
                present |= {ref.id: ref.key for ref in await self._tracker.issue_refs(project)}
            except TrackerRefused:
                unseen.add(project)  # gone or taken from us as a whole: the sweep says so
        linked = await self._store.read(links.active_keys)
        back = await self._store.write(lambda tx: _close(tx, linked, present))
        elsewhere = [issue_id for issue_id, key in linked.items() if present.get(issue_id, key) != key]
        missing = [
            issue_id
            for issue_id, key in linked.items()
            if issue_id not in present and key.rpartition("-")[0] not in unseen
        ]
        for issue_id in missing[:MOST]:
            try:
                issue = await self._tracker.issue(issue_id)
            except TrackerNotFound:
                await self._tell(issue_id)
            else:
                elsewhere += [issue_id] if issue.key != linked[issue_id] else []  # else it came while we were counting
        if back or elsewhere:
            await self._store.write(lambda tx: self._notice(tx, {*back, *elsewhere}))
            self._wake()
        if elsewhere:
            self._moved()
        return len(missing)

    async def _notice(self, tx: Transaction, issue_ids: Iterable[str]) -> None:
        for issue_id in issue_ids:
            await changes.add(tx, source=changes.POLL, now_ms=self._clock.now_ms(), issue=issue_id)

    async def _tell(self, issue_id: str) -> None:
        async def work(tx: Transaction) -> None:
            for link in await links.of_issue(tx, issue_id):
                await problems.report(tx, _gone(link), now_ms=self._clock.now_ms())

        await self._store.write(work)


async def _close(tx: Transaction, linked: Mapping[str, str], present: Mapping[str, str]) -> set[str]:
    """End the problems of issues that are there again, and return these: no sweep saw what was done to them."""
    back: set[str] = set()
    for problem in await problems.open_of_stage(tx, problems.GONE):
        link = await links.by_id(tx, problem.ref or 0)
        if link is None or link.issue_id not in linked or link.issue_id in present:
            await problems.close_one(tx, problem.id)
            back |= {link.issue_id} & linked.keys() if link is not None else set()
    return back


def _gone(link: Link) -> Problem:
    return Problem(
        connection_id=link.connection_id,
        stage=problems.GONE,
        ref=link.id,
        issue_key=link.issue_key,
        code="IssueGone",
        message=f"{link.issue_key} is in sync and cannot be found in our Jira any more: it was deleted, or moved to "
        "where our sync user may not look.",
        advice="Let the sync user see it again. If it was deleted, end its sync with accord skip and this number.",
    )
