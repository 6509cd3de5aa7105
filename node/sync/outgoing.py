"""From a changed issue to a message in the outbox: rules, "has anything changed?", commit. Speaks to no peer.

Link, shadow, message and history are one transaction; only then is the sender woken. Sending the same state twice is
impossible by content, so every crash in here is survived by looking at the issue again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from node.errors import AccordError, TrackerError
from node.rules.explain import origins_to_json
from node.rules.model import Skip
from node.rules.ruleset import is_visual
from node.store import awaited, history, inbox, links, outbox, problems, restored, shadows, steps
from node.store.errors import StoreError
from node.store.history import Event
from node.store.links import Link
from node.store.port import Reader, Transaction
from node.store.shadows import Shadow
from node.sync import last_look
from node.sync.content import content_of, differs, replica_of
from node.sync.contexts import outgoing_context
from node.sync.copies import but_for_lost_copies
from node.sync.leftovers import adopt_leftovers
from node.sync.locks import issue_lock
from node.sync.our_edits import but_for_our_own, edited_here, is_before_our_write
from node.sync.outgoing_files import with_files
from node.sync.queueing import Leaving, queue
from node.sync.site import Party, Site
from node.trackers.issue import Issue
from protocol.errors import ProtocolError
from protocol.messages import Code, IssueRemoved, dump_message


class Sent(Enum):
    """What became of a look at one issue on one connection."""

    QUEUED = "queued"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    LATER = "later"


@dataclass(frozen=True, slots=True)
class Left:
    """The outcome for one connection; ``error`` where its rules or the issue's content stopped it.

    ``whole`` is False where a file had to be left out.
    """

    party: Party
    sent: Sent | None
    reason: str = ""
    error: AccordError | None = None
    whole: bool = True


RECOVERS = (
    "this node was restored from a backup, and waits until the other side has said again what the backup does not "
    "know; see accord errors"
)
"""Why nothing is sent over a connection that recovers, as the end of a sentence."""

FEW = 4
"""Issues below which a batch of scripts saves nothing."""

Also = Callable[[Transaction], Awaitable[None]]


async def _nothing(_tx: Transaction) -> None:
    return None


class Outgoing:
    """Takes changes of our issues and queues what their peers have to hear."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def changed(
        self, issue: Issue, *, also: Also = _nothing, late: Also = _nothing, patient: bool = False
    ) -> list[Left]:
        """Deal with the newest known state of an issue on all its connections.

        ``also`` runs in the last transaction, and only if no connection failed or has to wait: it forgets the notice.
        An issue that is older than what is known already is only a late notice: ``late`` runs instead, and it says
        nothing about what failed or waits. One that does not show our own last write waits when ``patient``, since the
        notice of that write is on its way; else the tracker is asked.

        Raises:
            TrackerError: the tracker could not be asked; TrackerNotFound where the issue is gone.
            StoreError: nothing of the last step was stored.
        """
        async with self._site.locks.hold(issue_lock(issue.id)):
            shadow = await self._site.store.read(lambda tx: shadows.read(tx, issue.id))
            if shadow is not None and issue.updated_ms < shadow.updated_ms:
                await self._site.store.write(late)
                return []
            found, recovers = await self._site.store.read(lambda tx: _links_of(tx, issue.id))
            if recovers:
                return [Left(await self._site.rules.party(found[0].connection_id), Sent.LATER, RECOVERS)]
            if found and shadow is not None and is_before_our_write(issue, shadow):
                if patient:
                    party = await self._site.rules.party(found[0].connection_id)
                    return [Left(party, Sent.LATER, "the notice of our own write is on its way")]
                issue = await self._site.tracker.issue(issue.id)
            left = [await self._look(link, issue, shadow) for link in found]

            async def settle(tx: Transaction) -> None:
                if found:
                    await self._remember(tx, issue, shadow, list(zip(found, left, strict=True)))
                if not any(one.error or one.sent is Sent.LATER for one in left):
                    await also(tx)

            await self._site.store.write(settle)
            return left

    async def _remember(
        self, tx: Transaction, issue: Issue, shadow: Shadow | None, looked: list[tuple[Link, Left]]
    ) -> None:
        """Keep the state that was looked at, and what people changed in it where it could not be sent yet."""
        if any(link.sent is None and link.received is None for link, _ in looked):
            return  # its creation was not settled: what was created must be known to tell what was edited
        begun = await steps.on_issue(tx, issue.id)
        seen = but_for_our_own(issue, shadow, [one.step for one in begun])
        await shadows.write(tx, seen, updated_ms=issue.updated_ms)
        for link, one in looked:
            if one.error is not None or one.sent is Sent.LATER:
                edited = dict.fromkeys(edited_here(shadow, seen), link.revision + 1)
                await links.update(tx, replace(link, edited={**link.edited, **edited}))
                continue
            if one.sent is Sent.UNCHANGED and one.whole:
                await problems.close(tx, stage=problems.FILE, ref=link.id)
            said = {name: revision for name, revision in link.edited.items() if revision <= link.revision}
            if one.sent is not Sent.QUEUED and said != link.edited:
                # The peer will never hear of the rest, so it must not lose a conflict by it.
                await links.update(tx, replace(link, edited=said))
        if any(link.issue_key != issue.key for link, _ in looked):
            await links.set_key(tx, issue.id, issue.key)

    async def prepare(self, connection_id: int, issues: Sequence[Issue]) -> None:
        """Evaluate issues that may enter sync at once, before each is looked at: scripts run in batches and are kept.

        What fails here fails again when the issue itself is looked at, and is told there.
        """
        rules = await self._site.rules.outgoing(connection_id)
        if len(issues) < FEW or is_visual(rules.ruleset):
            return
        party = await self._site.rules.party(connection_id)
        ready = [(one, await outgoing_context(self._site, party, self._new_link(party, one))) for one in issues]
        await rules.evaluate_many(ready)

    def _new_link(self, party: Party, issue: Issue) -> Link:
        return Link(
            connection_id=party.id,
            issue_id=issue.id,
            issue_key=issue.key,
            handle=party.names.handle("issue", issue.id),
            created_ms=self._site.clock.now_ms(),
        )

    async def begin(self, connection_id: int, issue: Issue) -> Left:
        """Bring an issue under sync on a connection, and send it; one that is linked is looked at again.

        One whose link has ended, or whose twin the peer does not have any more, begins anew: the peer makes a new twin.
        """
        async with self._site.locks.hold(issue_lock(issue.id)):
            party = await self._site.rules.party(connection_id)
            if await self._site.store.read(lambda tx: restored.waits(tx, connection_id)):
                return Left(party, Sent.LATER, RECOVERS)
            link = await self._site.store.read(lambda tx: links.find(tx, connection_id, issue_id=issue.id))
            shadow = await self._site.store.read(lambda tx: shadows.read(tx, issue.id))
            if shadow is not None and (issue.updated_ms < shadow.updated_ms or is_before_our_write(issue, shadow)):
                issue = await self._site.tracker.issue(issue.id)
            if link is not None and await self._has_lost_its_twin(link):
                link = await self._anew(link)
            if link is None:
                link = self._new_link(party, issue)
            left = await self._look(link, issue, shadow)
            if link.issue_key != issue.key:
                await self._site.store.write(lambda tx: links.set_key(tx, issue.id, issue.key))
            return left

    async def _has_lost_its_twin(self, link: Link) -> bool:
        if link.state == links.ENDED:
            return True
        found = await self._site.store.read(lambda tx: problems.open_of_ref(tx, problems.OUTCOME, link.id))
        return any(one.code == Code.TARGET_GONE.name for one in found)

    async def _anew(self, link: Link) -> Link:
        """Let a link begin again; what was made for the twin that is gone is forgotten."""
        fresh = links.begun_anew(link)

        async def work(tx: Transaction) -> None:
            await links.forget_twin(tx, link.id)
            await links.update(tx, fresh)
            await links.set_state(tx, link.id, links.ACTIVE)
            await problems.close(tx, stage=problems.OUTCOME, ref=link.id)

        await self._site.store.write(work)
        return fresh

    async def again(self, link: Link) -> Left | None:
        """Send the known state of a linked issue once more, although the peer was taken to know it: it has lost it.

        Return None where there is nothing to send any more. Where both nodes were put back, the inviter's speaks first.
        """
        async with self._site.locks.hold(issue_lock(link.issue_id)):
            shadow = await self._site.store.read(lambda tx: shadows.read(tx, link.issue_id))
            current = await self._site.store.read(lambda tx: links.by_id(tx, link.id))
            if current is None or current.state != links.ACTIVE:
                return None
            if await self._site.store.read(lambda tx: restored.waits(tx, link.connection_id)):
                party = await self._site.rules.party(link.connection_id)
                if not party.inviter:
                    return Left(party, Sent.LATER, RECOVERS)
                issue = await self._site.tracker.issue(link.issue_id)
                return await self._look(current, issue, shadow, force=True, recovers=True)
            issue = shadow.issue if shadow is not None else await self._site.tracker.issue(link.issue_id)
            return await self._look(current, issue, shadow, force=True)

    async def gone(self, issue_id: str, *, also: Also = _nothing) -> None:
        """Tell the peers that our issue was deleted, and end its links. Their twins stay as they are."""
        async with self._site.locks.hold(issue_lock(issue_id)):
            found = await self._site.store.read(lambda tx: links.of_issue(tx, issue_id))

            parties = [await self._site.rules.party(link.connection_id) for link in found]

            async def work(tx: Transaction) -> None:
                for link, party in zip(found, parties, strict=True):
                    await self._end(tx, link, party, "deleted")
                await shadows.drop(tx, issue_id)
                await also(tx)

            await self._site.store.write(work)
        for link in found:
            self._site.wake_sender(link.connection_id)

    async def _end(self, tx: Transaction, link: Link, party: Party, reason: str) -> None:
        now = self._site.clock.now_ms()
        revision = link.revision + 1
        message = IssueRemoved(
            mid=party.names.message("removed", link.issue_id, revision),
            issue=link.handle,
            twin=link.twin,
            revision=revision,
            reason="deleted" if reason == "deleted" else "unlinked",
        )
        await links.update(tx, replace(link, revision=revision))
        await links.set_state(tx, link.id, links.ENDED)
        if link.twin is not None:
            await awaited.forget(tx, link.connection_id, link.twin)
        for stage in (problems.OUTCOME, problems.FILE, problems.GONE):
            await problems.close(tx, stage=stage, ref=link.id)
        await outbox.enqueue(
            tx,
            connection_id=link.connection_id,
            link_id=link.id,
            mid=message.mid,
            kind=message.t,
            payload=dump_message(message),
            revision=revision,
            now_ms=now,
        )
        await history.add(
            tx,
            Event(
                connection_id=link.connection_id,
                link_id=link.id,
                at_ms=now,
                direction=history.OUT,
                event="ended",
                detail={"reason": reason},
            ),
        )

    async def _look(
        self, link: Link, issue: Issue, shadow: Shadow | None, *, force: bool = False, recovers: bool = False
    ) -> Left:
        party = await self._site.rules.party(link.connection_id)
        try:
            return await self._send(party, link, issue, shadow, force=force, recovers=recovers)
        except TrackerError as error:
            if error.temporary:
                raise
            return Left(party, None, error=error)
        except ProtocolError as error:
            return Left(party, None, error=AccordError(f"{issue.key}: {error}", advice=getattr(error, "advice", "")))
        except StoreError:
            raise
        except AccordError as error:
            return Left(party, None, error=error)

    async def _send(
        self, party: Party, link: Link, issue: Issue, shadow: Shadow | None, *, force: bool, recovers: bool
    ) -> Left:
        site = self._site
        if await self._is_being_written(link, issue):
            return Left(party, Sent.LATER, "an incoming change is being written")
        rules = await site.rules.outgoing(party.id)
        shown = await but_for_lost_copies(site, party, link, issue)
        shared = await rules.evaluate(shown, await outgoing_context(site, party, link))
        if isinstance(shared, Skip):
            await self._note_skip(link, rules.version, shared)
            return Left(party, Sent.SKIPPED, shared.reason)
        had = set() if force else {file["id"] for file in (link.sent or {}).get("attachments") or ()}
        shared, files, left_out = await with_files(site, party, issue, shared, had)
        replica = replica_of(
            issue, shared, handle=party.names.handle, files=files,
            url=site.browse_url(issue.key),
        )  # fmt: skip
        if link.id and not force and not differs(link.sent, content_of(replica)):
            return Left(party, Sent.UNCHANGED, whole=not left_out)
        last_look.refuse(replica, shared=shared, issue=issue, ruleset=rules.ruleset, policy=site.guard)
        leaving = Leaving(
            replica=replica,
            rule_version=rules.version,
            origins=shared.origins,
            log=shared.log,
            files=list(files.values()),
            left_out=left_out,
        )
        queued = await queue(site, party, link, issue, shadow, leaving, recovers=recovers)
        if not queued:
            return Left(party, Sent.LATER, RECOVERS)
        site.wake_sender(party.id)
        return Left(party, Sent.QUEUED, whole=not left_out)

    async def _is_being_written(self, link: Link, issue: Issue) -> bool:
        """Tell whether something that we made may be on the issue and not be known as ours: it must not go out as ours.

        What nobody is busy with any more is found out here instead.
        """
        site, twin = self._site, link.twin
        pending = await site.store.read(lambda tx: steps.on_issue(tx, issue.id))
        if any(one.in_work for one in pending):
            return True
        await adopt_leftovers(site, issue.id, pending)
        if twin is None or link.sent is not None or link.received is not None:
            return False
        return await site.store.read(lambda tx: inbox.is_in_work(tx, link.connection_id, twin))

    async def _note_skip(self, link: Link, version: int, skip: Skip) -> None:
        """Remember that a rule kept an issue that is in sync from leaving, so that it can be explained."""
        if not link.id or skip.origin is None:
            return
        event = Event(
            connection_id=link.connection_id,
            link_id=link.id,
            at_ms=self._site.clock.now_ms(),
            direction=history.OUT,
            event="skipped",
            rule_version=version,
            detail={"reason": skip.reason, "log": list(skip.log)},
            origins=origins_to_json({"": skip.origin}),
        )
        await self._site.store.write(lambda tx: history.add(tx, event))


async def _links_of(tx: Reader, issue_id: str) -> tuple[list[Link], bool]:
    """Return the links of an issue, and whether one of their connections recovers from a restore."""
    return await links.of_issue(tx, issue_id), await restored.waits_on_issue(tx, issue_id)
