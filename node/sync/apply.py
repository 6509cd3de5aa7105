"""Carries a plan out, call by call: intent stored, call made, result stored. Decides nothing about values.

A call that must not happen twice (creating the issue, a comment, a file, a worklog) leaves a marker in the tracker.
An intent that is found stored already is probed by its marker before the call is made again. Setting fields, texts
and statuses is repeatable; its intent is there so that nobody takes a value of ours for one of our people's, and it
ends with the message.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from node.errors import AccordError, TrackerError, TrackerNotFound, TrackerRefused
from node.rules.model import DraftAttachment, DraftComment, DraftWorklog
from node.store import links, shadows, steps
from node.store.engine import Transaction
from node.store.steps import CREATE, FIELDS, Step
from node.sync.attempts import attempts_in, marker_of
from node.sync.file_bytes import marker_of_file
from node.sync.issue_links import drop_begun, issue_link_marker, make_issue_link, store_issue_link
from node.sync.markers import file_marker, marker_for
from node.sync.plan import (
    ISSUE_LINK,
    STATUS,
    TRANSITION,
    AddComment,
    AddIssueLink,
    AddWorklog,
    Attach,
    ClaimIssueLink,
    Create,
    Edit,
    EditComment,
    Move,
    Operation,
    Perform,
    Provide,
    Remove,
    TwinItem,
    digest,
    items_of,
    worklog_digest,
)
from node.sync.provide import provide
from node.sync.site import Site
from node.sync.step_keys import (
    but_for,
    comment_key,
    fields_of,
    file_key,
    issue_link_key,
    keys_of,
    name_key,
    transition_key,
    worklog_key,
)
from node.sync.transitions import Walk, perform
from node.sync.workflow import Workflows
from node.trackers.base import FileToAttach
from node.trackers.issue import Issue, IssueRef, Value


@dataclass(slots=True)
class Applied:
    """What became of a plan.

    ``written`` are the fields that were set, ``items`` the lists of comments, files and worklogs that were changed, and
    ``refused`` is what the tracker will not take.
    """

    written: dict[str, Value] = field(default_factory=dict)
    items: set[str] = field(default_factory=set)
    refused: list[AccordError] = field(default_factory=list)
    made: list[str] = field(default_factory=list)
    """Versions, components and options that fields needed and that are there now, for people to read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a plan is carried out. ``peer_issue`` is the peer's handle; ``ref`` and ``link_id`` come with the issue."""

    connection_id: int
    peer_issue: str
    label: str
    link_id: int | None = None
    ref: IssueRef | None = None


Link = Callable[[Transaction, IssueRef], Awaitable[int]]
"""Stores the link of an issue that was just created, in the transaction that ends the intent; returns its id."""

Guard = Callable[[IssueRef], Awaitable[None]]
"""Takes the lock of an issue that was just created, before anybody can know that it is linked."""


