"""From a received replica to our issue: rules, merge, plan, apply, and the outcome that goes back.

Rows of one peer's issue are settled one after the other, rows of different issues side by side. The newest replica
says everything, so an older one that is still open ends with it as superseded. What cannot be applied is held with
its reason, for a person; it stops nothing else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

from node.errors import RuleError, TrackerError, TrackerNotFound, TrackerRefused
from node.rules.explain import origins_to_json
from node.rules.model import Draft, Origin, Refused, Skip
from node.store import awaited, connections, history, inbox, links, shadows, steps
from node.store.inbox import Received
from node.store.links import Link
from node.store.port import Transaction
from node.store.restored import Restored
from node.store.shadows import Shadow
from node.sync.apply import Applied, Applier, Target
from node.sync.attempts import attempts_in, but_for_ours
from node.sync.believed import believed, with_items, without
from node.sync.content import FileDigest, content_of, replica_of
from node.sync.contexts import incoming_context, outgoing_context
from node.sync.endings import Endings, Settled, incoming_event
from node.sync.job import Job
from node.sync.locks import issue_lock
from node.sync.merge import Conflict, Merged, merge, same
from node.sync.our_edits import edited_here
from node.sync.outcomes import Outcomes
from node.sync.plan import ISSUE_LINK, STATUS, TRANSITION, Operation, plan_create, plan_update, wishes
from node.sync.plan_issue_links import plan_issue_links
from node.sync.recovery import Recovery, depends, edited_since_backup, is_replay, recovered, settled_link
from node.sync.site import Party, Site
from node.sync.twins import AskedTwins
from node.trackers.fields import field_values, with_fields
from node.trackers.issue import Issue, IssueRef, Value
from node.triggers.echo import adopt
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
        self._in_use: Counter[tuple[int, str]] = Counter()
        """(Connection, digest) of files to how many issues are just being given them: the last one lets go."""
        self.missing: dict[tuple[int, str], frozenset[str]] = {}
        """(Connection, the peer's issue) to the digests of the files that it waits for; a hint, lost at a restart."""

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

        What we may have written ourselves without knowing is left out of it, so that it is written, and known, again.
        """
        if job.restored is not None:
            return await self.recovery.with_ours(job, link)
        site = self._site
        shadow = await site.store.read(lambda tx: shadows.read(tx, link.issue_id))
        begun = await site.store.read(lambda tx: steps.open_steps(tx, job.party.id, job.message.replica.issue))
        attempts = attempts_in(begun.values())
        newborn = link.sent is None  # its creation was never settled: it may have been edited since
        if shadow is not None and site.shadows_are_fresh() and not attempts and not newborn:
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
        files = {(job.party.id, file.blob) for file in draft.attachments or ()}
        self._in_use.update(files)
        try:
            if await self._wait_for_files(job, draft):
                return Settled.FILES
            return await self._write(job, draft, rules.version, stack)
        finally:
            self._in_use.subtract(files)
            self._in_use = +self._in_use

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
            merged = self._merge(job, job.link, job.ours.issue, draft)
            operations = plan_update(draft, merged.write, job.items)
        operations += await self._plan_issue_links(job, draft)

        async def guard(ref: IssueRef) -> None:
            await stack.enter_async_context(site.locks.hold(issue_lock(ref.id)))

        applied = Applied()
        target = await self._applier.run(
            Target(
                connection_id=job.party.id,
                peer_issue=message.replica.issue,
                label=job.link.issue_key if job.link else "",
                link_id=job.link.id if job.link else None,
                ref=IssueRef(job.link.issue_id, job.link.issue_key) if job.link else None,
            ),
            operations,
            applied,
            link=lambda tx, ref: self._store_link(tx, job, draft, ref),
            guard=guard,
            ours=job.ours.issue if job.ours else None,
        )
        applied.refused += [_as_error(part) for part in draft.refused]  # what it could not do comes first
        if target.link_id is not None and job.link is None:
            link_id = target.link_id
            link = await site.store.read(lambda tx: links.by_id(tx, link_id))
            job = replace(job, link=link, restored=None)
        return await self._commit(job, draft, merged, applied, rule_version, stay)

    def _merge(self, job: Job, link: Link, ours: Issue, draft: Draft) -> Merged:
        message = job.message
        known = {} if _counts_again(link, job) else link.received_changed
        fresh = {name for name, revision in message.changed.items() if revision > known.get(name, 0)}
        before = (link.received or {}).get("replica", {}).get("fields", {})
        news = fresh | {name for name in before if name not in message.replica.fields}
        wanted = wishes(draft)
        touched = {name for name in wanted if depends(draft, name, news)}
        # What their people never changed came from us: it is no wish of theirs, even when it is new to our rules.
        given_back = {
            name: value
            for name, value in wanted.items()
            if name not in link.draft and not depends(draft, name, set(message.changed))
        }
        last_seen = (link.received or {}).get("seen", 0)
        seen = max(message.seen, last_seen)  # what it had seen is in its tracker, even where its node forgot it
        holds = field_values(ours)
        if job.again:  # nobody there changed anything, so what our people changed since stays
            touched |= {name for name in wanted if same(holds.get(name), link.draft.get(name))}
        edited = job.unseen | {
            name
            for name, revision in link.edited.items()
            # What has not been sent and is what they asked for last is no edit of ours that they could overlook.
            if revision > seen and not (revision > link.revision and _is_as_asked(link, name, holds))
        }
        overtaken = {name for name, revision in link.edited.items() if revision > last_seen}
        asked = {**given_back, **link.draft}
        if link.sent is None:
            asked.update(job.ours.pending if job.ours else {})  # what it was created with
        else:
            overtaken |= job.unseen
        merged = merge(
            wanted,
            holds,
            asked=asked,
            touched=touched,
            overtaken=overtaken,
            edited=edited,
            ours_wins=job.party.inviter,
        )
        lost = {conflict.field for conflict in merged.conflicts if conflict.ours_won}
        again = {name: wanted[name] for name in job.attempted if name in wanted and name not in lost}
        return replace(merged, write={**merged.write, **again})

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

    async def _wait_for_files(self, job: Job, draft: Draft) -> bool:
        """Ask for the bytes of files that we want and do not have; True while some are missing."""
        site = self._site
        known = {item.handle for item in job.items if item.kind == "attachment"}
        missing = [
            FileDigest(file.blob, file.size)
            for file in draft.attachments or ()
            if file.handle not in known and await site.files.arrived(job.party.id, file.blob) is None
        ]
        waiting = (job.party.id, job.message.replica.issue)
        self.missing.pop(waiting, None)
        if not missing:
            return False

        async def work(tx: Transaction) -> None:
            for digest in missing:
                await site.files.want(tx, job.party.id, digest)

        await site.store.write(work)
        self.missing[waiting] = frozenset(digest.sha256 for digest in missing)
        site.ask_peer(job.party.id)
        return True

    async def _store_link(self, tx: Transaction, job: Job, draft: Draft, ref: IssueRef) -> int:
        """Link the issue that was just created; what it holds is believed from now on."""
        now = self._site.clock.now_ms()
        if await links.find(tx, job.party.id, issue_id=ref.id) is not None:
            raise TrackerRefused(
                f"Our Jira gave the new issue {ref.key} the internal number ({ref.id}) of one that was in sync before.",
                advice="Was Jira restored, or set up anew? Close this connection then, and pair again.",
            )
        link = await links.insert(
            tx,
            Link(
                connection_id=job.party.id,
                issue_id=ref.id,
                issue_key=ref.key,
                handle=job.party.names.handle("issue", ref.id),
                born=True,
                twin=job.message.replica.issue,
                twin_key=job.message.replica.key,
                twin_url=job.message.replica.url,
                created_ms=now,
            ),
        )
        expected = {name: value for name, value in draft.fields.items() if name != STATUS and value is not None}
        await shadows.write(tx, believed(draft, ref, now), updated_ms=0, pending=expected)
        return link.id

    async def _commit(
        self, job: Job, draft: Draft, merged: Merged, applied: Applied, rule_version: int, stay: frozenset[str]
    ) -> Settled:
        """Store in one transaction what was applied, what the peer now knows of us, and what to answer.

        Where the tracker refused a part, the row is held for a person; a retry finds what is still to be done.
        """
        site, now, link, message = self._site, self._site.clock.now_ms(), job.link, job.message
        if link is None:
            raise AssertionError("an applied replica has a link")
        items = await site.store.read(lambda tx: links.items(tx, link.id))
        shadow = await site.store.read(lambda tx: shadows.read(tx, link.issue_id)) or job.ours
        moved = {*applied.written, *edited_since_backup(job, shadow)}
        shadow = shadow if job.restored is None else job.ours  # nobody will tell of what changed since the backup
        # What people changed unseen is left out of all that follows, so that the notice of it still finds a change.
        before = shadow.issue if shadow else None
        after = with_items(with_fields(before, applied.written), draft, items) if before else None
        if link.sent is None:  # the issue came into being by the peer's wish
            before, after = None, await self._as_born(job.party, link, after, frozenset(draft.fields))
        holds = field_values(after) if after else {}
        sent, key = await self._adopted(job.party, link, before, after, frozenset(applied.written))
        others = [
            one
            for one in await site.store.read(lambda tx: links.of_issue(tx, link.issue_id))
            if one.id != link.id and moved
        ]
        settled = replace(
            link,
            seen=message.revision,
            sent=sent,
            received={
                "row": job.row.id,
                "revision": message.revision,
                "seen": max(message.seen, (link.received or {}).get("seen", 0)),
                "replica": message.replica.model_dump(mode="json"),
            },
            received_changed=dict(message.changed),
            draft={
                name: value
                for name, value in {**without(link.draft, TRANSITION), **wishes(draft)}.items()
                if name not in merged.write
                or (name in holds and same(holds[name], value))
                or (name == TRANSITION and name in applied.written)
            },
            synced_ms=now,
        )
        if job.restored is not None and after is not None:
            out = await self._out_now(job.party, link, after)
            settled = settled_link(link, settled, message, out=out, wanted=wishes(draft), ours=stay)

        async def work(tx: Transaction) -> None:
            await connections.set_synced(tx, job.party.id, now)
            await links.update(tx, settled)
            await links.set_twin(
                tx, link.id, twin=message.replica.issue, key=message.replica.key, url=message.replica.url
            )
            await steps.end(tx, job.party.id, message.replica.issue, steps.FIELDS)
            for other in others:
                edited = {**other.edited, **dict.fromkeys(moved, other.revision + 1)}
                await links.update(tx, replace(other, edited=edited))
            if shadow is not None and after is not None:
                pending = {**shadow.pending, **without(applied.written, TRANSITION)}
                await shadows.write(tx, after, updated_ms=shadow.updated_ms, pending=pending)
            await self.recovery.settling(tx, job, link)
            for conflict in merged.conflicts:
                await history.add(tx, incoming_event(job.row, link, now, "conflict", _told(conflict), rule_version))
            detail = _told_applied(message.revision, draft, applied)
            applied_event = incoming_event(job.row, link, now, "applied", detail, rule_version)
            await history.add(tx, replace(applied_event, origins=origins_to_json(draft.origins)))
            if applied.refused:
                await self._endings.hold_row(tx, job, applied.refused, show_key=key)
            else:
                await self._endings.end_row(
                    tx, job.row, job.party, Code.APPLIED, issue=link.handle, key=link.issue_key if key else None
                )
                await awaited.remember(tx, job.party.id, message.replica.issue, job.asked.missing)
            await awaited.arrived(tx, job.party.id, [message.replica.issue, message.replica.key])

        site.crash_point("before settling")
        await site.store.write(work)
        site.crash_point("settled")
        site.wake_sender(job.party.id)
        self.recovery.settled(job)
        if applied.refused:
            return Settled.HELD
        await self._release(job.party, draft)
        return Settled.DONE

    async def _release(self, party: Party, draft: Draft) -> None:
        """Let go of files that are in our tracker now, unless another issue is just being given them."""
        for file in draft.attachments or ():
            if self._in_use[party.id, file.blob] == 1:
                await self._site.files.release(party.id, file.blob)

    async def _as_born(self, party: Party, link: Link, issue: Issue | None, given: AbstractSet[str]) -> Issue | None:
        """Return a new issue with what our tracker filled in by itself, if our rules let any of that out (1 call).

        Nobody here chose those values: known from the beginning, they are no change that would go to the peer.
        """
        try:
            out = await self._fields_out(party, link, issue) if issue is not None else None
        except RuleError:
            return issue
        if issue is None or out is None:
            return issue
        content, origins = out
        sources = [origins[name].sources if name in origins else frozenset() for name in content["fields"]]
        if all(one and one <= given for one in sources):
            return issue
        believed_values = field_values(issue)
        shown = await self._site.tracker.issue(link.issue_id)
        return with_fields(shown, {name: value for name, value in believed_values.items() if name in given})

    async def _adopted(
        self,
        party: Party,
        link: Link,
        before: Issue | None,
        after: Issue | None,
        written: frozenset[str],
    ) -> tuple[Mapping[str, Any] | None, bool]:
        """Return what the peer is taken to know of us after our write, and whether our rules show our keys."""
        if after is None:
            return link.sent, False
        try:
            old = await self._fields_out(party, link, before) if before is not None else None
            new = await self._fields_out(party, link, after)
        except RuleError:
            # Our outgoing rules fail on this issue: the change feed will say so when the webhook arrives.
            return link.sent, False
        if new is None:
            return link.sent, False
        content, origins = new
        if before is None:
            origins = {}  # of an issue that has just been made, everything
        sent = adopt(link.sent, old[0] if old else None, content, written=written, origins=origins)
        return sent, content.get("key") is not None

    async def _out_now(
        self, party: Party, link: Link, issue: Issue
    ) -> tuple[Mapping[str, Any], Mapping[str, Origin]] | None:
        try:
            return await self._fields_out(party, link, issue)
        except RuleError:
            return None  # the look that follows says so

    async def _fields_out(
        self, party: Party, link: Link, issue: Issue
    ) -> tuple[Mapping[str, Any], Mapping[str, Origin]] | None:
        """Return what our outgoing rules would let out of these fields; collections play no part in an echo."""
        rules = await self._site.rules.outgoing(party.id)
        context = await outgoing_context(self._site, party, link)
        shared = await rules.evaluate(
            issue,
            # Links are fields of a replica, so of them it has to be known which are our own.
            replace(context, own_items=frozenset(item for item in context.own_items if item[0] == ISSUE_LINK)),
        )
        if isinstance(shared, Skip):
            return None
        bare = replace(
            shared,
            comments=None if shared.comments is None else (),
            attachments=None if shared.attachments is None else (),
            worklogs=None if shared.worklogs is None else (),
        )
        replica = replica_of(issue, bare, handle=lambda _kind, local: local, files={})
        return content_of(replica), shared.origins

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


def _counts_again(link: Link, job: Job) -> bool:
    """Tell whether revisions do not rise, in another message: its peer was restored, and all that it says is news."""
    last = link.received
    return last is not None and job.row.id != last.get("row") and job.message.revision <= last["revision"]


def _as_error(part: Refused) -> RuleError:
    place = part.origin or Origin(0)
    return RuleError(part.message, step=place.step or None, line=place.line, advice=part.advice)


def _is_as_asked(link: Link, name: str, holds: Mapping[str, Value]) -> bool:
    return name in link.draft and same(holds.get(name), link.draft[name])


def _begins_anew(message: IssueReplica) -> bool:
    """Tell whether the peer brings an issue in again after its link had ended, and knows of no twin."""
    fresh = all(revision == message.revision for revision in message.changed.values())
    return message.twin is None and message.seen == 0 and fresh


def _told_applied(revision: int, draft: Draft, applied: Applied) -> dict[str, Any]:
    told = {
        "revision": revision,
        "fields": sorted(applied.written),
        "items": sorted(applied.items),
        "log": list(draft.log),
    }
    return {**told, "created": list(applied.made)} if applied.made else told


def _told(conflict: Conflict) -> dict[str, Value]:
    return {
        "field": conflict.field,
        "ours": conflict.ours,
        "theirs": conflict.theirs,
        "kept": "ours" if conflict.ours_won else "theirs",
    }
