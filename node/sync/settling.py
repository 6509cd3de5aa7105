"""Stores what became of a replica: the link of a new issue, and at the end all that follows, in one transaction.

Decides nothing about values; calls our tracker at most to read an issue that it has just made.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from node.errors import TrackerRefused
from node.rules.explain import origins_to_json
from node.rules.model import Draft
from node.store import awaited, connections, history, links, shadows, steps
from node.store.links import Link
from node.store.port import Transaction
from node.sync.adoption import Adoption
from node.sync.apply import Applied
from node.sync.believed import believed, with_items, without
from node.sync.endings import Endings, Settled, incoming_event
from node.sync.incoming_files import IncomingFiles
from node.sync.job import Job
from node.sync.merge import Conflict, Merged, same
from node.sync.plan import STATUS, TRANSITION, wishes
from node.sync.recovery import Recovery, edited_since_backup, settled_link
from node.sync.site import Site
from node.trackers.fields import field_values, with_fields
from node.trackers.issue import IssueRef, Value
from protocol.messages import Code


class Settling:
    """Ends replicas that were applied."""

    def __init__(self, site: Site, endings: Endings, recovery: Recovery, files: IncomingFiles) -> None:
        self._site = site
        self._endings = endings
        self._recovery = recovery
        self._files = files
        self._adoption = Adoption(site)

    async def store_link(self, tx: Transaction, job: Job, draft: Draft, ref: IssueRef) -> int:
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

    async def commit(
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
            before, after = None, await self._adoption.born(job.party, link, after, frozenset(draft.fields))
        holds = field_values(after) if after else {}
        sent, key = await self._adoption.adopted(job.party, link, before, after, frozenset(applied.written))
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
            out = await self._adoption.out_now(job.party, link, after)
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
            await self._recovery.settling(tx, job, link)
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
        self._recovery.settled(job)
        if applied.refused:
            return Settled.HELD
        await self._files.release(job.party, draft)
        return Settled.DONE


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
