"""Takes stored notices one issue at a time and hands the issue's newest state to the sync core.

Many notices about one issue are one look. A notice about an issue that is neither linked nor enters sync by itself is
forgotten. What fails stays: for a while where the tracker may recover, until a person decides where it will not.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from node.crew import Crew, Job
from node.errors import (
    AccordError,
    Fault,
    TrackerError,
    TrackerNonsense,
    TrackerNotFound,
    TrackerUnreachable,
)
from node.store import changes, links, problems, restored, steps
from node.store.changes import StoredChange
from node.store.errors import StoreClosed, StoreError, StoreUnavailable
from node.store.port import Reader, Transaction
from node.store.restored import Restored
from node.sync.notices import read_notice
from node.sync.outgoing import Also, Outgoing, Sent
from node.sync.site import Party, Site
from node.trackers.base import Change
from node.trackers.issue import Issue
from node.triggers.look import Look, join, may_enter
from node.triggers.patience import MAX_BACKOFF_MS, backoff_ms
from node.triggers.setbacks import Setbacks
from node.triggers.trigger import CLOCK_SKEW_MS, Decision, Known, decide, watched

_LOG = logging.getLogger(__name__)

BATCH = 256
"""Notices read at a time: enough to see most notices of a busy issue at once."""
LATER_MS = 1_000
"""How long a change waits for an incoming write of the same issue to be settled; doubling up to..."""
MAX_LATER_MS = 15_000
"""...this much, because that write may itself wait for a tracker or a paused connection."""
PATIENCE = 3
"""How often a look waits for the notice of our own write (4 seconds in all) before it asks the tracker."""


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
        self._notices_come = False
        """Whether notices of our own writes may still come: those of a time when nobody listened never do."""
        self.crew: Crew[Look] = Crew(
            "changes",
            find=self._find,
            work=self._work,
            next_due_ms=lambda after_ms: site.store.read(lambda tx: changes.next_due_ms(tx, after_ms)),
            clock=site.clock,
            size=size,
        )
        self._setbacks = Setbacks(site, self.crew)

    def expect_notices(self) -> None:
        """From now on, wait a while for the notice of our own write before the tracker is asked."""
        self._notices_come = True

    async def caught_up(self) -> None:
        """Wait until every notice that is stored now was looked at, or put aside."""
        newest = await self._site.store.read(changes.newest)
        while True:
            self._looked.clear()
            if not await self._site.store.read(lambda tx: changes.any_new(tx, newest)):
                return
            await self._looked.wait()

    async def _find(self) -> Sequence[Job[Look]]:
        now = self._site.clock.now_ms()
        rows = await self._site.store.read(lambda tx: changes.due(tx, now, limit=BATCH))
        looks: dict[str, Look] = {}
        needless: list[int] = []
        double: list[tuple[int, Change]] = []
        for row in rows:
            if row.id in self._taken:
                continue
            change = self._read(row)
            if change is None:
                needless.append(row.id)
                continue
            if change.other_id is not None:
                double.append((row.id, change))
                continue
            looks[change.issue_id] = join(looks.get(change.issue_id), row, change)
        if double:
            await self._site.store.write(lambda tx: _part(tx, double, now))
            self._looked.set()
            return await self._find()
        linked = await self._site.store.read(lambda tx: links.linked_ids(tx, list(looks)))
        for row in await self._site.store.read(lambda tx: changes.requests_of(tx, list(looks))) if looks else ():
            look = looks[str(row.issue)]
            looks[look.issue_id] = replace(look, rows=(row, *look.rows))
        projects = await self.projects() if len(linked) < len(looks) else frozenset()
        for issue_id in [one for one in looks if one not in linked and not may_enter(looks[one], projects)]:
            needless += looks.pop(issue_id).ids
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

        async def look(tx: Reader) -> tuple[Known, Mapping[int, Restored]]:
            known = Known(await links.origins_of_issue(tx, issue.id), await steps.open_since(tx, steps.CREATE))
            return known, await restored.every(tx)

        known, restores = await self._site.store.read(look)
        decided = [
            (party, decide(issue, connection_id=party.id, project=party.project, ruleset=one, known=known))
            for party, one in rules
        ]
        enters = any(decision is Decision.ENTER for _, decision in decided)
        # The tracker's clock may be further behind than is allowed for; a marker tells without any clock.
        doubt = enters and known.creating and not known.links
        if doubt and await self._site.tracker.issue_marker(issue.id) is not None:
            return _Entry(wait=True, known=False)
        if restores and enters:
            if any(one.waits for one in restores.values()):
                return _Entry(wait=True, known=bool(known.links))
            if await self._was_made_by_sync(issue, restores.values()):
                return _Entry(known=bool(known.links))
        return _Entry(
            tuple(party for party, decision in decided if decision is Decision.ENTER),
            any(decision is Decision.WAIT for _, decision in decided),
            bool(known.links),
        )

    async def _was_made_by_sync(self, issue: Issue, restores: Iterable[Restored]) -> bool:
        """Tell whether a sync that a restore made us forget created an issue; such a one enters nowhere by itself."""
        created_ms = issue.created.timestamp() * 1000
        lost = any(one.since_ms - CLOCK_SKEW_MS <= created_ms <= one.done_ms + CLOCK_SKEW_MS for one in restores)
        return lost and await self._site.tracker.issue_marker(issue.id) is not None

    def _read(self, row: StoredChange) -> Change | None:
        """Read a notice; one that cannot be read is told and dropped: the next sweep sees the issue anyway."""
        try:
            return read_notice(self._site.tracker, row)
        except TrackerNonsense as error:
            _LOG.warning("a webhook from the tracker was not understood and is dropped: %s", error.__cause__ or error)
            return None

    async def _work(self, look: Look) -> None:
        ids = look.ids
        self._taken.update(ids)
        try:
            await self._look(look)
        except (StoreUnavailable, StoreClosed):
            raise  # nothing was decided: the rows stay as they are, and the crew comes back to them
        except TrackerError as error:
            await self._setbacks.postpone(look, error)
        except OSError as error:
            text = f"A file could not be written on the node's machine: {error.strerror or error}."
            await self._setbacks.postpone(look, TrackerUnreachable(text, advice="Make room on its disk."))
        except StoreError as error:
            _LOG.exception("a changed issue could not be stored as it is; it is held")
            await self._setbacks.hold(look, Fault(error))
        except AccordError as error:
            await self._setbacks.hold(look, error)
        except Exception as error:  # noqa: BLE001 - a mistake of ours holds one issue, and is told
            _LOG.exception("a changed issue could not be dealt with; it is held")
            await self._setbacks.hold(look, Fault(error))
        finally:
            self._taken.difference_update(ids)
            self._looked.set()

    async def _look(self, look: Look) -> None:
        async def forget(tx: Transaction) -> None:
            await changes.done(tx, look.ids)
            await changes.done_of_issue(tx, look.issue_id, up_to=max(look.ids))
            await problems.close_of_forgotten_changes(tx)

        if look.deleted:
            await self._outgoing.gone(look.issue_id, also=forget)
            return
        if not await self._waits_for_recovery(look):
            await self._look_at(look, forget)

    async def _waits_for_recovery(self, look: Look) -> bool:
        """Put notices of an issue aside while a connection of it recovers; the end of that makes them due."""

        async def waits(tx: Reader) -> bool:
            asked = [await restored.waits(tx, connection_id) for connection_id in look.asked]
            return any(asked) or await restored.waits_on_issue(tx, look.issue_id)

        async def work(tx: Transaction) -> bool:
            if not await waits(tx):
                return False
            await changes.postpone(tx, look.ids, due_ms=self._site.clock.now_ms() + MAX_BACKOFF_MS)
            return True

        return await self._site.store.read(waits) and await self._site.store.write(work)

    async def _look_at(self, look: Look, forget: Also) -> None:
        issue = look.issue
        entry = await self._entering(issue) if issue is not None else _Entry()
        if not entry.known and not entry.parties and not entry.wait and not look.asked:
            await self._site.store.write(forget)
            return
        try:
            if issue is None or not issue.complete:
                issue = await self._site.tracker.issue(look.issue_id)
                entry = await self._entering(issue)
            await self._send(replace(look, issue=issue), issue, entry, forget, shown=look.issue is not None)
        except TrackerNotFound:
            if look.asked:
                raise  # somebody waits for an answer
            # Deleted since, or hidden from us; a deletion has a notice of its own, a sweep finds a hidden one.
            await self._site.store.write(forget)

    async def _send(self, look: Look, issue: Issue, entry: _Entry, forget: Also, *, shown: bool) -> None:
        """Let the sync core look at an issue; ``forget`` ends the notices. ``shown``: they showed the issue."""
        entering = {*look.asked, *(party.id for party in entry.parties)}
        left = [await self._outgoing.begin(connection_id, issue) for connection_id in sorted(entering)]
        patient = self._notices_come and shown and look.tries < PATIENCE
        if entry.wait or any(one.error or one.sent is Sent.LATER for one in left):
            left += await self._outgoing.changed(issue, patient=patient)
        else:
            left += await self._outgoing.changed(
                issue, also=forget, late=lambda tx: _forget(tx, look.ids), patient=patient
            )
        if entry.wait or any(one.sent is Sent.LATER for one in left):
            # Waiting comes before holding: a held notice is not looked at again by itself, and a look that comes
            # later finds the errors again.
            most = MAX_BACKOFF_MS if entry.wait else MAX_LATER_MS
            due = self._site.clock.now_ms() + int(min(most, max(LATER_MS, backoff_ms(look.tries))))
            await self._site.store.write(lambda tx: changes.postpone(tx, look.ids, due_ms=due))
            return
        for one in left:
            if one.error is not None:
                await self._setbacks.hold(look, one.error, one.party)


async def _forget(tx: Transaction, ids: Sequence[int]) -> None:
    await changes.done(tx, ids)
    await problems.close_of_forgotten_changes(tx)


async def _part(tx: Transaction, double: Sequence[tuple[int, Change]], now_ms: int) -> None:
    """Make two notices of one that names two issues, so that each is looked at for itself."""
    for _, change in double:
        for issue in (change.issue_id, change.other_id):
            await changes.add(tx, source=changes.WEBHOOK, now_ms=now_ms, issue=issue)
    await changes.done(tx, [row_id for row_id, _ in double])
