"""Puts a replica that may leave into the outbox: link, shadow, message, files and history in one transaction.

Decides nothing about what leaves, and speaks to no peer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from node.errors import AccordError
from node.rules.explain import origins_to_json
from node.rules.model import Origin
from node.store import connections, history, links, outbox, problems, restored, shadows
from node.store.history import Event
from node.store.links import Link
from node.store.port import Transaction
from node.store.problems import Problem
from node.store.shadows import Shadow
from node.sync.content import FileDigest, changed_items
from node.sync.message import replica_message
from node.sync.our_edits import edited_here, made_from
from node.sync.site import Party, Site
from node.trackers.issue import Issue
from protocol.messages import dump_message
from protocol.replica import Replica


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """A replica that may leave: which rules made it, its files, and the errors of files that had to be left out."""

    replica: Replica
    rule_version: int
    origins: Mapping[str, Origin]
    log: tuple[str, ...]
    files: Sequence[FileDigest]
    left_out: Sequence[AccordError]


async def queue(
    site: Site, party: Party, link: Link, issue: Issue, shadow: Shadow | None, leaving: Leaving, *, recovers: bool
) -> bool:
    """Put a replica into the outbox; False where a restore was noticed since it was made, or is over."""
    now = site.clock.now_ms()
    applied = await site.store.read(lambda tx: outbox.applied(tx, link.id)) if link.id else 0
    made = replica_message(party.names, link, issue, leaving.replica, applied=applied)
    message, content, changed = made.message, made.content, made.changed
    revision = message.revision
    payload = dump_message(message)
    ours = {*edited_here(shadow, issue), *made_from(changed, leaving.origins, link)}
    edited = {**link.edited, **dict.fromkeys(ours, revision)}
    after = replace(
        link, issue_key=issue.key, revision=revision, sent=content, sent_changed=message.changed, edited=edited,
        synced_ms=now,
    )  # fmt: skip

    async def work(tx: Transaction) -> bool:
        if await restored.waits(tx, party.id) is not recovers:
            return False
        stored = after
        if link.id:
            await links.update(tx, after)
        else:
            stored = await links.insert(tx, after)
        if shadow is None:
            await shadows.write(tx, issue, updated_ms=issue.updated_ms)
        await connections.set_synced(tx, party.id, now)
        await outbox.enqueue(
            tx,
            connection_id=party.id,
            link_id=stored.id,
            mid=message.mid,
            kind=message.t,
            payload=payload,
            revision=revision,
            rule_version=leaving.rule_version,
            now_ms=now,
        )
        for digest in leaving.files:
            await site.files.offer(tx, party.id, digest)
        await history.add(
            tx,
            Event(
                connection_id=party.id,
                link_id=stored.id,
                at_ms=now,
                direction=history.OUT,
                event="sent",
                rule_version=leaving.rule_version,
                detail={
                    "revision": revision,
                    "fields": sorted(changed),
                    "items": changed_items(link.sent, content),
                    "log": list(leaving.log),
                },
                origins=origins_to_json(leaving.origins),
            ),
        )
        for error in leaving.left_out:
            await problems.report(
                tx,
                Problem(
                    connection_id=party.id, stage=problems.FILE, ref=stored.id, issue_key=issue.key,
                    code=type(error).__name__, message=error.message, advice=error.advice,
                ),
                now_ms=now,
            )  # fmt: skip
        if not leaving.left_out:
            await problems.close(tx, stage=problems.FILE, ref=stored.id)
        return True

    site.crash_point("before queueing")
    queued = await site.store.write(work)
    site.crash_point("queued")
    return queued
