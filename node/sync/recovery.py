"""Recovers a connection after our own database was put back: nothing of it lost, nothing made twice.

A node that was restored takes what the sync made here since the backup for its people's own, and would send it back. So
once the restore is noticed (`node.transport.restored`) it sends nothing over that connection, asks the peer to say
everything again, and settles the first word about each issue by what both Jiras hold: copies are known by their markers
(`copies.py`), lost links are found again (`lost_links.py`), fields are compared (`recovering.py`). When the peer has
said all, every issue is looked at and sent once. What was said before the peer began is a replay and ends unapplied.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Any

from node.errors import TrackerError, TrackerNotFound
from node.rules.model import Draft, Origin
from node.store import changes, history, inbox, links, problems, restored, shadows, steps
from node.store.history import Event
from node.store.inbox import Received
from node.store.links import Link
from node.store.port import Reader, Transaction
from node.store.restored import LEAP, Restored
from node.store.shadows import Shadow
from node.sync.attempts import attempts_in, but_for_ours
from node.sync.copies import adopt_copies
from node.sync.endings import Settled
from node.sync.issue_links import issue_link_marker
from node.sync.job import Job
from node.sync.locks import issue_lock
from node.sync.lost_links import LostLinks
from node.sync.our_edits import edited_here
from node.sync.plan import ISSUE_LINK, AddIssueLink
from node.sync.recovering import agreed_content
from node.sync.site import Site
from node.sync.step_keys import issue_link_key
from node.trackers.fields import field_values, with_fields
from node.trackers.issue import Issue, Value
from protocol.messages import Code, IssueReplica, ResyncEnd
from protocol.strict_json import MAX_INTEGER

_LOG = logging.getLogger(__name__)

LOST_MS = 7 * 24 * 60 * 60 * 1_000
"""How long after a recovery a new issue of the peer's may turn out to be one whose link both sides have lost."""