class Applier:
    """Carries out plans on our tracker."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._workflows = Workflows()

    async def run(
        self,
        target: Target,
        operations: Sequence[Operation],
        applied: Applied,
        *,
        link: Link,
        guard: Guard,
        ours: Issue | None,
    ) -> Target:
        """Carry out a plan; return where it was done. ``applied`` grows with what is done, also where it ends early.

        What the tracker refuses is collected, and the rest still done, so that one bad comment does not keep the
        others out; only without the issue itself nothing can follow.

        Raises:
            TrackerError: a temporary failure; what was done is stored, and the rest can be tried again.
            TrackerRefused: the issue cannot be created.
        """
        before = await self._intend(target, operations)
        await self._drop_unwanted(target, {key for operation in operations for key in keys_of(operation)}, before)
        impossible: frozenset[str] = frozenset()
        for operation in operations:
            if isinstance(operation, Provide):
                impossible |= await self._provide(target, operation, applied)
                continue
            if isinstance(operation, Create):
                if applied.refused:
                    await self._forget_intents(target)
                    raise applied.refused[0]
                ref = await self._create(target, operation, before)
                await guard(ref)
                target = await self._link(target, ref, link)
                applied.written.update(operation.fields)
                continue
            try:
                await self._one(target, but_for(operation, impossible), before, applied, ours)
            except TrackerError as error:
                if error.temporary:
                    raise
                applied.refused.append(error)
                continue
            if (items := items_of(operation)) is not None:
                applied.items.add(items)
        return target

    def _step(self, target: Target, key: str) -> Step:
        marker = marker_for(target.connection_id, target.peer_issue, key)
        return Step(target.peer_issue, key, marker, self._site.clock.now_ms())

    async def _intend(self, target: Target, operations: Sequence[Operation]) -> Mapping[str, Step]:
        """Store all intents of a plan at once; return those that were stored before: their calls may have happened."""
        fresh = [step for operation in operations for step in self._intents(target, operation)]
        written = {name: value for operation in operations for name, value in fields_of(operation).items()}
        if not fresh and not written:
            return await self._site.store.read(lambda tx: steps.open_steps(tx, target.connection_id, target.peer_issue))

        async def work(tx: Transaction) -> Mapping[str, Step]:
            known = await steps.open_steps(tx, target.connection_id, target.peer_issue)
            await steps.intend(tx, target.connection_id, fresh)
            if written:
                await self._intend_fields(tx, target, written)
            return known

        known = await self._site.store.write(work)
        self._site.crash_point("intent stored")
        return known

    async def _intend_fields(self, tx: Transaction, target: Target, values: Mapping[str, Value]) -> None:
        """Add values to those that may be found in our issue because we wrote them."""
        known = await steps.open_steps(tx, target.connection_id, target.peer_issue)
        marker = marker_of(values, attempts_in(known.values()))
        step = Step(target.peer_issue, FIELDS, marker, self._site.clock.now_ms())
        await steps.intend(tx, target.connection_id, [step])

    def _intents(self, target: Target, operation: Operation) -> list[Step]:
        if isinstance(operation, Attach):
            return [
                replace(self._step(target, file_key(file.handle)), marker=file_marker(file.blob, file.size))
                for file in operation.files
            ]
        if isinstance(operation, AddIssueLink):
            return [replace(self._step(target, issue_link_key(operation)), marker=issue_link_marker(operation))]
        return [self._step(target, key) for key in keys_of(operation)]

    async def _end(self, target: Target, key: str) -> None:
        async def work(tx: Transaction) -> None:
            await steps.end(tx, target.connection_id, target.peer_issue, key)

        await self._site.store.write(work)

    async def _drop_unwanted(self, target: Target, wanted: AbstractSet[str], before: Mapping[str, Step]) -> None:
        """End intents of an earlier plan that this one no longer has: what such a call may have made is removed."""
        for key in before.keys() - wanted - {FIELDS}:
            kind, _, _handle = key.partition(":")
            if kind == "comment" and target.ref is not None:
                item_id = await self._site.tracker.find_comment(target.ref.id, before[key].marker)
                if item_id is not None:
                    with suppress(TrackerNotFound):
                        await self._site.tracker.delete_comment(target.ref.id, item_id)
            elif kind == "worklog" and target.ref is not None:
                item_id = await self._site.tracker.find_worklog(target.ref.id, before[key].marker)
                if item_id is not None:
                    with suppress(TrackerNotFound):
                        await self._site.tracker.delete_worklog(target.ref.id, item_id)
            elif kind == ISSUE_LINK and target.ref is not None:
                await drop_begun(self._site, target.ref.id, before[key].marker)
            elif kind == "attachment" and target.ref is not None:
                for item_id in (await self._probe_files(target, {key: before[key].marker})).values():
                    with suppress(TrackerNotFound):
                        await self._site.tracker.delete_attachment(item_id)
            await self._end(target, key)

    async def _provide(self, target: Target, operation: Provide, applied: Applied) -> frozenset[str]:
        """See to it that a name is there; return the fields that cannot be written because our Jira will not have it.

        The name is its own marker: the tracker looks it up before it makes it, so this may happen twice.
        """
        wish = operation.creation
        try:
            await provide(self._site, wish)
        except TrackerError as error:
            if error.temporary:
                raise
            await self._end(target, name_key(wish))
            applied.refused.append(error)
            return operation.fields
        self._site.crash_point("name made")
        await self._end(target, name_key(wish))
        applied.made.append(f"{wish.kind}: {wish.name}")
        return frozenset()

    async def _create(self, target: Target, operation: Create, before: Mapping[str, Step]) -> IssueRef:
        tracker, known = self._site.tracker, before.get(CREATE)
        if known is not None:
            found = await tracker.find_created(operation.project, known.marker, since_ms=known.since_ms)
            if found is not None:
                return found
        marker = (known or self._step(target, CREATE)).marker
        try:
            ref = await tracker.create_issue(operation.project, operation.fields, marker=marker)
        except TrackerError as error:
            if not error.temporary:
                await self._forget_intents(target)
            raise
        self._site.crash_point("issue created")
        return ref

    async def _link(self, target: Target, ref: IssueRef, link: Link) -> Target:
        async def work(tx: Transaction) -> int:
            await steps.end(tx, target.connection_id, target.peer_issue, CREATE)
            return await link(tx, ref)

        link_id = await self._site.store.write(work)
        self._site.crash_point("issue linked")
        return replace(target, label=ref.key, link_id=link_id, ref=ref)

    async def _forget_intents(self, target: Target) -> None:
        """The issue was refused, so nothing of the plan was called: no probe is needed later."""

        async def work(tx: Transaction) -> None:
            for key in await steps.open_steps(tx, target.connection_id, target.peer_issue):
                await steps.end(tx, target.connection_id, target.peer_issue, key)

        await self._site.store.write(work)

    async def _one(
        self, target: Target, operation: Operation, before: Mapping[str, Step], applied: Applied, ours: Issue | None
    ) -> None:
        ref = _ref(target)
        if isinstance(operation, Edit):
            if operation.fields:
                await self._edit(ref, operation.fields, applied)
        elif isinstance(operation, Move):
            await self._move(target, operation, applied, ours)
        elif isinstance(operation, Perform):
            rode = await self._perform(target, operation, before)
            applied.written.update({**rode, TRANSITION: operation.transition})
            await self._set_late(ref, operation.late, applied)
        else:
            await self._item(target, operation, before)

    async def _item(self, target: Target, operation: Operation, before: Mapping[str, Step]) -> None:
        """Make, change or remove something that belongs to the issue and is no field of it."""
        if isinstance(operation, EditComment):
            await self._edit_comment(target, operation)
        elif isinstance(operation, AddComment):
            await self._add_comment(target, operation.comment, before)
        elif isinstance(operation, Attach):
            await self._attach(target, operation.files, before)
        elif isinstance(operation, AddWorklog):
            await self._add_worklog(target, operation.worklog, before)
        elif isinstance(operation, AddIssueLink):
            await self._add_issue_link(target, operation, before)
        elif isinstance(operation, ClaimIssueLink):
            await self._claim_issue_link(target, operation.item)
        elif isinstance(operation, Remove):
            await self._remove(target, operation.item)

    async def _edit(self, ref: IssueRef, fields: Mapping[str, Value], applied: Applied) -> None:
        """Set fields; where Jira names those that it will not take, the others are set without them."""
        tracker = self._site.tracker
        try:
            await tracker.edit_issue(ref.id, fields)
        except TrackerRefused as error:
            rest = {name: value for name, value in fields.items() if name not in error.fields}
            if not rest or len(rest) == len(fields):
                raise
            applied.refused.append(error)
            await tracker.edit_issue(ref.id, rest)
            applied.written.update(rest)
        else:
            applied.written.update(fields)

    async def _move(self, target: Target, operation: Move, applied: Applied, ours: Issue | None) -> None:
        ref, tracker = _ref(target), self._site.tracker
        issue = ours or await tracker.issue(ref.id)  # one that was just created is where its workflow begins
        workflow = self._workflows.of(issue.project, issue.type)

        async def note(status: str) -> None:
            async def work(tx: Transaction) -> None:
                await self._intend_fields(tx, target, {STATUS: status})

            await self._site.store.write(work)

        walk = Walk(tracker, workflow, ref, issue.status or "", given=operation.given, note=note)
        try:
            await walk.to(operation.status)
        except TrackerRefused:
            if walk.moved:  # notices of the statuses on the way are no doing of our people
                applied.written.update({**walk.rode, STATUS: walk.here})
            raise
        applied.written.update({**walk.rode, STATUS: operation.status})
        await self._set_late(ref, operation.late, applied)

    async def _set_late(self, ref: IssueRef, late: Mapping[str, Value], applied: Applied) -> None:
        """Set what no transition took along; emptying a resolution is what a workflow does by itself."""
        rest = {name: value for name, value in late.items() if name not in applied.written and value is not None}
        if rest:
            await self._edit(ref, rest, applied)

    async def _perform(self, target: Target, operation: Perform, before: Mapping[str, Step]) -> Mapping[str, Value]:
        """Make a named transition; not repeatable, and it leaves no marker but the status itself."""
        key = transition_key(operation.transition)
        try:
            rode = await perform(
                self._site.tracker, _ref(target), operation.transition, again=key in before, given=operation.given
            )
        except TrackerError as error:
            await self._refused(target, key, error)
            raise
        self._site.crash_point("call made")
        await self._end(target, key)
        return rode

    async def _made(self, target: Target, key: str, item: TwinItem) -> None:
        """Store what a call made, and with it the end of its intent."""
        self._site.crash_point("call made")

        async def work(tx: Transaction) -> None:
            await steps.end(tx, target.connection_id, target.peer_issue, key)
            await links.put_item(tx, _link_id(target), item)

        await self._site.store.write(work)
        self._site.crash_point("result stored")

    async def _refused(self, target: Target, key: str, error: TrackerError) -> None:
        """A refused call certainly had no effect: its intent ends without a result."""
        if not error.temporary:
            await self._end(target, key)

    async def _add_comment(self, target: Target, comment: DraftComment, before: Mapping[str, Step]) -> None:
        ref, key = _ref(target), comment_key(comment.handle)
        known = before.get(key)
        item_id = await self._site.tracker.find_comment(ref.id, known.marker) if known else None
        if item_id is None:
            try:
                item_id = await self._site.tracker.add_comment(
                    ref.id,
                    comment.body,
                    marker=(known or self._step(target, key)).marker,
                    internal=comment.internal,
                    restrict_to_role=comment.restrict_to_role,
                )
            except TrackerError as error:
                await self._refused(target, key, error)
                raise
        await self._made(target, key, TwinItem("comment", comment.handle, item_id, digest(comment.body)))

    async def _edit_comment(self, target: Target, operation: EditComment) -> None:
        comment = operation.comment
        # Somebody here may have removed our copy: then they do not want it, later edits included.
        with suppress(TrackerNotFound):
            await self._site.tracker.edit_comment(
                _ref(target).id, operation.item_id, comment.body, restrict_to_role=comment.restrict_to_role
            )

        async def work(tx: Transaction) -> None:
            item = TwinItem("comment", comment.handle, operation.item_id, digest(comment.body))
            await links.put_item(tx, _link_id(target), item)

        await self._site.store.write(work)

    async def _attach(self, target: Target, files: tuple[DraftAttachment, ...], before: Mapping[str, Step]) -> None:
        begun = {file_key(file.handle): file_marker(file.blob, file.size) for file in files}
        found = await self._probe_files(target, {key: marker for key, marker in begun.items() if key in before})
        for file in files:
            key = file_key(file.handle)
            if key in found:
                await self._made(target, key, TwinItem("attachment", file.handle, found[key], file.blob))
        rest = tuple(file for file in files if file_key(file.handle) not in found)
        if not rest:
            return
        try:
            await self._upload(target, rest)
        except TrackerError as error:
            if error.temporary:
                raise
            if len(rest) == 1:
                await self._end(target, file_key(rest[0].handle))
                raise
            await self._upload_singly(target, rest)

    async def _upload_singly(self, target: Target, files: tuple[DraftAttachment, ...]) -> None:
        """One of several files was refused: the others still get in, and the error names the one."""
        refused: list[TrackerError] = []
        for file in files:
            try:
                await self._upload(target, (file,))
            except TrackerError as error:
                if error.temporary:
                    raise
                await self._end(target, file_key(file.handle))
                refused.append(error)
        if refused:
            raise refused[0]

    async def _upload(self, target: Target, files: tuple[DraftAttachment, ...]) -> None:
        uploads = []
        for file in files:
            path = await self._site.files.arrived(target.connection_id, file.blob)
            if path is None:
                raise TrackerRefused(
                    f"The bytes of the file {file.name!r} are no longer here.",
                    advice="Retry the issue, so that the other side sends the file again.",
                )
            uploads.append(FileToAttach(path, file.name, file.mime))
        made = await self._site.tracker.attach(_ref(target).id, uploads)
        self._site.crash_point("call made")

        async def work(tx: Transaction) -> None:
            for file, attachment in zip(files, made, strict=True):
                await steps.end(tx, target.connection_id, target.peer_issue, file_key(file.handle))
                item = TwinItem("attachment", file.handle, attachment.id, file.blob)
                await links.put_item(tx, _link_id(target), item)

        await self._site.store.write(work)
        self._site.crash_point("result stored")

    async def _probe_files(self, target: Target, markers: Mapping[str, str]) -> dict[str, str]:
        """Find files that a call whose answer was lost did attach: same size and bytes, not known as anybody's.

        Attachments carry no properties, so their bytes are the marker; their names may be changed by the tracker. What
        the stored shadow shows was there before the call: it is not renewed while an intent is open.

        Args:
            target: where the plan is carried out.
            markers: step to marker of each call.
        """
        if not markers:
            return {}
        site = self._site
        ref = _ref(target)
        issue = await site.tracker.issue(ref.id)
        known = {item_id for _, item_id in await site.store.read(lambda tx: links.made_by_sync(tx, ref.id))}
        shadow = await site.store.read(lambda tx: shadows.read(tx, ref.id))
        before_us = {attachment.id for attachment in shadow.issue.attachments} if shadow else set()
        free = [a for a in issue.attachments if a.id not in known and a.id not in before_us]
        sizes = {marker.partition("/")[2] for marker in markers.values()}
        bytes_of = {one.id: await marker_of_file(site, one) for one in free if str(one.size) in sizes}
        found: dict[str, str] = {}
        for key, marker in markers.items():
            item_id = next((one for one, seen in bytes_of.items() if seen == marker), None)
            if item_id is not None:
                found[key] = item_id
                del bytes_of[item_id]
        return found

    async def _add_worklog(self, target: Target, worklog: DraftWorklog, before: Mapping[str, Step]) -> None:
        ref, key = _ref(target), worklog_key(worklog.handle)
        marker = self._step(target, key).marker
        item_id = None
        if key in before:
            item_id = await self._site.tracker.find_worklog(ref.id, marker)
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
                await self._refused(target, key, error)
                raise
        await self._made(target, key, TwinItem("worklog", worklog.handle, item_id, worklog_digest(worklog)))

    async def _add_issue_link(self, target: Target, operation: AddIssueLink, before: Mapping[str, Step]) -> None:
        key = issue_link_key(operation)
        try:
            item = await make_issue_link(self._site, _ref(target).id, operation, begun=key in before)
        except TrackerError as error:
            await self._refused(target, key, error)
            raise
        if item is None:
            await self._end(target, key)
            return
        made = item
        self._site.crash_point("call made")

        async def work(tx: Transaction) -> None:
            await steps.end(tx, target.connection_id, target.peer_issue, key)
            await store_issue_link(
                tx, _link_id(target), made, operation, connection_id=target.connection_id, peer_issue=target.peer_issue
            )

        await self._site.store.write(work)
        self._site.crash_point("result stored")

    async def _claim_issue_link(self, target: Target, item: TwinItem) -> None:
        """The sync made this link from its other end; from now on this issue's replicas have a say in it too."""
        mine = replace(item, digest="")
        await self._site.store.write(lambda tx: links.put_item(tx, _link_id(target), mine))

    async def _remove(self, target: Target, item: TwinItem) -> None:
        ref, tracker = _ref(target), self._site.tracker
        with suppress(TrackerNotFound):  # gone already: what was wanted
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
                await links.drop_item(tx, _link_id(target), item)

        await self._site.store.write(work)


def _ref(target: Target) -> IssueRef:
    if target.ref is None:
        raise AssertionError("a plan for an issue that does not exist must begin with its creation")
    return target.ref


def _link_id(target: Target) -> int:
    if target.link_id is None:
        raise AssertionError("what was made on an issue is stored with its link")
    return target.link_id


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).astimezone(UTC) if text else None
