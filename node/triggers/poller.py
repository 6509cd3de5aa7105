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
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from node.background import Background
from node.clock import Clock
from node.errors import AccordError, TrackerError, TrackerNonsense, TrackerRefused
from node.store import changes, cursors, links, problems, shadows
from node.store.engine import Store
from node.store.port import Reader, Transaction
from node.store.problems import Problem
from node.trackers.base import Tracker
from node.trackers.issue import Issue
from node.triggers.sweep_mark import OVERLAP_MS, Mark, moved

AGAIN_SECONDS = 30.0
"""How long to wait at the most after a sweep that failed."""
CURSOR = "sweep"
TOGETHER = 50
"""Issues that are asked for in one search; whole issues are large."""
NEWCOMERS = 500
"""Issues that have just been linked and are asked for in one sweep; the others have their turn in the next."""

_LOG = logging.getLogger(__name__)


async def _nowhere() -> frozenset[str]:
    return frozenset()


@dataclass(slots=True)
class _Round:
    """What one sweep has seen so far. ``trouble`` is in sentences: parts that could not be seen."""

    newest: int
    found: int = 0
    trouble: list[str] = field(default_factory=list)
    unseen: dict[str, int] = field(default_factory=dict)
    shown: set[str] = field(default_factory=set)
    """The issues that it has seen, new or not."""


def _part_missing(trouble: Sequence[str]) -> Problem:
    shown = "; ".join(trouble[:MAX_TOLD])
    more = f"; and {len(trouble) - MAX_TOLD} more" if len(trouble) > MAX_TOLD else ""
    return Problem(
        connection_id=None,
        stage=problems.SWEEP,
        ref=None,
        issue_key=None,
        code="PartOfSweep",
        message=f"A sweep could not see everything: {shown}{more}",
        advice="Let the sync user see the project again, or end the sync of its issues; the rest is swept.",
    )


MAX_TOLD = 5
"""Troubles of one sweep that are told in full."""


