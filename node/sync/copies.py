"""Finds out which comments, worklogs and files of our issue the sync made, where our database has forgotten it.

Comments and worklogs carry markers, and a marker follows from the peer's handle; of files the bytes tell. So a copy is
known again for whatever the peer ever spoke of and our inbox still holds, also for what it has removed since. Calls
nothing that changes the tracker.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from node.rules.model import Draft
from node.store import links, restored, steps
from node.store.links import Link
from node.store.port import Reader, Transaction
from node.store.restored import Restored, Said
from node.sync.file_bytes import marker_of_file
from node.sync.markers import file_marker, marker_for
from node.sync.merge import same
from node.sync.plan import TwinItem, comment_digest, worklog_digest
from node.sync.site import Party, Site
from node.sync.step_keys import comment_key, worklog_key
from node.trackers.issue import Attachment, Issue

_UNKNOWN = ""
"""Stands for the digest of a text that is not what the peer wants, so that it is written."""
_DAY_MS = 24 * 60 * 60 * 1_000
"""By how much the tracker's clock may differ from ours when it says when a file was attached."""


async def adopt_copies(site: Site, link: Link, issue: Issue, state: Restored, draft: Draft | None = None) -> None:
    """Remember every copy on our issue that is not known as one.

    Args:
        site: the house.
        link: of our issue; its twin is known.
        issue: as the tracker shows it now.
        state: the restore in question.
        draft: what the peer wants now, so that what is right already is not written again.

    Raises:
        TrackerError: the tracker could not be asked; nothing was remembered.
    """
    twin = link.twin
    if twin is None:
        return

    async def look(tx: Reader) -> tuple[list[Said], list[TwinItem]]:
        return await restored.items_said(tx, link.connection_id, twin), await links.items(tx, link.id)

    said, known = await site.store.read(look)
    here = _ids(issue)
    handles = {(item.kind, item.handle) for item in known if (item.kind, item.item_id) in here}
    lost = [one for one in said if (one.kind, one.handle) not in handles]
    found = [*await _with_markers(site, link, twin, issue, lost), *await _files(site, link, issue, state, lost, draft)]
    adopted = [item for item in _digested([*known, *found], issue, draft) if item not in known]
    if not adopted:
        return

    async def remember(tx: Transaction) -> None:
        for item in adopted:
            await links.put_item(tx, link.id, item)
        for item in found:
            await steps.end(tx, link.connection_id, twin, f"{item.kind}:{item.handle}")

    await site.store.write(remember)
    site.crash_point("copies adopted")


async def but_for_lost_copies(site: Site, party: Party, link: Link, issue: Issue) -> Issue:
    """Return the issue without what the sync may have made on it before a restore made us forget.

    It is known again once the peer has spoken of the issue. Until then all comments and worklogs with a marker stay
    here, and all files that were attached with the sync's account since the backup.

    Raises:
        TrackerError: the tracker could not be asked.
    """
    state = await site.store.read(lambda tx: restored.read(tx, link.connection_id))
    if state is None or state.knows(link.received):
        return issue
    if not state.waits and issue.created.timestamp() * 1000 > state.done_ms + _DAY_MS:
        return issue
    comments = (await site.tracker.marked_comments(issue.id, ())).every if issue.comments else frozenset()
    worklogs = (await site.tracker.marked_worklogs(issue.id, ())).every if issue.worklogs else frozenset()
    said = {file["id"] for file in (link.sent or {}).get("attachments") or ()}
    new = [a for a in issue.attachments if _is_new(a, state) and party.names.handle("attachment", a.id) not in said]
    files = await _by_us(site, new)
    return replace(
        issue,
        comments=tuple(one for one in issue.comments if one.id not in comments),
        worklogs=tuple(one for one in issue.worklogs if one.id not in worklogs),
        attachments=tuple(one for one in issue.attachments if one.id not in files),
    )


