"""Finds again which of our issues is the twin of a peer's, where our database has forgotten the link.

The peer names our issue by a handle that only we can make, so each issue of the connection's projects is asked for its
handle; where the peer never heard of our issue, its marker tells. Only a link that was found is stored: nothing here
creates an issue, and an issue that the peer was never told of cannot be linked by it.
"""

from __future__ import annotations

import asyncio

from node.errors import TrackerRefused
from node.store import links
from node.store.links import Link
from node.store.port import Transaction
from node.store.restored import LEAP, Restored
from node.store.steps import CREATE
from node.sync.markers import marker_for
from node.sync.site import Party, Site
from node.trackers.issue import IssueRef
from node.triggers.trigger import watched
from protocol.messages import IssueReplica


class LostLinks:
    """Links our issues again with what a peer says of its own."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._listings: dict[tuple[int, str], dict[str, IssueRef]] = {}
        """(Connection, project) to its issues by their handle."""
        self._reading = asyncio.Lock()

    def forget(self) -> None:
        """Let go of what was read of our projects: it is needed while a connection recovers."""
        self._listings.clear()

    async def link_of(self, party: Party, message: IssueReplica) -> Link | None:
        """Return the link of an issue that recovers, found again if need be; None if the peer knows no issue of ours.

        The peer's word of which issue is the twin is newer than ours: a link of ours with another one ends.

        Raises:
            TrackerError: the tracker could not be asked.
        """
        by_twin = await self._read(party, twin=message.replica.issue)
        if message.twin is None:
            return by_twin
        if by_twin is not None and by_twin.handle == message.twin:
            return await self._joined(by_twin, message)
        ours = await self._read(party, handle=message.twin)
        if ours is not None:
            return await self._joined(ours, message)
        ref = await self._issue_with(party, message.twin)
        return None if ref is None else await self._stored(party, ref, message, born=await self._was_made(ref))

    async def created(self, party: Party, message: IssueReplica, project: str, state: Restored) -> Link | None:
        """Return the link of the issue that the sync made for this one, if it did, and the peer never heard of it.

        Raises:
            TrackerError: the tracker could not be asked.
        """
        marker = marker_for(party.id, message.replica.issue, CREATE)
        ref = await self._site.tracker.find_created(project, marker, since_ms=state.since_ms, until_ms=state.done_ms)
        return None if ref is None else await self._stored(party, ref, message, born=True)

    async def _read(self, party: Party, **by: str) -> Link | None:
        return await self._site.store.read(lambda tx: links.find(tx, party.id, **by))

    async def _was_made(self, ref: IssueRef) -> bool:
        return await self._site.tracker.issue_marker(ref.id) is not None

    async def _issue_with(self, party: Party, handle: str) -> IssueRef | None:
        rules = await self._site.rules.outgoing(party.id)
        linked = await self._site.store.read(links.projects)
        projects = dict.fromkeys([party.project, *sorted(watched(rules.ruleset, party.project)), *sorted(linked)])
        async with self._reading:
            for project in projects:
                try:
                    found = (await self._listed(party, project)).get(handle)
                except TrackerRefused:
                    continue  # a project that is gone or was taken from us hides nothing of the others
                if found is not None:
                    return found
        return None

    async def _listed(self, party: Party, project: str) -> dict[str, IssueRef]:
        place = (party.id, project)
        if place not in self._listings:
            refs = await self._site.tracker.issue_refs(project)
            self._listings[place] = {party.names.handle("issue", ref.id): ref for ref in refs}
        return self._listings[place]

    async def _joined(self, link: Link, message: IssueReplica) -> Link:
        """Let a link that we know be one with the peer's issue."""
        theirs = message.replica.issue
        if link.twin == theirs and link.state == links.ACTIVE:
            return link

        async def work(tx: Transaction) -> Link | None:
            await self._part(tx, link, theirs)
            if link.twin not in {None, theirs}:
                await links.forget_twin(tx, link.id)
                await links.update(tx, links.begun_anew(link))
            await links.set_state(tx, link.id, links.ACTIVE)
            await links.set_twin(tx, link.id, twin=theirs, key=message.replica.key, url=message.replica.url)
            return await links.by_id(tx, link.id)

        return await self._site.store.write(work) or link

    async def _stored(self, party: Party, ref: IssueRef, message: IssueReplica, *, born: bool) -> Link:
        """Link an issue that was found. What the peer says now stands for what it said before."""
        known = await self._read(party, issue_id=ref.id)
        if known is not None:
            return await self._joined(known, message)
        fresh = Link(
            connection_id=party.id,
            issue_id=ref.id,
            issue_key=ref.key,
            handle=party.names.handle("issue", ref.id),
            born=born,
            twin=message.replica.issue,
            twin_key=message.replica.key,
            twin_url=message.replica.url,
            revision=LEAP,
            sent={"key": None, "fields": {}},
            received={"row": 0, "revision": 0, "seen": 0, "replica": message.replica.model_dump(mode="json")},
            created_ms=self._site.clock.now_ms(),
        )

        async def work(tx: Transaction) -> Link:
            await self._part(tx, fresh, message.replica.issue)
            return await links.insert(tx, fresh)

        stored = await self._site.store.write(work)
        self._site.crash_point("lost issue linked")
        return stored

    async def _part(self, tx: Transaction, link: Link, theirs: str) -> None:
        """End another link of ours with the same issue of the peer's."""
        other = await links.find(tx, link.connection_id, twin=theirs)
        if other is not None and other.id != link.id:
            await links.forget_twin(tx, other.id)
            await links.set_state(tx, other.id, links.ENDED)
