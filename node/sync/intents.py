"""Intents of calls that must not happen twice: stored before the call, ended with its result. Calls nobody.

An intent that is found stored already is probed by its marker before the call is made again. Setting fields, texts
and statuses is repeatable; its intent holds the values, so that nobody takes one of ours for one of our people's, and
it ends with the message.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from node.errors import TrackerError
from node.store import links, steps
from node.store.engine import Transaction
from node.store.steps import BORN, FIELDS, Step
from node.sync.attempts import attempts_in, marker_of
from node.sync.issue_links import issue_link_marker
from node.sync.markers import file_marker, marker_for
from node.sync.plan import AddIssueLink, Attach, Create, Operation, TwinItem
from node.sync.site import Site
from node.sync.step_keys import fields_of, file_key, issue_link_key, keys_of
from node.trackers.issue import IssueRef, Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a plan is carried out. ``peer_issue`` is the peer's handle; ``ref`` and ``link_id`` come with the issue."""

    connection_id: int
    peer_issue: str
    link_id: int | None = None
    ref: IssueRef | None = None

    @property
    def issue(self) -> IssueRef:
        """Our issue, which is there once the plan has created it."""
        if self.ref is None:
            raise AssertionError("a plan for an issue that does not exist must begin with its creation")
        return self.ref

    @property
    def link(self) -> int:
        """The id of the link, with which is stored what was made on the issue."""
        if self.link_id is None:
            raise AssertionError("what was made on an issue is stored with its link")
        return self.link_id


class Intents:
    """The open calls of plans."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def step(self, target: Target, key: str) -> Step:
        """Return the intent of a call, with the marker that it leaves."""
        marker = marker_for(target.connection_id, target.peer_issue, key)
        return Step(target.peer_issue, key, marker, self._site.clock.now_ms())

    async def store(self, target: Target, operations: Sequence[Operation]) -> Mapping[str, Step]:
        """Store all intents of a plan at once; return those that were stored before: their calls may have happened."""
        fresh = [step for operation in operations for step in self._intents(target, operation)]
        written = {name: value for operation in operations for name, value in fields_of(operation).items()}
        born = next((operation.fields for operation in operations if isinstance(operation, Create)), None)
        if not fresh and not written:
            return await self._site.store.read(lambda tx: steps.open_steps(tx, target.connection_id, target.peer_issue))

        async def work(tx: Transaction) -> Mapping[str, Step]:
            known = await steps.open_steps(tx, target.connection_id, target.peer_issue)
            await steps.intend(tx, target.connection_id, fresh)
            if written:
                await self.add_fields(tx, target, written)
            if born is not None:
                await self.add_fields(tx, target, born, key=BORN)
            return known

        known = await self._site.store.write(work)
        self._site.crash_point("intent stored")
        return known

    async def add_fields(
        self, tx: Transaction, target: Target, values: Mapping[str, Value], *, key: str = FIELDS
    ) -> None:
        """Add values to those that may be found in our issue because we wrote them, or made it with them."""
        known = await steps.open_steps(tx, target.connection_id, target.peer_issue)
        marker = marker_of(values, attempts_in(known.values(), key))
        step = Step(target.peer_issue, key, marker, self._site.clock.now_ms())
        await steps.intend(tx, target.connection_id, [step])

    def _intents(self, target: Target, operation: Operation) -> list[Step]:
        if isinstance(operation, Attach):
            return [
                replace(self.step(target, file_key(file.handle)), marker=file_marker(file.blob, file.size))
                for file in operation.files
            ]
        if isinstance(operation, AddIssueLink):
            return [replace(self.step(target, issue_link_key(operation)), marker=issue_link_marker(operation))]
        return [self.step(target, key) for key in keys_of(operation)]

    async def end(self, target: Target, key: str) -> None:
        """End the intent of a call whose result needs no row, or that had none."""

        async def work(tx: Transaction) -> None:
            await steps.end(tx, target.connection_id, target.peer_issue, key)

        await self._site.store.write(work)

    async def made(self, target: Target, key: str, item: TwinItem) -> None:
        """Store what a call made, and with it the end of its intent."""
        self._site.crash_point("call made")

        async def work(tx: Transaction) -> None:
            await steps.end(tx, target.connection_id, target.peer_issue, key)
            await links.put_item(tx, target.link, item)

        await self._site.store.write(work)
        self._site.crash_point("result stored")

    async def refused(self, target: Target, key: str, error: TrackerError) -> None:
        """A refused call certainly had no effect: its intent ends without a result."""
        if not error.temporary:
            await self.end(target, key)

    async def forget(self, target: Target) -> None:
        """End all intents of an issue that was refused: nothing of the plan was called, so no probe is needed later."""

        async def work(tx: Transaction) -> None:
            for key in await steps.open_steps(tx, target.connection_id, target.peer_issue):
                await steps.end(tx, target.connection_id, target.peer_issue, key)

        await self._site.store.write(work)