class Recovery:
    """What is different while a connection recovers."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self.lost = LostLinks(site)

    async def state(self, row: Received) -> Restored | None:
        """Return the restore after which a message came; None if there was none."""
        return await self._site.store.read(lambda tx: restored.read(tx, row.connection_id))

    def applies(self, row: Received, link: Link | None, state: Restored) -> bool:
        """Tell whether a message is the first about its issue since the peer says everything again."""
        if is_replay(row, state):
            return False
        if link is not None:
            return not state.knows(link.received)
        return state.waits or self._site.clock.now_ms() < state.done_ms + LOST_MS

    async def with_ours(self, job: Job, link: Link) -> Job:
        """Add our issue as it is now, and what the backup knew of it."""
        site = self._site
        issue = await site.tracker.issue(link.issue_id)

        async def look(tx: Reader) -> tuple[Shadow | None, Mapping[str, steps.Step]]:
            shadow = await shadows.read(tx, link.issue_id)
            return shadow, await steps.open_steps(tx, job.party.id, job.message.replica.issue)

        shadow, begun = await site.store.read(look)
        before = shadow.issue if shadow is not None else None
        if before is not None:  # what we wrote and forgot is no doing of our people
            holds = field_values(issue)
            _, ours = but_for_ours(issue, before, attempts_in(begun.values()))
            before = with_fields(before, {name: holds[name] for name in ours})
        return replace(job, ours=Shadow(issue, issue.updated_ms), before=before)

    async def with_copies(self, job: Job, draft: Draft) -> Job:
        """Remember the copies on our issue, those of what the peer has removed as well."""
        link, state = job.link, job.restored
        if link is None or state is None or job.ours is None:
            return job
        await adopt_copies(self._site, link, job.ours.issue, state, draft)
        await self._site.store.write(lambda tx: self._intend_issue_links(tx, job, draft))
        return replace(job, items=await self._site.store.read(lambda tx: links.items(tx, link.id)))

    async def _intend_issue_links(self, tx: Transaction, job: Job, draft: Draft) -> None:
        """Let links between issues that are not known as ours count as begun: what is there may be of our making."""
        known = {item.handle for item in job.items if item.kind == ISSUE_LINK}
        begun: list[steps.Step] = []
        for wanted in draft.links or ():
            other = await links.find(tx, job.party.id, twin=wanted.issue)
            if wanted.handle not in known and other is not None and other.state == links.ACTIVE:
                call = AddIssueLink(wanted, other.issue_id)
                now = self._site.clock.now_ms()
                peer_issue = job.message.replica.issue
                begun.append(steps.Step(peer_issue, issue_link_key(call), issue_link_marker(call), now))
        await steps.intend(tx, job.party.id, begun)

    async def settling(self, tx: Transaction, job: Job, link: Link) -> None:
        """Let an issue be looked at that recovers when all others have: nobody else does."""
        if _is_late(job):
            await changes.add(tx, source=changes.POLL, now_ms=self._site.clock.now_ms(), issue=link.issue_id)

    def settled(self, job: Job) -> None:
        """The same is stored: go and look."""
        if _is_late(job):
            self._site.recovered()

    async def end(self, row: Received, message: ResyncEnd) -> Settled:
        """The peer has said everything again: go on as usual once all of it is settled, or held for a person."""
        state = await self.state(row)
        if state is not None and state.waits and state.mid == message.of and state.begin:
            if await self._site.store.read(lambda tx: restored.replicas_wait(tx, row.connection_id, row.id)):
                return Settled.LATER
            await self._go_on(row.connection_id, state, row)
            return Settled.DONE
        await self._site.store.write(lambda tx: inbox.finish(tx, row.id, Code.IGNORED, self._site.clock.now_ms()))
        return Settled.DONE

    async def give_up(self, connection_id: int) -> None:
        """Wait for the peer no longer; what it says later is still settled with care.

        Raises:
            TrackerError: our tracker does not answer, and copies have to be looked for in it.
        """
        state = await self._site.store.read(lambda tx: restored.read(tx, connection_id))
        if state is None or not state.waits:
            return
        if not state.begin:
            state = replace(state, begin=await self._site.store.read(restored.newest_row) + 1)
        await self._go_on(connection_id, state, None)

    async def _go_on(self, connection_id: int, state: Restored, row: Received | None) -> None:
        """Know the copies on issues of which the peer did not speak, and let every issue be looked at."""
        site, last = self._site, 0
        while part := await site.store.read(
            lambda tx, after=last: links.active_part(tx, connection_id, after=after, limit=PART)  # type: ignore[misc]  # bound early, on purpose
        ):
            for link in part:
                last = link.id
                if not state.knows(link.received):
                    await self._look_at(link, state)

        async def work(tx: Transaction) -> None:
            now = site.clock.now_ms()
            current = await restored.read(tx, connection_id)
            if current is None or not current.waits or current.mid != state.mid:
                return  # restored once more meanwhile: the next answer counts
            await restored.write(tx, connection_id, replace(state, done_ms=now))
            await restored.say_again(tx, connection_id, state.begin, now)
            await problems.close_told(tx, connection_id, [restored.PROBLEM])
            if row is not None:
                await inbox.finish(tx, row.id, Code.APPLIED, now)

        site.crash_point("before going on")
        await site.store.write(work)
        site.crash_point("recovered")
        self.lost.forget()
        site.recovered()

    async def _look_at(self, link: Link, state: Restored) -> None:
        site = self._site
        async with site.locks.hold(issue_lock(link.issue_id)):
            try:
                issue = await self._shown(link)
                if issue is None:
                    await site.store.write(lambda tx: self._end(tx, link))
                else:
                    await adopt_copies(site, link, issue, state)
            except TrackerError as error:
                if error.temporary:
                    raise
                # One issue that our tracker does not show keeps the others waiting no longer; its own look says why.
                _LOG.warning("%s could not be looked at after the restore: %s", link.issue_key, error.message)

    async def _shown(self, link: Link) -> Issue | None:
        try:
            return await self._site.tracker.issue(link.issue_id)
        except TrackerNotFound:
            return None

    async def _end(self, tx: Transaction, link: Link) -> None:
        """Our issue is gone, and the peer does not speak of it: they have parted after the backup."""
        await links.set_state(tx, link.id, links.ENDED)
        await shadows.drop(tx, link.issue_id)
        event = Event(
            connection_id=link.connection_id,
            link_id=link.id,
            at_ms=self._site.clock.now_ms(),
            direction=history.OUT,
            event="ended",
            detail={"reason": "our issue is gone"},
        )
        await history.add(tx, event)


PART = 100
"""Links read at a time."""


def is_replay(row: Received, state: Restored) -> bool:
    """Tell whether a message was said before the peer began to say everything again: what it says then is newer."""
    return row.id < state.begin if state.begin else state.waits


def _is_late(job: Job) -> bool:
    return job.restored is not None and not job.restored.waits


def edited_since_backup(job: Job, known: Shadow | None) -> list[str]:
    """Name the fields of our issue that are not as the backup knew them, where the issue recovers."""
    return edited_here(known, job.ours.issue) if job.restored is not None and job.ours is not None else []


def settled_link(
    before: Link,
    settled: Link,
    message: IssueReplica,
    *,
    out: tuple[Mapping[str, Any], Mapping[str, Origin]] | None,
    wanted: Mapping[str, Value],
    ours: AbstractSet[str],
) -> Link:
    """Return the link of an issue that has recovered: what our people changed is still to be said.

    Args:
        before: the link as it was.
        settled: the link as after any message.
        message: what the peer said.
        out: what our outgoing rules let out now, and from what; None: nothing.
        wanted: what the incoming rules wanted.
        ours: the fields of it that our people are taken to have changed.
    """
    revision = max(settled.revision, min(message.seen, MAX_INTEGER // 2) + LEAP)
    edited = {name: said for name, said in settled.edited.items() if name not in wanted}
    known: Mapping[str, Value] = (before.sent or {}).get("fields", {})
    sent = before.sent
    if out is not None:
        sent = agreed_content(out[0], out[1], known=known, wanted=frozenset(wanted), ours=ours, born=before.born)
    return replace(
        settled, revision=revision, edited={**edited, **dict.fromkeys(ours, revision + 1)}, sent=sent
    )  # fmt: skip
