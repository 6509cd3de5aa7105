"""From a changed issue to a message in the outbox: rules, "has anything changed?", commit. Speaks to no peer.

Link, shadow, message and history are one transaction; only then is the sender woken. Sending the same state twice is
impossible by content, so every crash in here is survived by looking at the issue again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from enum import Enum

from node.errors import AccordError, TrackerError, TrackerRefused
from node.rules.explain import origins_to_json
from node.rules.model import Origin, Shared, Skip
from node.store import connections, history, links, outbox, problems, shadows, steps
from node.store.history import Event
from node.store.links import Link
from node.store.port import Transaction
from node.store.problems import Problem
from node.store.shadows import Shadow
from node.sync import last_look
from node.sync.content import FileDigest, content_of, differs, replica_of
from node.sync.contexts import outgoing_context
from node.sync.merge import same
from node.sync.message import replica_message
from node.sync.site import Party, Site
from node.trackers.fields import field_values
from node.trackers.issue import Issue
from protocol.errors import ProtocolError
from protocol.messages import IssueRemoved, dump_message
from protocol.replica import Replica


class Sent(Enum):
    """What became of a look at one issue on one connection."""

    QUEUED = "queued"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    LATER = "later"


@dataclass(frozen=True, slots=True)
class Left:
    """The outcome for one connection; ``error`` where its rules or the issue's content stopped it."""

    party: Party
    sent: Sent | None
    reason: str = ""
    error: AccordError | None = None


@dataclass(frozen=True, slots=True)
class _MadeBy:
    """Which version of the rules made a replica, and which of its steps let each field out."""

    version: int
    origins: Mapping[str, Origin]


Also = Callable[[Transaction], Awaitable[None]]


async def _nothing(_tx: Transaction) -> None:
    return None