class Poller:
    """Sweeps the projects of all connections.

    Args:
        projects: returns the keys to sweep; no connection, no search.
        interval: returns the seconds to the next sweep, which depend on whether webhooks are active.
        wake: called when a sweep stored anything, and after each that went well.
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
        self._background = Background("poller", self._run)
        self.last_ms: int | None = None
        self._good_ms = 0
        """When the newest sweep that went well began."""
        self.healthy = False
        """Whether the newest sweep went well."""
        self.tried = asyncio.Event()
        """Set once the first sweep has ended, well or not."""

    def start(self) -> None:
        """Sweep at once, then at the interval."""
        self._background.start()

    def sweep_soon(self) -> None:
        """Do not wait for the interval."""
        self._background.soon()

    async def stop(self) -> None:
        """Stop; the cursor is stored."""
        await self._background.stop()

    async def _run(self) -> None:
        while True:
            try:
                await self._sweep_or_tell()
            except AccordError as error:
                _LOG.warning("a sweep failed; the next one tries again: %s", error.message)
            except Exception:  # noqa: BLE001 - one bad sweep must not end the safety net
                _LOG.exception("a sweep failed; the next one tries again")
            self.tried.set()
            interval = self._interval()
            await self._background.rest(interval if self.healthy else min(interval, AGAIN_SECONDS))

    async def _sweep_or_tell(self) -> None:
        try:
            await self.sweep()
        except TrackerError as error:
            await self._tell(error)

    async def sweep(self) -> int:
        """Look once through all projects; return the number of changes that nobody had reported.

        Raises:
            TrackerError: the tracker could not be asked; the cursor has not moved beyond what was stored.
        """
        begun_ms = self._clock.now_ms()
        try:
            found = await self._sweep_once(begun_ms)
        except Exception:
            self.healthy = False
            raise
        self.healthy, self._good_ms = True, begun_ms
        return found

    @property
    def up_to_date(self) -> bool:
        """Whether a sweep went well since the tracker was last out of reach: notices of that time may be lost."""
        return self.healthy and self._good_ms > self._tracker.unheard_ms

    async def _sweep_once(self, begun_ms: int) -> int:
        projects = sorted(set(await self._projects()))
        if not projects:
            return 0
        mark = await self._mark(begun_ms)
        since = mark.newest if mark.settled else mark.newest - OVERLAP_MS
        round_ = _Round(newest=mark.newest)
        seen = [project for project in projects if project not in mark.unseen]
        if seen:
            await self._sweep_all(seen, since, round_)
        for project in set(projects) & mark.unseen.keys():
            await self._sweep_all([project], mark.unseen[project], round_)
        link = await self._sweep_newcomers(mark.link, round_)
        after = replace(moved(mark, round_.newest, begun_ms), unseen=round_.unseen, link=link)

        async def work(tx: Transaction) -> None:
            await cursors.write(tx, CURSOR, json.dumps(asdict(after)))
            if round_.trouble:
                await problems.report(tx, _part_missing(round_.trouble), now_ms=begun_ms)
            else:
                await problems.close(tx, stage=problems.SWEEP, ref=None)

        await self._store.write(work)
        self.last_ms = self._clock.now_ms()
        self._wake()  # for what was stored where nobody could say so
        return round_.found

    async def _sweep_all(self, projects: Sequence[str], since: int, round_: _Round) -> None:
        """Ask for all projects in one search, and for each by itself where Jira refuses that.

        So one that is gone, or was taken from us, does not hide the changes of the others; and what happens in it
        meanwhile is found when it is given back to us.
        """
        try:
            await self._sweep_projects(projects, since, round_)
        except TrackerRefused as error:
            if len(projects) == 1:
                round_.trouble.append(f"project {projects[0]}: {error.message}")
                round_.unseen[projects[0]] = since
                return
            for project in projects:
                await self._sweep_all([project], since, round_)

    async def _sweep_projects(self, projects: Sequence[str], since: int, round_: _Round) -> None:
        cursor = None
        while True:
            page = await self._tracker.updated_since(projects, since, cursor=cursor)
            newest = await self._store_page(page.issues, round_)
            round_.newest = max(round_.newest, newest)
            cursor = page.next
            if cursor is None:
                return

    async def _store_page(self, raws: Sequence[Mapping[str, Any]], round_: _Round) -> int:
        """Store what is new on a page; return the newest change on it, 0 where there is none."""
        fresh: list[tuple[Issue, Mapping[str, Any]]] = []
        for raw in raws:
            try:
                fresh.append((self._tracker.read_issue(raw), raw))
            except TrackerNonsense as error:
                round_.trouble.append(f"issue {str(raw.get('key'))[:64]}: {error.message}")
        round_.found += await self._store_new(fresh)
        round_.shown |= {issue.id for issue, _ in fresh}
        return max((issue.updated_ms for issue, _ in fresh), default=0)

    async def _sweep_newcomers(self, after: int, round_: _Round) -> int:
        """Ask once for issues that were linked since the last sweep (1 call for 50); return the newest link of these.

        It may take long to bring an issue in, or to find one again that a lost call made. A notice that came meanwhile
        was about an issue that nobody had to do with, and the sweeps have passed it by.
        """
        new = await self._store.read(lambda tx: links.entered(tx, after=after, limit=NEWCOMERS))
        issue_ids = [one for one in dict.fromkeys(issue_id for _, issue_id in new) if one not in round_.shown]
        for start in range(0, len(issue_ids), TOGETHER):
            part = issue_ids[start : start + TOGETHER]
            try:
                await self._sweep_issues(part, round_)
            except TrackerRefused:  # where one of them is gone, Jira refuses the whole search
                await self._store.write(lambda tx, part=part: self._notice(tx, part))  # type: ignore[misc]  # bound early, on purpose
        return new[-1][0] if new else after

    async def _sweep_issues(self, issue_ids: Sequence[str], round_: _Round) -> None:
        cursor = None
        while True:
            page = await self._tracker.search(f"id in ({', '.join(issue_ids)})", cursor=cursor, limit=TOGETHER)
            await self._store_page(page.issues, round_)
            cursor = page.next
            if cursor is None:
                return

    async def _notice(self, tx: Transaction, issue_ids: Sequence[str]) -> None:
        for issue_id in await links.linked_ids(tx, issue_ids):
            await changes.add(tx, source=changes.POLL, now_ms=self._clock.now_ms(), issue=issue_id)

    async def _mark(self, now_ms: int) -> Mark:
        """Return how far the sweeps have come; the first begins when it was first wanted, by the tracker's clock."""
        stored = await self._store.read(lambda tx: cursors.read(tx, CURSOR))
        if stored is not None:
            mark = Mark(**json.loads(stored))
        else:
            mark = Mark(newest=now_ms - OVERLAP_MS, seen_ms=now_ms, settled=False, ours=True)
            await self._store.write(lambda tx: cursors.write(tx, CURSOR, json.dumps(asdict(mark))))
        if not mark.ours:
            return mark
        told = (await self._tracker.describe()).server_time
        ahead = 0 if told is None else round(told.timestamp() * 1000) - self._clock.now_ms()
        return replace(mark, newest=mark.newest + ahead, ours=False)

    async def _store_new(self, page: Sequence[tuple[Issue, Mapping[str, Any]]]) -> int:
        """Store what is linked and newer than its shadow, and what may enter sync by itself.

        Some Jiras keep whole seconds: an issue may have changed again within the one that is known.
        """
        issues = {issue.id: issue for issue, _ in page}
        times = {issue_id: issue.updated_ms for issue_id, issue in issues.items()}
        entered = await self._entered()
        now = self._clock.now_ms()

        async def known(tx: Reader) -> tuple[set[str], dict[str, int], set[str]]:
            linked, seen = await links.linked_ids(tx, list(times)), await shadows.known_times(tx, list(times))
            again: set[str] = set()
            for issue_id in linked:
                if times[issue_id] == seen.get(issue_id) and issues[issue_id].complete:
                    shadow = await shadows.read(tx, issue_id)
                    again |= {issue_id} if shadow is not None and shadow.issue != issues[issue_id] else set()
            return linked, seen, again

        linked, seen, again = await self._store.read(known)
        bodies = {
            issue.id: json.dumps(raw)
            for issue, raw in page
            if (issue.id in linked or issue.project.casefold() in entered)
            and (times[issue.id] > seen.get(issue.id, 0) or issue.id in again)
        }

        async def work(tx: Transaction) -> None:
            for issue_id, body in bodies.items():
                await changes.swept(tx, issue=issue_id, body=body, now_ms=now)

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
