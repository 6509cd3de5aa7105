"""Brings an issue to a status through the transitions that its workflow offers, loudly where there is no way.

Takes the shortest way that is known, and looks further where none is. An issue that cannot be brought where it should
be goes back to where it was: nobody wanted the statuses on the way.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from node.errors import TrackerError, TrackerNotFound, TrackerRefused
from node.sync.plan import RESOLUTION
from node.sync.workflow import Workflow, missing
from node.trackers.base import Tracker, Transition
from node.trackers.issue import IssueRef, Value

MAX_STEPS = 12
"""More transitions than this for one change of status is a workflow that goes in circles."""

Note = Callable[[str], Awaitable[None]]
"""Called with a status that nobody wanted before the issue gets it on the way, so that it is known as our doing."""


async def _unnoted(_status: str) -> None:
    return None


async def perform(
    tracker: Tracker, ref: IssueRef, name: str, *, again: bool, given: Mapping[str, Value]
) -> Mapping[str, Value]:
    """Make the transition of this name; return the fields that went with it.

    ``again`` says that an earlier try may have had its effect: then a transition that is not offered has been made.
    ``given`` are the values that its screen may ask for.

    Raises:
        TrackerRefused: no such transition leads out of the current status, or its screen asks for more.
    """
    offered = await tracker.transitions(ref.id)
    for one in offered:
        if one.name.casefold() == name.casefold():
            if lacks := missing(one, given):
                raise _asks_for(ref, one, lacks)
            fields = _riding(one, given)
            await tracker.transition(ref.id, one.id, fields)
            return fields
    if again:
        return {}
    names = ", ".join(sorted(one.name for one in offered)) or "none"
    raise TrackerRefused(
        f"{ref.key} offers no transition {name!r} now; it offers: {names}.",
        fields={"transition": f"no {name} from here"},
        advice="Name one that this status offers, or set issue.status and let the node find the way.",
    )


class Walk:
    """One issue on its way to a status.

    A known way costs one call a transition; an unknown status is asked for its transitions first. ``here`` is where
    the issue is now, ``rode`` are the fields that went with the transitions, and ``given`` the values that a screen may
    ask for.
    """

    def __init__(
        self,
        tracker: Tracker,
        workflow: Workflow,
        ref: IssueRef,
        here: str,
        *,
        given: Mapping[str, Value],
        note: Note = _unnoted,
    ) -> None:
        self.here = here
        self.moved = False
        self.rode: dict[str, Value] = {}
        self._tracker = tracker
        self._workflow = workflow
        self._ref = ref
        self._given = given
        self._note = note
        self._asked: set[str] = set()
        """Statuses whose transitions Jira told on this walk: what is known of them is true of this issue."""
        self._left = MAX_STEPS

    async def to(self, status: str) -> None:
        """Walk to a status, the shortest way.

        Raises:
            TrackerRefused: no way leads there, or a screen asks for fields that nobody gave. The issue is back where it
                was, or as near to that as its workflow allows.
        """
        start = self.here
        try:
            await self._to(status)
        except TrackerRefused:
            await self._back(start)
            raise

    async def _to(self, status: str) -> None:
        wanted = status.casefold()
        while self.here.casefold() != wanted:
            await self._look_around()
            way = self._workflow.route(self.here, lambda one: one == wanted, self._usable)
            if way is None and not self._blocked(status):
                way = self._workflow.route(self.here, self._is_unknown, self._usable)
            if way is None:
                raise self._no_way(status)
            if self._left == 0:
                raise TrackerRefused(
                    f"{self._ref.key} did not reach the status {status!r} within {MAX_STEPS} transitions.",
                    fields={"status": f"no short way to {status}"},
                    advice="Map the status to one that this project's workflow reaches in fewer transitions.",
                )
            await self._step(way[0], wanted)

    async def _back(self, status: str) -> None:
        """Return to where the walk began, as far as known ways lead."""
        wanted = status.casefold()
        self._left = MAX_STEPS
        while self.here.casefold() != wanted and self._left:
            way = self._workflow.route(self.here, lambda one: one == wanted, self._usable)
            if way is None:
                return
            try:
                await self._step(way[0], wanted)
            except TrackerError:
                return  # why the walk failed is what people have to hear

    async def _look_around(self) -> None:
        if self._workflow.out_of(self.here) is None:
            self._workflow.learn(self.here, await self._tracker.transitions(self._ref.id))
            self._asked.add(self.here.casefold())

    def _usable(self, transition: Transition) -> bool:
        return not missing(transition, self._given)

    def _is_unknown(self, status: str) -> bool:
        return self._workflow.out_of(status) is None

    async def _step(self, transition: Transition, wanted: str) -> None:
        self._left -= 1
        if transition.to_status.casefold() != wanted:
            await self._note(transition.to_status)
        fields = _riding(transition, self._given)
        try:
            await self._tracker.transition(self._ref.id, transition.id, fields)
        except (TrackerRefused, TrackerNotFound):
            if self.here.casefold() in self._asked:
                raise
            # What was known was not so, or the issue is not where it was: look at it.
            self._workflow.forget(self.here)
            self.here = (await self._tracker.issue(self._ref.id)).status or ""
            self._workflow.forget(self.here)
            return
        self.here, self.moved = transition.to_status, True
        self.rode.update(fields)

    def _blocked(self, status: str) -> list[Transition]:
        """Return the known transitions into a status whose screens ask for more: then no detour is tried."""
        return [one for one in self._workflow.into(status) if not self._usable(one)]

    def _no_way(self, status: str) -> TrackerRefused:
        for one in self._blocked(status):
            return _asks_for(self._ref, one, missing(one, self._given))
        offered = self._workflow.out_of(self.here) or ()
        ways = ", ".join(sorted({one.to_status for one in offered})) or "nowhere"
        return TrackerRefused(
            f"{self._ref.key} cannot be brought to the status {status!r}: from {self.here!r} the workflow leads to "
            f"{ways}.",
            fields={"status": f"no way to {status}"},
            advice="Map the status to one that this project's workflow reaches, or add a transition in Jira.",
        )


def _riding(transition: Transition, given: Mapping[str, Value]) -> dict[str, Value]:
    """Return the values that go with a transition: what its screen asks for, and the resolution where it is on it."""
    wanted = {*transition.required, *({RESOLUTION} & set(transition.fields))}
    return {name: given[name] for name in sorted(wanted) if given.get(name) not in (None, "", [])}


def _asks_for(ref: IssueRef, transition: Transition, lacks: list[str]) -> TrackerRefused:
    names = " and ".join(name.removeprefix("custom.") for name in lacks)
    return TrackerRefused(
        f"{ref.key} cannot be brought to the status {transition.to_status!r}: the transition {transition.name!r} asks "
        f"for {names}, and the rules do not give it.",
        fields={"status": f"{names} is missing"},
        advice=f"Let the incoming rules set {names} too, by a mapping or in a script; then retry.",
    )