class Outgoing:
    """Takes changes of our issues and queues what their peers have to hear."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def changed(self, issue: Issue, *, also: Also = _nothing) -> list[Left]:
        """Deal with the newest known state of an issue on all its connections.

        ``also`` runs in the last transaction, and only if no connection failed or has to wait: it forgets the notice.
        An issue that is older than what is known already is only a late notice.
        """
        async with self._site.locks.hold(issue_lock(issue.id)):
            shadow = await self._site.store.read(lambda tx: shadows.read(tx, issue.id))
            if shadow is not None and millis(issue) < shadow.updated_ms:
                await self._site.store.write(also)
                return []
            found = await self._site.store.read(lambda tx: links.of_issue(tx, issue.id))
            if found and shadow is not None and _is_before_our_write(issue, shadow):
                issue = await self._site.tracker.issue(issue.id)
            left = [await self._look(link, issue, shadow) for link in found]
            if any(one.error or one.sent is Sent.LATER for one in left):
                return left

            async def settle(tx: Transaction) -> None:
                if found:
                    await shadows.write(tx, issue, updated_ms=millis(issue))
                await also(tx)

            await self._site.store.write(settle)
            return left

    async def begin(self, connection_id: int, issue: Issue) -> Left:
        """Bring an issue under sync on a connection, and send it; one that is linked is looked at again."""
        async with self._site.locks.hold(issue_lock(issue.id)):
            party = await self._site.rules.party(connection_id)
            link = await self._site.store.read(lambda tx: links.find(tx, connection_id, issue_id=issue.id))
            if link is not None and link.state == links.ENDED:
                link = replace(link, state=links.ACTIVE, sent=None)
            if link is None:
                link = Link(
                    connection_id=party.id,
                    issue_id=issue.id,
                    issue_key=issue.key,
                    handle=party.names.handle("issue", issue.id),
                    created_ms=self._site.clock.now_ms(),
                )
            shadow = await self._site.store.read(lambda tx: shadows.read(tx, issue.id))
            return await self._look(link, issue, shadow)

    async def again(self, link: Link) -> None:
        """Send the known state of a linked issue once more, although the peer was taken to know it: it has lost it."""
        async with self._site.locks.hold(issue_lock(link.issue_id)):
            shadow = await self._site.store.read(lambda tx: shadows.read(tx, link.issue_id))
            current = await self._site.store.read(lambda tx: links.by_id(tx, link.id))
            if shadow is not None and current is not None and current.state == links.ACTIVE:
                await self._look(current, shadow.issue, shadow, force=True)

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
        await links.update(tx, replace(link, state=links.ENDED, revision=revision))
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

    async def _look(self, link: Link, issue: Issue, shadow: Shadow | None, *, force: bool = False) -> Left:
        party = await self._site.rules.party(link.connection_id)
        try:
            return await self._send(party, link, issue, shadow, force=force)
        except TrackerError as error:
            if error.temporary:
                raise
            return Left(party, None, error=error)
        except ProtocolError as error:
            return Left(party, None, error=AccordError(f"{issue.key}: {error}", advice=getattr(error, "advice", "")))
        except AccordError as error:
            return Left(party, None, error=error)

    async def _send(self, party: Party, link: Link, issue: Issue, shadow: Shadow | None, *, force: bool) -> Left:
        site = self._site
        pending = await site.store.read(lambda tx: steps.any_on_issue(tx, issue.id))
        if pending or (link.twin is not None and link.sent is None and link.received is None):
            # Something that we made may be on the issue and not be known as ours yet: it must not go out as ours.
            return Left(party, Sent.LATER, "an incoming change is being written")
        rules = await site.rules.outgoing(party.id)
        shared = await rules.evaluate(issue, await outgoing_context(site, party, link))
        if isinstance(shared, Skip):
            await self._note_skip(link, rules.version, shared)
            return Left(party, Sent.SKIPPED, shared.reason)
        had = set() if force else {file["id"] for file in (link.sent or {}).get("attachments") or ()}
        shared, files, left_out = await self._with_files(party, issue, shared, had)
        replica = replica_of(
            issue, shared, handle=party.names.handle, files=files,
            url=site.browse_url(issue.key),
        )  # fmt: skip
        if link.id and not force and not differs(link.sent, content_of(replica)):
            return Left(party, Sent.UNCHANGED)
        last_look.refuse(replica, shared=shared, issue=issue, ruleset=rules.ruleset, policy=site.guard)
        made_by = _MadeBy(rules.version, shared.origins)
        await self._queue(party, link, issue, shadow, replica, made_by, files.values(), left_out)
        site.wake_sender(party.id)
        return Left(party, Sent.QUEUED)

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
            detail={"reason": skip.reason},
            origins=origins_to_json({"": skip.origin}),
        )
        await self._site.store.write(lambda tx: history.add(tx, event))

    async def _queue(
        self,
        party: Party,
        link: Link,
        issue: Issue,
        shadow: Shadow | None,
        replica: Replica,
        made_by: _MadeBy,
        files: Iterable[FileDigest],
        left_out: list[AccordError],
    ) -> None:
        site, now = self._site, self._site.clock.now_ms()
        made = replica_message(party.names, link, issue, replica)
        message, content, changed = made.message, made.content, made.changed
        revision = message.revision
        payload = dump_message(message)
        edited = {**link.edited, **dict.fromkeys(_edited_here(shadow, issue), revision)}
        after = replace(
            link, issue_key=issue.key, revision=revision, sent=content, sent_changed=message.changed, edited=edited,
            synced_ms=now,
        )  # fmt: skip

        async def work(tx: Transaction) -> None:
            stored = after
            if link.id:
                await links.update(tx, after)
            else:
                stored = await links.insert(tx, after)
                await shadows.write(tx, issue, updated_ms=millis(issue))
            await connections.set_synced(tx, party.id, now)
            await outbox.enqueue(
                tx,
                connection_id=party.id,
                link_id=stored.id,
                mid=message.mid,
                kind=message.t,
                payload=payload,
                revision=revision,
                rule_version=made_by.version,
                now_ms=now,
            )
            for digest in files:
                await site.files.offer(tx, party.id, digest)
            await history.add(
                tx,
                Event(
                    connection_id=party.id,
                    link_id=stored.id,
                    at_ms=now,
                    direction=history.OUT,
                    event="sent",
                    rule_version=made_by.version,
                    detail={"revision": revision, "fields": sorted(changed)},
                    origins=origins_to_json(made_by.origins),
                ),
            )
            for error in left_out:
                await problems.report(
                    tx,
                    Problem(
                        connection_id=party.id, stage=problems.FILE, ref=stored.id, issue_key=issue.key,
                        code=type(error).__name__, message=error.message, advice=error.advice,
                    ),
                    now_ms=now,
                )  # fmt: skip
            if not left_out:
                await problems.close(tx, stage=problems.FILE, ref=stored.id)

        site.crash_point("before queueing")
        await site.store.write(work)
        site.crash_point("queued")

    async def _with_files(
        self, party: Party, issue: Issue, shared: Shared, had: AbstractSet[str]
    ) -> tuple[Shared, Mapping[str, FileDigest], list[AccordError]]:
        """Fetch files that the peer was not offered yet; one that cannot be had is left out and told, the rest goes.

        ``had`` are the handles of files that the peer was offered before.
        """
        if not shared.attachments:
            return shared, {}, []
        site = self._site
        wanted = {file.id for file in shared.attachments}
        known = await site.store.read(lambda tx: shadows.file_digests(tx, sorted(wanted)))
        digests: dict[str, FileDigest] = {}
        left_out: list[AccordError] = []
        for attachment in issue.attachments:
            if attachment.id not in wanted:
                continue
            digest = known.get(attachment.id)
            offered = party.names.handle("attachment", attachment.id) in had
            if digest is None or not (offered or await site.files.has_outgoing(party.id, digest.sha256)):
                path = site.files.temporary()
                try:
                    if attachment.size > site.max_file:
                        raise TrackerRefused(
                            f"The file {attachment.name!r} of {issue.key} is larger than {site.max_file:,} bytes, "
                            "the most that this node sends.",
                            advice="Share it another way, or raise the limit in the node's settings.",
                        )
                    await site.tracker.download(attachment, path, limit=site.max_file)
                    digest = await site.files.keep(party.id, path)
                except TrackerError as error:
                    if error.temporary:
                        raise
                    left_out.append(error)
                    continue
                finally:
                    path.unlink(missing_ok=True)
                found = digest

                async def remember(tx: Transaction, file: str = attachment.id, found: FileDigest = found) -> None:
                    await shadows.put_file_digest(tx, file, found)

                await site.store.write(remember)
            digests[attachment.id] = digest
        attachments = tuple(file for file in shared.attachments if file.id in digests)
        return replace(shared, attachments=attachments), digests, left_out


def _is_before_our_write(issue: Issue, shadow: Shadow) -> bool:
    """Tell whether a notice may show the issue as it was before our last write: then only a fresh read is true.

    Notices are made before or after a write, and arrive whenever. One that does not show what we wrote is either old,
    or somebody has changed it since; taking the first for the second would send the peer's change back undone.
    """
    shown = field_values(issue)
    return any(not same(shown.get(name), value) for name, value in shadow.pending.items())


def _edited_here(shadow: Shadow | None, issue: Issue) -> list[str]:
    """Name the fields that people changed here: our own writes are in the shadow already."""
    if shadow is None:
        return []
    before, after = field_values(shadow.issue), field_values(issue)
    return [name for name in {*before, *after} if not same(before.get(name), after.get(name))]


def issue_lock(issue_id: str) -> str:
    """Name the lock of one of our issues."""
    return f"issue:{issue_id}"


def millis(issue: Issue) -> int:
    """Return the tracker's time of an issue's state in milliseconds."""
    return round(issue.updated.timestamp() * 1000)
