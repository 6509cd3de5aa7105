"""Reaching a status, or making a named transition, in a small workflow that is told like Jira tells it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import pytest

from node.errors import TrackerRefused
from node.sync.transitions import move, perform
from node.trackers.base import Tracker, Transition
from node.trackers.issue import IssueRef, Value

REF = IssueRef("1", "UD-1")


class Workflow:
    """A tracker with one issue: (name, from, to, needs a field)."""

    def __init__(self, status: str, ways: Sequence[tuple[str, str, str, bool]]) -> None:
        self.status = status
        self.ways = ways
        self.made: list[str] = []

    async def transitions(self, _issue_id: str) -> Sequence[Transition]:
        """Offer the ways out of the current status."""
        return [
            Transition(id=str(number), name=name, to_status=to, required=("resolution",) if needs else ())
            for number, (name, start, to, needs) in enumerate(self.ways)
            if start == self.status
        ]

    async def transition(self, _issue_id: str, transition_id: str, _fields: Mapping[str, Value] | None = None) -> None:
        """Take one."""
        name, _, self.status, _ = self.ways[int(transition_id)]
        self.made.append(name)


def _tracker(status: str, *ways: tuple[str, str, str, bool]) -> tuple[Workflow, Tracker]:
    workflow = Workflow(status, ways)
    return workflow, cast("Tracker", workflow)


async def test_the_direct_way_is_taken() -> None:
    """Where one transition leads to the status, it is made, whatever its name."""
    workflow, tracker = _tracker("To Do", ("Go", "To Do", "Doing", False), ("Close", "To Do", "Done", False))
    await move(tracker, REF, "done", current="To Do")
    assert workflow.made == ["Close"]


async def test_a_status_behind_another_is_reached_in_steps() -> None:
    """No direct way: the node goes on by way of statuses that it has not seen yet, and not in circles."""
    workflow, tracker = _tracker(
        "To Do",
        ("Go", "To Do", "Doing", False),
        ("Back", "Doing", "To Do", False),
        ("Review", "Doing", "Review", False),
        ("Close", "Review", "Done", False),
    )
    await move(tracker, REF, "Done", current="To Do")
    assert workflow.made == ["Go", "Review", "Close"]


async def test_no_way_is_an_error_that_names_the_ways_there_are() -> None:
    """A status that the workflow does not reach is told loudly."""
    _, tracker = _tracker("To Do", ("Go", "To Do", "Doing", False))
    with pytest.raises(TrackerRefused, match="UD-1 cannot be brought to the status 'Closed'"):
        await move(tracker, REF, "Closed", current="To Do")


async def test_a_status_that_is_there_costs_nothing() -> None:
    """Where the issue already has the status, Jira is not asked."""
    workflow, tracker = _tracker("Done")
    await move(tracker, REF, "Done", current="Done")
    assert workflow.made == []


async def test_a_named_transition_is_made_and_a_missing_one_is_told() -> None:
    """By name in any case; a name that this status does not offer is an error, not silence."""
    workflow, tracker = _tracker("To Do", ("Close", "To Do", "Done", False))
    assert await perform(tracker, REF, "close", again=False) == "Done"
    assert workflow.made == ["Close"]
    with pytest.raises(TrackerRefused, match="offers no transition 'close'"):
        await perform(tracker, REF, "close", again=False)


async def test_a_named_transition_whose_answer_was_lost_is_not_made_twice() -> None:
    """After a crash between call and result, a transition that is no longer offered has been made."""
    workflow, tracker = _tracker("Done")
    assert await perform(tracker, REF, "Close", again=True) is None
    assert workflow.made == []
