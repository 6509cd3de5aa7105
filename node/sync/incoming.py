"""From a received replica to our issue: rules, merge, plan, apply, and the outcome that goes back.

Rows of one peer's issue are settled one after the other, rows of different issues side by side. The newest replica
says everything, so an older one that is still open ends with it as superseded. What cannot be applied is held with
its reason, for a person; it stops nothing else.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import replace

from node.errors import RuleError, TrackerError, TrackerNotFound
from node.rules.explain import origins_to_json
from node.rules.model import Draft, Origin, Refused, Skip
from node.store import awaited, history, inbox, links, shadows, steps
from node.store.inbox import Received
from node.store.links import Link
from node.store.port import Transaction
from node.store.restored import Restored
from node.store.shadows import Shadow
from node.sync.apply import Applied, Applier
from node.sync.attempts import attempts_in, but_for_ours
from node.sync.contexts import incoming_context
from node.sync.endings import Endings, Settled, incoming_event
from node.sync.incoming_files import IncomingFiles
from node.sync.intents import Target
from node.sync.job import Job
from node.sync.judgement import judged, recovered
from node.sync.locks import issue_lock
from node.sync.merge import Merged
from node.sync.notices import may_tell_news
from node.sync.our_edits import edited_here
from node.sync.outcomes import Outcomes
from node.sync.plan import ISSUE_LINK, Operation, plan_create, plan_update, wishes
from node.sync.plan_issue_links import plan_issue_links
from node.sync.recovery import Recovery, is_replay
from node.sync.settling import Settling
from node.sync.site import Party, Site
from node.sync.twins import AskedTwins
from node.trackers.issue import IssueRef
from protocol.messages import (
    Code,
    IssueRemoved,
    IssueReplica,
    parse_message,
)

_REMOVED = "issue.removed"


class Incoming:
    """Settles the messages that peers sent."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._applier = Applier(site)
        self._endings = Endings(site)
        self.recovery = Recovery(site)
        self._outcomes = Outcomes(site, self._endings, self.recovery)
        self.files = IncomingFiles(site)
        self._settling = Settling(site, self._endings, self.recovery, self.files)

    async def settle(self, row: Received) -> Settled:
        """Settle one message, or the newest about the same issue in its place.

        Raises:
            TrackerError: a temporary failure; the row can be tried again.
        """
        if row.issue is None:
            return await self._outcomes.other(row)
        async with self._site.locks.hold(f"peer:{row.connection_id}:{row.issue}"):
            open_rows = await self._site.store.read(
                lambda tx: inbox.open_of_issue(tx, row.connection_id, row.issue or "")
            )
            if not open_rows:
                return Settled.DONE
            # A removal ends what came before it, and nothing that came after it.
            newest = next((row for row in open_rows if row.kind == _REMOVED), open_rows[-1])
            message = parse_message(newest.payload)
            if isinstance(message, IssueReplica):
                return await self._settle_replica(newest, message)
            if isinstance(message, IssueRemoved):
                return await self._outcomes.removed(newest, message)
            return await self._outcomes.other(newest)

    # replicas

    async def _settle_replica(self, row: Received, message: IssueReplica) -> Settled:
        site = self._site
        party = await site.rules.party(row.connection_id)
        state = await self.recovery.state(row)
        if state is not None and is_replay(row, state):
            return await self._endings.finish(
                row, party, None, Code.SUPERSEDED, "skipped", {"reason": "said again since"}
            )
        async with AsyncExitStack() as stack:
            link, recovers = await self._locked_link(row, party, message, state, stack)
            if (link is None and message.twin is not None) or (link is not None and link.state == links.ENDED):
                return await self._endings.finish(
                    row, party, None, Code.TARGET_GONE, "skipped", {"reason": "no longer linked here"}
                )
            if link is not None and link.received is not None and row.id < link.received.get("row", 0):
                # By its place in the stream, not by its revision: a peer that was restored counts some of them again.
                return await self._endings.finish(
                    row, party, link, Code.SUPERSEDED, "skipped", {"reason": "older than what is here"}
                )
            items = await site.store.read(lambda tx: links.items(tx, link.id)) if link is not None else []
            job = Job(
                row=row,
                message=message,
                party=party,
                link=link,
                ours=None,
                items=items,
                asked=AskedTwins(site.store, party.id),
                again=await site.store.read(lambda tx: awaited.came(tx, party.id, message.replica.issue)),
                restored=state if recovers else None,
            )
            try:
                if link is not None:
                    job = await self._with_ours(job, link)
                return await self._apply(job, stack)
            except TrackerError as error:
                if error.temporary:
                    raise
                return await self._endings.hold(job, [error])
            except RuleError as error:
                return await self._endings.hold(job, [error])

    async def _is_over(self, link: Link) -> bool:
        """Tell whether a link has ended, or its issue is gone from our tracker without a notice of it."""
        if link.state == links.ENDED:
            return True
        try:
            await self._site.tracker.issue(link.issue_id)
        except TrackerNotFound:
            return True
        return False

    async def _locked_link(
        self, row: Received, party: Party, message: IssueReplica, state: Restored | None, stack: AsyncExitStack
    ) -> tuple[Link | None, bool]:
        """Return the link of the issue, whose lock is taken, and whether it recovers by this message."""
        site = self._site
        link = await self._find_link(party, message)
        recovers = state is not None and self.recovery.applies(row, link, state)
        if recovers:
            link = await self.recovery.lost.link_of(party, message)
        if link is not None:
            await stack.enter_async_context(site.locks.hold(issue_lock(link.issue_id)))
            link = await self._find_link(party, message)
        if link is not None and _begins_anew(message) and await self._is_over(link):
            ended = link.id

            async def forget(tx: Transaction) -> None:
                await links.set_state(tx, ended, links.ENDED)
                await links.forget_twin(tx, ended)

            await site.store.write(forget)
            link = None
        return link, recovers

    async def _find_link(self, party: Party, message: IssueReplica) -> Link | None:
        site, replica = self._site, message.replica
        link = await site.store.read(lambda tx: links.find(tx, party.id, twin=replica.issue))
        if link is None and message.twin is not None:
            link = await site.store.read(lambda tx: links.find(tx, party.id, handle=message.twin))
            if link is not None and link.twin not in {None, replica.issue}:
                return None
        return link

    async def _with_ours(self, job: Job, link: Link) -> Job:
        """Add our issue as it is now: the shadow while webhooks keep it fresh, else the tracker's own word.

        A notice that nobody has looked at yet may tell of an edit that the shadow does not show. What we may have
        written ourselves without knowing is left out of the issue, so that it is written, and known, again.
        """
        if job.restored is not None:
            return await self.recovery.with_ours(job, link)
        site = self._site
        shadow = await site.store.read(lambda tx: shadows.read(tx, link.issue_id))
        begun = await site.store.read(lambda tx: steps.open_steps(tx, job.party.id, job.message.replica.issue))
        attempts = attempts_in(begun.values())
        newborn = link.sent is None  # its creation was never settled: it may have been edited since
        if (
            shadow is not None
            and site.shadows_are_fresh()
            and not (attempts or newborn)
            and not await may_tell_news(site, link.issue_id, shadow)
        ):
            return replace(job, ours=shadow)
        issue = await site.tracker.issue(link.issue_id)
        if shadow is None:
            return replace(job, ours=Shadow(issue, 0))
        issue, attempted = but_for_ours(issue, shadow.issue, attempts)
        unseen = frozenset(edited_here(shadow, issue))
        if newborn:
            unseen &= shadow.pending.keys()  # the tracker filled in the rest
        return replace(job, ours=replace(shadow, issue=issue), unseen=unseen, attempted=attempted)

    async def _apply(self, job: Job, stack: AsyncExitStack) -> Settled:
        site, message = self._site, job.message
        rules = await site.rules.incoming(job.party.id)
        ours = job.ours.issue if job.ours else None
        context = incoming_context(site, job.party, job.link, ours, twins=job.asked)
        draft = await rules.evaluate(message.replica, context)
        if isinstance(draft, Skip):
            return await self._skip(job, draft, rules.version)
        if job.restored is not None and job.link is None:
            if await self.recovery.lost.created(job.party, message, draft.project, job.restored) is not None:
                return await self._settle_replica(job.row, message)  # it has a link now
        elif job.restored is not None:
            job = await self.recovery.with_copies(job, draft)
        with self.files.in_use(job.party, draft):
            if await self.files.must_wait(job, draft):
                return Settled.FILES
            return await self._write(job, draft, rules.version, stack)

    async def _write(self, job: Job, draft: Draft, rule_version: int, stack: AsyncExitStack) -> Settled:
        site, message = self._site, job.message
        stay: frozenset[str] = frozenset()
        if job.link is None or job.ours is None:
            merged = Merged(wishes(draft))
            operations = plan_create(draft)
        elif job.restored is not None:
            found = recovered(job, job.link, draft)
            merged, stay = found.merged, found.ours
            operations = plan_update(draft, merged.write, job.items)
        else:
            merged = judged(job, job.link, job.ours.issue, draft)
            operations = plan_update(draft, merged.write, job.items)
        operations += await self._plan_issue_links(job, draft)

        async def guard(ref: IssueRef) -> None:
            await stack.enter_async_context(site.locks.hold(issue_lock(ref.id)))

        applied = Applied()
        target = await self._applier.run(
            Target(
                connection_id=job.party.id,
                peer_issue=message.replica.issue,
                link_id=job.link.id if job.link else None,
                ref=IssueRef(job.link.issue_id, job.link.issue_key) if job.link else None,
            ),
            operations,
            applied,
            link=lambda tx, ref: self._settling.store_link(tx, job, draft, ref),
            guard=guard,
            ours=job.ours.issue if job.ours else None,
        )
        applied.refused += [_as_error(part) for part in draft.refused]  # what it could not do comes first
        if target.link_id is not None and job.link is None:
            link_id = target.link_id
            link = await site.store.read(lambda tx: links.by_id(tx, link_id))
            job = replace(job, link=link, restored=None)
        return await self._settling.commit(job, draft, merged, applied, rule_version, stay)

    async def _plan_issue_links(self, job: Job, draft: Draft) -> list[Operation]:
        """Plan links to issues that are linked on this connection; those that are not are awaited."""
        if draft.links is None:
            return []
        others: dict[str, str] = {}
        for handle in {link.issue for link in draft.links}:
            found = await self._site.store.read(lambda tx, twin=handle: links.find(tx, job.party.id, twin=twin))  # type: ignore[misc]  # bound early, on purpose
            if found is not None and found.state == links.ACTIVE:
                others[handle] = found.issue_id
            else:
                job.asked.missing.add(handle)
        issue_id, prefix = job.link.issue_id if job.link is not None else "", f"{ISSUE_LINK}:"
        begun = await self._site.store.read(lambda tx: steps.open_steps(tx, job.party.id, job.message.replica.issue))
        return plan_issue_links(
            draft,
            job.items,
            others={handle: one for handle, one in others.items() if one != issue_id},
            ours=job.ours.issue if job.ours is not None else None,
            made=await self._site.store.read(lambda tx: links.made_by_sync(tx, issue_id)),
            begun=frozenset(key.removeprefix(prefix) for key in begun if key.startswith(prefix)),
        )

    async def _skip(self, job: Job, skip: Skip, rule_version: int) -> Settled:
        row, link = job.row, job.link

        async def work(tx: Transaction) -> None:
            if link is not None:
                now = self._site.clock.now_ms()
                detail = {"reason": skip.reason, "log": list(skip.log)}
                event = incoming_event(row, link, now, "skipped", detail, rule_version)
                origins = origins_to_json({"": skip.origin}) if skip.origin else None
                await history.add(tx, replace(event, origins=origins))
            await self._endings.end_row(tx, row, job.party, Code.IGNORED)
            await awaited.remember(tx, row.connection_id, job.message.replica.issue, job.asked.missing)

        await self._site.store.write(work)
        self._site.wake_sender(row.connection_id)
        return Settled.DONE


def _as_error(part: Refused) -> RuleError:
    place = part.origin or Origin(0)
    return RuleError(part.message, step=place.step or None, line=place.line, advice=part.advice)


def _begins_anew(message: IssueReplica) -> bool:
    """Tell whether the peer brings an issue in again after its link had ended, and knows of no twin."""
    fresh = all(revision == message.revision for revision in message.changed.values())
    return message.twin is None and message.seen == 0 and fresh
