"""Makes, changes and removes what belongs to our issue but is no field: comments, files, worklogs, issue links."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime

from node.errors import TrackerError, TrackerNotFound
from node.rules.model import DraftComment, DraftWorklog
from node.store import links, steps
from node.store.engine import Transaction
from node.store.steps import Step
from node.sync.apply_files import FileApplier
from node.sync.intents import Intents, Target
from node.sync.issue_links import drop_begun, make_issue_link, store_issue_link
from node.sync.merge import same
from node.sync.plan import (
    ISSUE_LINK,
    UNKNOWN,
    AddComment,
    AddIssueLink,
    AddWorklog,
    Attach,
    ClaimIssueLink,
    EditComment,
    Operation,
    Remove,
    TwinItem,
    comment_digest,
    worklog_digest,
)
from node.sync.site import Site
from node.sync.step_keys import comment_key, issue_link_key, worklog_key


class ItemApplier:
    """Carries out the operations of a plan that leave an item behind, or take one away."""

    def __init__(self, site: Site, intents: Intents) -> None:
        self._site = site
        self._intents = intents
        self._files = FileApplier(site, intents)

    async def carry_out(self, target: Target, operation: Operation, before: Mapping[str, Step]) -> None:
        """Make, change or remove something that belongs to the issue and is no field of it."""
        if isinstance(operation, EditComment):
            await self._edit_comment(target, operation)
        elif isinstance(operation, AddComment):
            await self._add_comment(target, operation.comment, before)
        elif isinstance(operation, Attach):
            await self._files.attach(target, operation.files, before)
        elif isinstance(operation, AddWorklog):
            await self._add_worklog(target, operation.worklog, before)
        elif isinstance(operation, AddIssueLink):
            await self._add_issue_link(target, operation, before)
        elif isinstance(operation, ClaimIssueLink):
            await self._claim_issue_link(target, operation.item)
        elif isinstance(operation, Remove):
            await self._remove(target, operation.item)

    async def drop(self, target: Target, key: str, marker: str) -> None:
        """Remove what a call may have made that is not wanted any more: an earlier plan had begun it."""
        kind, _, _handle = key.partition(":")
        tracker, ref = self._site.tracker, target.issue
        if kind == "comment":
            if (comment := await tracker.find_comment(ref.id, marker)) is not None:
                with suppress(TrackerNotFound):
                    await tracker.delete_comment(ref.id, comment)
        elif kind == "worklog":
            if (worklog := await tracker.find_worklog(ref.id, marker)) is not None:
                with suppress(TrackerNotFound):
                    await tracker.delete_worklog(ref.id, worklog)
        elif kind == ISSUE_LINK:
            await drop_begun(self._site, ref.id, marker)
        elif kind == "attachment":
            for attachment in (await self._files.probe(target, {key: marker})).values():
                with suppress(TrackerNotFound):
                    await tracker.delete_attachment(attachment)

    async def _add_comment(self, target: Target, comment: DraftComment, before: Mapping[str, Step]) -> None:
        ref, key = target.issue, comment_key(comment.handle)
        known = before.get(key)
        found = await self._site.tracker.find_comment(ref.id, known.marker) if known else None
        if found is not None:
            await self._take_over(target, key, comment, found)
            return
        try:
            item_id = await self._site.tracker.add_comment(
                ref.id,
                comment.body,
                marker=(known or self._intents.step(target, key)).marker,
                internal=comment.internal,
                restrict_to_role=comment.restrict_to_role,
            )
        except TrackerError as error:
            await self._intents.refused(target, key, error)
            raise
        await self._intents.made(target, key, TwinItem("comment", comment.handle, item_id, comment_digest(comment)))

    async def _take_over(self, target: Target, key: str, comment: DraftComment, item_id: str) -> None:
        """Know a comment again that an earlier call wrote, and correct it where the peer has changed it since."""
        await self._intents.made(target, key, TwinItem("comment", comment.handle, item_id, UNKNOWN))
        shown = await self._site.tracker.issue(target.issue.id)
        if any(one.id == item_id and same(one.body, comment.body) for one in shown.comments):
            item = TwinItem("comment", comment.handle, item_id, comment_digest(comment))
            await self._site.store.write(lambda tx: links.put_item(tx, target.link, item))
        else:
            await self._edit_comment(target, EditComment(comment, item_id))

    async def _edit_comment(self, target: Target, operation: EditComment) -> None:
        comment = operation.comment
        # Somebody here may have removed our copy: then they do not want it, later edits included.
        async with self._unless_gone(target.issue.id):
            await self._site.tracker.edit_comment(
                target.issue.id, operation.item_id, comment.body, restrict_to_role=comment.restrict_to_role
            )

        async def work(tx: Transaction) -> None:
            item = TwinItem("comment", comment.handle, operation.item_id, comment_digest(comment))
            await links.put_item(tx, target.link, item)

        await self._site.store.write(work)

    async def _add_worklog(self, target: Target, worklog: DraftWorklog, before: Mapping[str, Step]) -> None:
        ref, key = target.issue, worklog_key(worklog.handle)
        marker = self._intents.step(target, key).marker
        item_id = await self._known_worklog(ref.id, worklog, marker) if key in before else None
        if item_id is None:
            try:
                item_id = await self._site.tracker.add_worklog(
                    ref.id,
                    seconds=worklog.seconds,
                    started=_time(worklog.started),
                    comment=worklog.comment,
                    marker=marker,
                )
            except TrackerError as error:
                await self._intents.refused(target, key, error)
                raise
        await self._intents.made(target, key, TwinItem("worklog", worklog.handle, item_id, worklog_digest(worklog)))

    @asynccontextmanager
    async def _unless_gone(self, issue_id: str) -> AsyncIterator[None]:
        """Do nothing to a copy that is gone; but where the whole issue is hidden, nobody knows that it is (1 call).

        A copy that was taken for gone, and comes to light with its issue again, would be sent back as our people's.
        """
        try:
            yield
        except TrackerNotFound:
            await self._site.tracker.issue(issue_id)

    async def _known_worklog(self, issue_id: str, worklog: DraftWorklog, marker: str) -> str | None:
        """Return the worklog that an earlier call made; one that the peer has changed since goes, to be made anew."""
        tracker = self._site.tracker
        item_id = await tracker.find_worklog(issue_id, marker)
        if item_id is None:
            return None
        wanted = (worklog.seconds, _time(worklog.started))
        for one in (await tracker.issue(issue_id)).worklogs:
            started = one.started if worklog.started else None
            if one.id == item_id and (one.seconds, started) == wanted and same(one.comment, worklog.comment):
                return item_id
        with suppress(TrackerNotFound):
            await tracker.delete_worklog(issue_id, item_id)
        return None

    async def _add_issue_link(self, target: Target, operation: AddIssueLink, before: Mapping[str, Step]) -> None:
        key = issue_link_key(operation)
        try:
            item = await make_issue_link(self._site, target.issue.id, operation, begun=key in before)
        except TrackerError as error:
            await self._intents.refused(target, key, error)
            raise
        if item is None:
            await self._intents.end(target, key)
            return
        made = item
        self._site.crash_point("call made")

        async def work(tx: Transaction) -> None:
            await steps.end(tx, target.connection_id, target.peer_issue, key)
            await store_issue_link(
                tx, target.link, made, operation, connection_id=target.connection_id, peer_issue=target.peer_issue
            )

        await self._site.store.write(work)
        self._site.crash_point("result stored")

    async def _claim_issue_link(self, target: Target, item: TwinItem) -> None:
        """The sync made this link from its other end; from now on this issue's replicas have a say in it too."""
        mine = replace(item, digest="")
        await self._site.store.write(lambda tx: links.put_item(tx, target.link, mine))

    async def _remove(self, target: Target, item: TwinItem) -> None:
        ref, tracker = target.issue, self._site.tracker
        async with self._unless_gone(ref.id):  # gone already: what was wanted
            if item.kind == "comment":
                await tracker.delete_comment(ref.id, item.item_id)
            elif item.kind == "attachment":
                await tracker.delete_attachment(item.item_id)
            elif item.kind == ISSUE_LINK:
                await tracker.delete_issue_link(item.item_id)
            else:
                await tracker.delete_worklog(ref.id, item.item_id)
        self._site.crash_point("call made")

        async def work(tx: Transaction) -> None:
            if item.kind == ISSUE_LINK:
                await links.drop_issue_link(tx, item.item_id)
            else:
                await links.drop_item(tx, target.link, item)

        await self._site.store.write(work)


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).astimezone(UTC) if text else None