async def _with_markers(site: Site, link: Link, twin: str, issue: Issue, lost: Sequence[Said]) -> list[TwinItem]:
    def marked(kind: str, key: Callable[[str], str]) -> dict[str, Said]:
        parts = [one for one in lost if one.kind == kind]
        return {marker_for(link.connection_id, twin, key(one.handle)): one for one in parts}

    comments, worklogs = marked("comment", comment_key), marked("worklog", worklog_key)
    found: dict[str, str] = {}
    if comments and issue.comments:
        found.update((await site.tracker.marked_comments(issue.id, comments)).found)
    if worklogs and issue.worklogs:
        found.update((await site.tracker.marked_worklogs(issue.id, worklogs)).found)
    wanted = {**comments, **worklogs}
    return [TwinItem(wanted[marker].kind, wanted[marker].handle, item, _UNKNOWN) for marker, item in found.items()]


async def _files(
    site: Site, link: Link, issue: Issue, state: Restored, lost: Sequence[Said], draft: Draft | None
) -> list[TwinItem]:
    """Find files by their bytes. What the peer has removed since is removed here: that must be of the sync's making."""
    files = [one for one in lost if one.kind == "attachment"]
    sizes = {one.size for one in files}
    known = {item for _, item in await site.store.read(lambda tx: links.made_by_sync(tx, link.issue_id))}
    free = [a for a in issue.attachments if a.id not in known and a.size in sizes and _is_new(a, state)]
    if not free:
        return []
    by_us = await _by_us(site, free)
    left = {one.id: await marker_of_file(site, one) for one in sorted(free, key=lambda one: one.id not in by_us)}
    still = {file.handle for file in (draft.attachments or () if draft else ())}
    found: list[TwinItem] = []
    for one in sorted(files, key=lambda one: one.handle not in still):
        marker = file_marker(one.blob, one.size)
        item = next((i for i, has in left.items() if has == marker and (one.handle in still or i in by_us)), None)
        if item is not None:
            del left[item]
            found.append(TwinItem("attachment", one.handle, item, one.blob))
    return found


async def _by_us(site: Site, files: Sequence[Attachment]) -> set[str]:
    """Name the files that were attached with the sync's account: a copy is among them, and maybe a person's file."""
    me = await site.tracker.own_id() if files else ""
    return {one.id for one in files if one.author is not None and one.author.id == me}


def _is_new(attachment: Attachment, state: Restored) -> bool:
    """Tell whether a file may have been attached after the backup."""
    created = attachment.created
    return created is None or created.timestamp() * 1000 >= state.since_ms - _DAY_MS


def _ids(issue: Issue) -> set[tuple[str, str]]:
    return {
        *(("comment", one.id) for one in issue.comments),
        *(("attachment", one.id) for one in issue.attachments),
        *(("worklog", one.id) for one in issue.worklogs),
    }


def _digested(items: Sequence[TwinItem], issue: Issue, draft: Draft | None) -> list[TwinItem]:
    """Let a copy that says what the peer wants count as written."""
    if draft is None:
        return list(items)
    bodies = {one.id: one.body for one in issue.comments}
    comments = {one.handle: one for one in draft.comments or ()}
    logged = {one.id: one for one in issue.worklogs}
    worklogs = {one.handle: one for one in draft.worklogs or ()}

    def right(item: TwinItem) -> TwinItem:
        if item.kind == "comment" and item.handle in comments and item.item_id in bodies:
            wanted = comments[item.handle]
            return replace(item, digest=comment_digest(wanted)) if same(bodies[item.item_id], wanted.body) else item
        if item.kind == "worklog" and item.handle in worklogs and item.item_id in logged:
            time, ours = worklogs[item.handle], logged[item.item_id]
            alike = time.seconds == ours.seconds and same(time.comment, ours.comment)
            return replace(item, digest=worklog_digest(time)) if alike else item
        return item

    return [right(item) for item in items]
