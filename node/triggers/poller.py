"""The safety net: one search per sweep that finds what webhooks lost, or all of it where there are none.

Asks for issues updated since the last sweep, with an overlap, because an index may lag and clocks differ; what is
known already costs nothing. Never moves its cursor beyond what the tracker itself has shown, and compares the
tracker's times only with each other; its own clock measures nothing but how long ago something was seen.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from node.clock import Clock
from node.errors import TrackerError
from node.store import changes, cursors, links, problems, shadows
from node.store.engine import Store
from node.store.port import Reader, Transaction
from node.store.problems import Problem
from node.sync.outgoing import millis
from node.trackers.base import Tracker

OVERLAP_MS = 120_000
"""How far a sweep looks back beyond the newest change it has seen, and for how long: an index may lag 2 minutes."""
CURSOR = "sweep"

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Mark:
    """How far the sweeps have come.

    ``newest`` is the newest change seen, by the tracker's time; ``seen_ms`` when it was seen, by ours; ``settled``
    whether the index has had time since then to show everything older.
    """

    newest: int
    seen_ms: int
    settled: bool


def _moved(mark: Mark, newest: int, begun_ms: int) -> Mark:
    """Return the mark after a sweep that began at ``begun_ms`` and saw ``newest``."""
    if newest > mark.newest:
        return Mark(newest, begun_ms, settled=False)
    return replace(mark, settled=mark.settled or begun_ms - mark.seen_ms >= OVERLAP_MS)


async def _nowhere() -> frozenset[str]:
    return frozenset()


class Poller:
    """Sweeps the projects of all connections.

    Args:
        projects: returns the keys to sweep; no connection, no search.
        interval: returns the seconds to the next sweep, which depend on whether webhooks are active.
        wake: called when a sweep stored anything.
        entered: returns the projects from which issues enter sync by themselves, in small letters.
    """

    def __init__(
        self,
        store: Store,
        tracker: Tracker,
        clock: Clock,
        *,
        projects: Callable[[], Awaitable[Sequence[str]]],
        interval: Callable[[], float],
        wake: Callable[[], None],
        entered: Callable[[], Awaitable[frozenset[str]]] = _nowhere,
    ) -> None:
        self._store = store
        self._tracker = tracker
        self._clock = clock
        self._projects = projects
        self._interval = interval
        self._wake = wake
        self._entered = entered
        self._now = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.last_ms: int | None = None

    def start(self) -> None:
        """Sweep at once, then at the interval."""
        self._task = asyncio.create_task(self._run(), name="poller")

    def sweep_soon(self) -> None:
        """Do not wait for the interval."""
        self._now.set()

    async def stop(self) -> None:
        """Stop; the cursor is stored."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _run(self) -> None:
        while True:
            self._now.clear()
            try:
                await self.sweep()
            except TrackerError as error:
                await self._tell(error)
            except asyncio.CancelledError:
                raise
            except Exception:  # noqa: BLE001 - one bad sweep must not end the safety net
                _LOG.exception("a sweep failed; the next one tries again")
            try:
                async with asyncio.timeout(self._interval()):
                    await self._now.wait()
            except TimeoutError:
                continue

    async def sweep(self) -> int:
        """Look once through all projects; return the number of changes that nobody had reported.

        Raises:
            TrackerError: the tracker could not be asked; the cursor has not moved beyond what was stored.
        """
        projects = sorted(set(await self._projects()))
        if not projects:
            return 0
        begun_ms = self._clock.now_ms()
        mark = await self._mark(begun_ms)
        since = mark.newest if mark.settled else mark.newest - OVERLAP_MS
        found, newest, cursor = 0, mark.newest, None
        while True:
            page = await self._tracker.updated_since(projects, since, cursor=cursor)
            fresh: list[tuple[str, Mapping[str, Any]]] = []
            for raw in page.issues:
                issue = self._tracker.read_issue(raw)
                newest = max(newest, millis(issue))
                fresh.append((issue.id, raw))
            found += await self._store_new(fresh)
            cursor = page.next
            if cursor is None:
                break
        after = _moved(mark, newest, begun_ms)

        async def work(tx: Transaction) -> None:
            await cursors.write(tx, CURSOR, json.dumps(asdict(after)))
            await problems.close(tx, stage=problems.SWEEP, ref=None)

        await self._store.write(work)
        self.last_ms = self._clock.now_ms()
        return found

    async def _mark(self, now_ms: int) -> Mark:
        stored = await self._store.read(lambda tx: cursors.read(tx, CURSOR))
        if stored is not None:
            return Mark(**json.loads(stored))
        mark = Mark(newest=now_ms - OVERLAP_MS, seen_ms=now_ms, settled=False)
        await self._store.write(lambda tx: cursors.write(tx, CURSOR, json.dumps(asdict(mark))))
        return mark

    async def _store_new(self, page: Sequence[tuple[str, Mapping[str, Any]]]) -> int:
        """Store what is linked and newer than its shadow, and what may enter sync by itself."""
        issues = {issue_id: self._tracker.read_issue(raw) for issue_id, raw in page}
        times = {issue_id: millis(issue) for issue_id, issue in issues.items()}
        entered = await self._entered()
        now = self._clock.now_ms()

        async def known(tx: Reader) -> tuple[set[str], dict[str, int]]:
            return await links.linked_ids(tx, list(times)), await shadows.known_times(tx, list(times))

        linked, seen = await self._store.read(known)
        bodies = {
            issue_id: json.dumps(raw)
            for issue_id, raw in page
            if (issue_id in linked or issues[issue_id].project.casefold() in entered)
            and times[issue_id] > seen.get(issue_id, 0)
        }

        async def work(tx: Transaction) -> None:
            for issue_id, body in bodies.items():
                await changes.add(tx, source=changes.POLL, now_ms=now, issue=issue_id, body=body)

        if bodies:
            await self._store.write(work)
            self._wake()
        return len(bodies)

    async def _tell(self, error: TrackerError) -> None:
        _LOG.warning("a sweep could not be made: %s", error.message)
        problem = Problem(
            connection_id=None,
            stage=problems.SWEEP,
            ref=None,
            issue_key=None,
            code=type(error).__name__,
            message=error.message,
            advice=error.advice or "It is tried again by itself.",
        )
        await self._store.write(lambda tx: problems.report(tx, problem, now_ms=self._clock.now_ms()))
