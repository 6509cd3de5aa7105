"""Carries a plan out, call by call: intent stored, call made, result stored. Decides nothing about values.

A call that must not happen twice (creating the issue, a comment, a file, a worklog) leaves a marker in the tracker, by
which it is found again after a crash: see ``intents.py``. Here are the issue itself, its fields and its status; what
belongs to an issue besides is in ``apply_items.py``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

from node.errors import AccordError, TrackerDenied, TrackerError, TrackerRefused, TrackerUnreachable
from node.store import steps
from node.store.engine import Transaction
from node.store.steps import BORN, CREATE, FIELDS, Step
from node.sync.apply_items import ItemApplier
from node.sync.attempts import attempts_in, outdated
from node.sync.intents import Intents, Target
from node.sync.plan import (
    STATUS,
    TRANSITION,
    Create,
    Edit,
    Move,
    Operation,
    Perform,
    Provide,
    Remove,
    items_of,
    made_for,
)
from node.sync.provide import provide
from node.sync.site import Site
from node.sync.step_keys import (
    but_for,
    keys_of,
    name_key,
    transition_key,
)
from node.sync.transitions import Walk, perform
from node.sync.workflow import Workflows
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
    stuck: set[tuple[str, str]] = field(default_factory=set)
    """Kind and handle of copies that had to go and could not be removed."""


Link = Callable[[Transaction, IssueRef], Awaitable[int]]
"""Stores the link of an issue that was just created, in the transaction that ends the intent; returns its id."""

Guard = Callable[[IssueRef], Awaitable[None]]
"""Takes the lock of an issue that was just created, before anybody can know that it is linked."""


class Applier:
    """Carries out plans on our tracker."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._intents = Intents(site)
        self._items = ItemApplier(site, self._intents)
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
        before = await self._intents.store(target, operations)
        await self._drop_unwanted(target, {key for operation in operations for key in keys_of(operation)}, before)
        impossible: frozenset[str] = frozenset()
        for operation in operations:
            if isinstance(operation, Provide):
                impossible |= await self._provide(target, operation, applied)
                continue
            if isinstance(operation, Create):
                if applied.refused:
                    await self._intents.forget(target)
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

    async def _drop_unwanted(self, target: Target, wanted: AbstractSet[str], before: Mapping[str, Step]) -> None:
        """End intents of an earlier plan that this one no longer has: what such a call may have made is removed."""
        for key in before.keys() - wanted - {FIELDS, BORN}:
            if target.ref is not None:
                await self._items.drop(target, key, before[key].marker)
            await self._intents.end(target, key)

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
            await self._intents.end(target, name_key(wish))
            applied.refused.append(error)
            return operation.fields
        self._site.crash_point("name made")
        await self._intents.end(target, name_key(wish))
        applied.made.append(f"{wish.kind}: {wish.name}")
        return frozenset()

    async def _create(self, target: Target, operation: Create, before: Mapping[str, Step]) -> IssueRef:
        tracker, known = self._site.tracker, before.get(CREATE)
        if known is not None:
            found = await tracker.find_created(operation.project, known.marker, since_ms=known.since_ms)
            if found is not None:
                await self._bring_up_to_date(found, operation, before)
                return found
        marker = (known or self._intents.step(target, CREATE)).marker
        try:
            ref = await tracker.create_issue(operation.project, operation.fields, marker=marker)
        except TrackerError as error:
            if not error.temporary:
                await self._intents.forget(target)
            elif known is None and isinstance(error, TrackerUnreachable | TrackerDenied):
                # Nothing was made, so nothing is looked for: after a long outage each search would see many issues.
                for key in (CREATE, BORN):
                    await self._intents.end(target, key)
            raise
        self._site.crash_point("issue created")
        return ref

    async def _bring_up_to_date(self, ref: IssueRef, operation: Create, before: Mapping[str, Step]) -> None:
        """Give an issue that an earlier call made what the peer has said since; before anybody believes that it has."""
        tried = attempts_in(before.values(), BORN)
        fields = outdated(await self._site.tracker.issue(ref.id), operation.fields, tried) if tried else {}
        if fields:
            await self._site.tracker.edit_issue(ref.id, fields)
            self._site.crash_point("created issue corrected")

    async def _link(self, target: Target, ref: IssueRef, link: Link) -> Target:
        async def work(tx: Transaction) -> int:
            for key in (CREATE, BORN):
                await steps.end(tx, target.connection_id, target.peer_issue, key)
            return await link(tx, ref)

        link_id = await self._site.store.write(work)
        self._site.crash_point("issue linked")
        return replace(target, link_id=link_id, ref=ref)

    async def _one(
        self, target: Target, operation: Operation, before: Mapping[str, Step], applied: Applied, ours: Issue | None
    ) -> None:
        ref = target.issue
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
            await self._item(target, operation, before, applied)

    async def _item(self, target: Target, operation: Operation, before: Mapping[str, Step], applied: Applied) -> None:
        """Make, change or remove a copy; where the old one cannot be removed, none is made in its place."""
        if made_for(operation) in applied.stuck:
            for key in keys_of(operation):
                await self._intents.end(target, key)
            return
        try:
            await self._items.carry_out(target, operation, before)
        except TrackerError:
            if isinstance(operation, Remove):
                applied.stuck.add((operation.item.kind, operation.item.handle))
            raise

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
        ref, tracker = target.issue, self._site.tracker
        issue = ours or await tracker.issue(ref.id)  # one that was just created is where its workflow begins
        workflow = self._workflows.of(issue.project, issue.type)

        async def note(status: str) -> None:
            async def work(tx: Transaction) -> None:
                await self._intents.add_fields(tx, target, {STATUS: status})

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
                self._site.tracker, target.issue, operation.transition, again=key in before, given=operation.given
            )
        except TrackerError as error:
            await self._intents.refused(target, key, error)
            raise
        self._site.crash_point("call made")
        await self._intents.end(target, key)
        return rode
