"""Takes stored notices one issue at a time and hands the issue's newest state to the sync core.

Many notices about one issue are one look. A notice about an issue that is neither linked nor enters sync by itself is
forgotten. What fails stays: for a while where the tracker may recover, until a person decides where it will not.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from node.crew import Crew, Job
from node.errors import (
    AccordError,
    Fault,
    TrackerBusy,
    TrackerError,
    TrackerNonsense,
    TrackerNotFound,
    TrackerUnreachable,
)
from node.store import changes, links, problems, steps
from node.store.changes import StoredChange
from node.store.errors import StoreError
from node.store.port import Reader, Transaction
from node.store.problems import Problem
from node.sync.outgoing import Left, Outgoing, Sent, millis
from node.sync.site import Party, Site
from node.trackers.base import Change
from node.trackers.issue import Issue
from node.triggers.trigger import Decision, Known, decide, watched

_LOG = logging.getLogger(__name__)

BATCH = 256
"""Notices read at a time: enough to see most notices of a busy issue at once."""
LATER_MS = 1_000
"""How long a change waits for an incoming write of the same issue to be settled; doubling up to..."""
MAX_LATER_MS = 15_000
"""...this much, because that write may itself wait for a tracker or a paused connection."""
PATIENCE = 3
"""How often a look waits for the notice of our own write (4 seconds in all) before it asks the tracker."""
MAX_BACKOFF_MS = 300_000
"""The longest wait for a tracker that does not answer: 5 minutes."""


@dataclass(frozen=True, slots=True)
class _Look:
    """All that is known of what happened to one issue."""

    issue_id: str
    rows: tuple[StoredChange, ...]
    issue: Issue | None
    deleted: bool


@dataclass(frozen=True, slots=True)
class _Entry:
    """The connections that an issue enters now; whether it has to wait for others; whether it is or was linked."""

    parties: tuple[Party, ...] = ()
    wait: bool = False
    known: bool = True


class ChangeFeed:
    """The crew that looks at changed issues."""

    def __init__(self, site: Site, outgoing: Outgoing, *, size: int = 4) -> None:
        self._site = site
        self._outgoing = outgoing
        self._taken: set[int] = set()
        self._looked = asyncio.Event()
        self.crew: Crew[_Look] = Crew(
            "changes",
            find=self._find,
            work=self._work,
            next_due_ms=lambda after_ms: site.store.read(lambda tx: changes.next_due_ms(tx, after_ms)),
            clock=site.clock,
            size=size,
        )

    async def caught_up(self) -> None:
        """Wait until every notice that is stored now was looked at, or put aside."""
        newest = await self._site.store.read(changes.newest)
        while True:
            self._looked.clear()
            if not await self._site.store.read(lambda tx: changes.any_new(tx, newest)):
                return
            await self._looked.wait()

    async def _find(self) -> Sequence[Job[_Look]]:
        now = self._site.clock.now_ms()
        rows = await self._site.store.read(lambda tx: changes.due(tx, now, limit=BATCH))
        looks: dict[str, _Look] = {}
        needless: list[int] = []
        double: list[tuple[int, Change]] = []
        for row in rows:
            if row.id in self._taken:
                continue
            change = await self._read(row)
            if change is None:
                needless.append(row.id)
                continue
            if change.other_id is not None:
                double.append((row.id, change))
                continue
            looks[change.issue_id] = _join(looks.get(change.issue_id), row, change)
        if double:
            await self._site.store.write(lambda tx: _part(tx, double, now))
            self._looked.set()
            return await self._find()
        linked = await self._site.store.read(lambda tx: links.linked_ids(tx, list(looks)))
        projects = await self.projects() if len(linked) < len(looks) else frozenset()
        for issue_id in [one for one in looks if one not in linked and not _may_enter(looks[one], projects)]:
            needless += [row.id for row in looks.pop(issue_id).rows]
        if needless:
            await self._site.store.write(lambda tx: _forget(tx, needless))
            self._looked.set()
        return [Job(issue_id, look) for issue_id, look in looks.items()]

    async def projects(self) -> frozenset[str]:
        """Return the projects from which issues enter sync by themselves, in small letters."""
        rules = await self._site.rules.automatic()
        return frozenset(name.casefold() for party, one in rules for name in watched(one, party.project))

    async def _entering(self, issue: Issue) -> _Entry:
        rules = await self._site.rules.automatic()
        if not rules:
            return _Entry()

        async def look(tx: Reader) -> Known:
            return Known(await links.origins_of_issue(tx, issue.id), await steps.open_since(tx, steps.CREATE))

        known = await self._site.store.read(look)
        decided = [
            (party, decide(issue, connection_id=party.id, project=party.project, ruleset=one, known=known))
            for party, one in rules
        ]
        return _Entry(
            tuple(party for party, decision in decided if decision is Decision.ENTER),
            any(decision is Decision.WAIT for _, decision in decided),
            bool(known.links),
        )

    async def _read(self, row: StoredChange) -> Change | None:
        """Read a notice; one that cannot be read is told and dropped: the next sweep sees the issue anyway."""
        if row.body is None:
            return Change(issue_id=row.issue or "") if row.issue else None
        try:
            raw = json.loads(row.body)
            if row.source == changes.POLL:
                issue = self._site.tracker.read_issue(raw)
                return Change(issue_id=issue.id, issue_key=issue.key, issue=issue)
            return self._site.tracker.read_webhook(raw)
        except (ValueError, TypeError, AttributeError, RecursionError, TrackerNonsense) as error:
            _LOG.warning("a webhook from the tracker was not understood and is dropped: %s", error)
            return None

    async def _work(self, look: _Look) -> None:
        ids = [row.id for row in look.rows]
        self._taken.update(ids)
        try:
            await self._look(look, ids)
        except StoreError:
            raise  # nothing was decided: the rows stay as they are, and the crew comes back to them
        except TrackerError as error:
            await self._postpone(look, ids, error)
        except OSError as error:
            text = f"A file could not be written on the node's machine: {error.strerror or error}."
            await self._postpone(look, ids, TrackerUnreachable(text, advice="Make room on its disk."))
        except AccordError as error:
            await self._hold(look.issue_id, ids, [error], look.issue.key if look.issue else None, None)
        except Exception as error:  # noqa: BLE001 - a mistake of ours holds one issue, and is told
            _LOG.exception("a changed issue could not be dealt with; it is held")
            await self._hold(look.issue_id, ids, [Fault(error)], look.issue.key if look.issue else None, None)
        finally:
            self._taken.difference_update(ids)
            self._looked.set()

    async def _look(self, look: _Look, ids: list[int]) -> None:
        async def forget(tx: Transaction) -> None:
            await changes.done(tx, ids)
            await changes.done_of_issue(tx, look.issue_id, up_to=max(ids))
            await problems.close_of_forgotten_changes(tx)

        if look.deleted:
            await self._outgoing.gone(look.issue_id, also=forget)
            return
        issue = look.issue
        entry = await self._entering(issue) if issue is not None else _Entry()
        if not entry.known and not entry.parties and not entry.wait:
            await self._site.store.write(forget)
            return
        if issue is None or not issue.complete:
            try:
                issue = await self._site.tracker.issue(look.issue_id)
            except TrackerNotFound:
                # Deleted since, or hidden from us; a deletion has a notice of its own, a sweep finds a hidden one.
                await self._site.store.write(forget)
                return
            entry = await self._entering(issue)
        left = [await self._outgoing.begin(party.id, issue) for party in entry.parties]
        stays = entry.wait or any(one.error or one.sent is Sent.LATER for one in left)
        try:
            patient = look.issue is not None and max(row.attempts for row in look.rows) < PATIENCE
            if stays:
                left += await self._outgoing.changed(issue, patient=patient)
            else:
                left += await self._outgoing.changed(issue, also=forget, patient=patient)
        except TrackerNotFound:
            await self._site.store.write(forget)
            return
        errors = [one for one in left if one.error is not None]
        if entry.wait or any(one.sent is Sent.LATER for one in left):
            # Waiting comes before holding: a held notice is not looked at again by itself, and a look that comes
            # later finds the errors again.
            attempts = max(row.attempts for row in look.rows) + 1
            wait_ms = min(MAX_BACKOFF_MS if entry.wait else MAX_LATER_MS, max(LATER_MS, backoff_ms(attempts - 1)))
            due = self._site.clock.now_ms() + int(wait_ms)
            await self._site.store.write(lambda tx: changes.postpone(tx, ids, due_ms=due))
        elif errors:
            await self._hold_left(ids, issue, errors)

    async def _hold_left(self, ids: list[int], issue: Issue, left: Sequence[Left]) -> None:
        for one in left:
            if one.error is not None:
                await self._hold(issue.id, ids, [one.error], issue.key, one)

    async def _hold(
        self, issue_id: str, ids: list[int], errors: Sequence[AccordError], issue_key: str | None, left: Left | None
    ) -> None:
        """Keep the newest notice of an issue for a person, under one problem a connection; older ones end with it."""
        now = self._site.clock.now_ms()
        where = f"{left.party.name}: " if left else ""
        problem = Problem(
            connection_id=left.party.id if left else None,
            stage=problems.CHANGE,
            ref=max(ids),
            issue_key=issue_key,
            code=type(errors[0]).__name__,
            message=where + " ".join(error.message for error in errors),
            advice=errors[0].advice or "Put right what is named here, then retry.",
        )

        async def work(tx: Transaction) -> None:
            await changes.done(tx, [row_id for row_id in ids if row_id != max(ids)])
            await changes.done_of_issue(tx, issue_id, up_to=max(ids) - 1)
            await changes.set_issue(tx, [max(ids)], issue_id)
            await changes.hold(tx, [max(ids)])
            await problems.close_of_forgotten_changes(tx)
            await problems.report(tx, problem, now_ms=now)

        await self._site.store.write(work)

    async def _postpone(self, look: _Look, ids: list[int], error: TrackerError) -> None:
        if not error.temporary:
            await self._hold(look.issue_id, ids, [error], look.issue.key if look.issue else None, None)
            return
        attempts = max(row.attempts for row in look.rows) + 1
        wait_ms = patience_ms(error, attempts, self._site.clock.jitter())
        due = self._site.clock.now_ms() + int(wait_ms)
        problem = Problem(
            connection_id=None,
            stage=problems.CHANGE,
            ref=max(ids),
            issue_key=look.issue.key if look.issue else None,
            code=type(error).__name__,
            message=error.message,
            advice=error.advice or "It is tried again by itself.",
        )

        async def work(tx: Transaction) -> None:
            await changes.postpone(tx, ids, due_ms=due)
            if attempts >= TELL_AFTER:
                await problems.report(tx, problem, now_ms=self._site.clock.now_ms())

        await self._site.store.write(work)
        leave_alone(self.crew, look.issue_id, error, wait_ms / 1000)


TELL_AFTER = 3
"""Tries after which a tracker that does not answer becomes a problem that people see."""


MAX_PAUSE = 30.0
"""Seconds for which failures keep a whole crew from the tracker; the row itself may wait longer."""


def leave_alone(crew: Crew[Any], key: str, error: TrackerError, seconds: float) -> None:
    """Let a crew leave the tracker alone, at once where it asks for patience, else once a second issue fails too.

    An answer of a strange shape says something only about one issue.
    """
    if isinstance(error, TrackerBusy):
        crew.pause(min(seconds, MAX_PAUSE))
    elif not isinstance(error, TrackerNonsense):
        crew.trouble(key, min(seconds, MAX_PAUSE))


def backoff_ms(attempts: int) -> float:
    """Return how long to wait after so many failures: 1 s, doubling, at most 5 minutes."""
    return float(min(MAX_BACKOFF_MS, 1000 * 2 ** min(max(attempts - 1, 0), 12)))


def patience_ms(error: TrackerError, attempts: int, jitter: float) -> float:
    """Return how long to wait after so many failures; never less than the tracker asked for."""
    if isinstance(error, TrackerBusy):
        return 1000 * error.retry_after * (1 + jitter / 4)
    return backoff_ms(attempts) * (0.5 + jitter)


async def _forget(tx: Transaction, ids: Sequence[int]) -> None:
    await changes.done(tx, ids)
    await problems.close_of_forgotten_changes(tx)


async def _part(tx: Transaction, double: Sequence[tuple[int, Change]], now_ms: int) -> None:
    """Make two notices of one that names two issues, so that each is looked at for itself."""
    for _, change in double:
        for issue in (change.issue_id, change.other_id):
            await changes.add(tx, source=changes.WEBHOOK, now_ms=now_ms, issue=issue)
    await changes.done(tx, [row_id for row_id, _ in double])


def _may_enter(look: _Look, projects: frozenset[str]) -> bool:
    """Tell whether an issue that is not linked is worth a look: one that the notice does not show may be."""
    if not projects or look.deleted:
        return False
    return look.issue is None or look.issue.project.casefold() in projects


def _join(look: _Look | None, row: StoredChange, change: Change) -> _Look:
    """Add a notice to what is known: the newest state counts, and a deletion is final."""
    if look is None:
        return _Look(change.issue_id, (row,), change.issue, change.deleted)
    issue = look.issue
    if change.issue is not None and (issue is None or millis(change.issue) >= millis(issue)):
        issue = change.issue
    if change.issue is None and not change.deleted:
        issue = None  # something happened that the notice does not show: ask
    return _Look(change.issue_id, (*look.rows, row), issue, look.deleted or change.deleted)
