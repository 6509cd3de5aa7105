"""Reaching a status, or making a named transition, in a small workflow that is told like Jira tells it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import TrackerRefused
from node.sync.transitions import Walk, perform
from node.sync.workflow import Workflow
from node.trackers.base import Tracker, Transition
from node.trackers.issue import IssueRef, Value
from tests.support.rule_sets import an_issue

REF = IssueRef("1", "UD-1")
Way = tuple[str, str, str, bool]
"""Name, from, to, and whether its screen asks for a resolution."""


class Jira:
    """A tracker with one issue in a workflow. It counts what it is asked."""

    def __init__(self, status: str, *ways: Way) -> None:
        self.status = status
        self.ways = ways
        self.made: list[str] = []
        self.sent: list[Mapping[str, Value]] = []
        self.asked = 0

    async def transitions(self, _issue_id: str) -> Sequence[Transition]:
        """Offer the ways out of the current status."""
        self.asked += 1
        screen = ("resolution",)
        return [
            Transition(id=str(number), name=name, to_status=to, fields=screen, required=screen if needs else ())
            for number, (name, start, to, needs) in enumerate(self.ways)
            if start == self.status
        ]

    async def transition(self, _issue_id: str, transition_id: str, fields: Mapping[str, Value] | None = None) -> None:
        """Take one, if it leads out of the current status and its screen has what it asks for."""
        name, start, to, needs = self.ways[int(transition_id)]
        if start != self.status:
            raise TrackerRefused(f"It seems that the transition {name} is not valid now.")
        if needs and not (fields or {}).get("resolution"):
            raise TrackerRefused("resolution: Resolution is required.")
        self.status = to
        self.made.append(name)
        self.sent.append(fields or {})

    async def issue(self, _issue_id: str) -> object:
        """Show the issue."""
        return an_issue(status=self.status)


def tracker_of(jira: Jira) -> Tracker:
    """Return it as the port that the code under test wants."""
    return cast("Tracker", jira)


async def walked(jira: Jira, status: str, *, workflow: Workflow | None = None, **values: Value) -> Walk:
    """Walk the issue of this Jira to a status."""
    walk = Walk(tracker_of(jira), workflow or Workflow(), REF, jira.status, given=values)
    await walk.to(status)
    return walk


LONG: tuple[Way, ...] = (
    ("Go", "To Do", "Doing", False),
    ("Back", "Doing", "To Do", False),
    ("Review", "Doing", "Review", False),
    ("Again", "Review", "Doing", False),
    ("Close", "Review", "Done", False),
    ("Reopen", "Done", "To Do", False),
)


async def test_the_direct_way_is_taken() -> None:
    """Where one transition leads to the status, it is made, whatever its name."""
    jira = Jira("To Do", ("Go", "To Do", "Doing", False), ("Close", "To Do", "Done", False))
    await walked(jira, "done")
    assert jira.made == ["Close"]


async def test_a_status_behind_another_is_reached_in_steps() -> None:
    """No direct way: the node goes on by way of statuses that it has not seen yet, and not in circles."""
    jira = Jira("To Do", *LONG)
    await walked(jira, "Done")
    assert jira.made == ["Go", "Review", "Close"]


async def test_a_known_way_costs_one_call_a_transition() -> None:
    """What was learned with one issue is not asked again for the next, and the shortest way is taken."""
    workflow = Workflow()
    await walked(Jira("To Do", *LONG), "Done", workflow=workflow)
    jira = Jira("To Do", *LONG)
    await walked(jira, "Done", workflow=workflow)
    assert (jira.made, jira.asked) == (["Go", "Review", "Close"], 0)


async def test_what_was_known_and_is_no_longer_so_is_asked_again() -> None:
    """A workflow that an admin has changed since: Jira refuses the old transition, and the new way is found."""
    workflow = Workflow()
    await walked(Jira("To Do", ("Close", "To Do", "Done", False)), "Done", workflow=workflow)
    changed = (("Old", "Nowhere", "Done", False), ("Go", "To Do", "Doing", False), ("End", "Doing", "Done", False))
    jira = Jira("To Do", *changed)
    await walked(jira, "Done", workflow=workflow)
    assert jira.made == ["Go", "End"]


async def test_an_issue_that_is_elsewhere_than_believed_still_arrives() -> None:
    """Somebody moved the issue and no notice has come: the walk begins where it really is."""
    workflow = Workflow()
    await walked(Jira("To Do", *LONG), "Done", workflow=workflow)
    jira = Jira("Review", *LONG)
    walk = Walk(tracker_of(jira), workflow, REF, "To Do", given={})
    await walk.to("Done")
    assert (jira.status, jira.made) == ("Done", ["Close"])


async def test_no_way_is_an_error_that_names_the_ways_there_are() -> None:
    """A status that the workflow does not reach is told loudly."""
    jira = Jira("To Do", ("Go", "To Do", "Doing", False))
    with pytest.raises(TrackerRefused, match="UD-1 cannot be brought to the status 'Closed'"):
        await walked(jira, "Closed")


async def test_an_issue_that_does_not_arrive_goes_back_to_where_it_was() -> None:
    """The statuses that were tried on the way are not left behind."""
    jira = Jira("To Do", *LONG)
    with pytest.raises(TrackerRefused):
        await walked(jira, "Frozen")
    assert jira.status == "To Do"


async def test_a_status_that_is_there_costs_nothing() -> None:
    """Where the issue already has the status, Jira is not asked."""
    jira = Jira("Done")
    await walked(jira, "done")
    assert (jira.made, jira.asked) == ([], 0)


async def test_a_screen_gets_the_resolution_that_the_rules_give() -> None:
    """The transition asks for a resolution: the one of the rules goes with it."""
    jira = Jira("To Do", ("Close", "To Do", "Done", True))
    walk = await walked(jira, "Done", resolution="Fixed", summary="not on the screen")
    assert jira.sent == [{"resolution": "Fixed"}]
    assert walk.rode == {"resolution": "Fixed"}


async def test_a_screen_that_asks_for_what_nobody_gives_is_told_before_anything_moves() -> None:
    """The error names the transition and the field, and the issue is where it was."""
    jira = Jira("To Do", ("Close", "To Do", "Done", True))
    with pytest.raises(TrackerRefused, match="the transition 'Close' asks for resolution") as told:
        await walked(jira, "Done")
    assert "incoming rules set resolution" in told.value.advice
    assert (jira.status, jira.made) == ("To Do", [])


async def test_statuses_on_the_way_are_told_before_they_are_taken() -> None:
    """Whoever must know what is our doing hears of each status that nobody asked for, and not of the one asked for."""
    jira = Jira("To Do", *LONG)
    told: list[tuple[str, str]] = []

    async def note(status: str) -> None:
        told.append((jira.status, status))

    await Walk(tracker_of(jira), Workflow(), REF, "To Do", given={}, note=note).to("Done")
    assert told == [("To Do", "Doing"), ("Doing", "Review")]


NAMES = ["a", "b", "c", "d", "e"]


@given(
    edges=st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), max_size=12, unique=True),
    start=st.sampled_from(NAMES),
    goal=st.sampled_from(NAMES),
    warm=st.lists(st.sampled_from(NAMES), max_size=3),
)
def test_whatever_the_workflow_the_walk_arrives_or_says_so(
    edges: list[tuple[str, str]], start: str, goal: str, warm: list[str]
) -> None:
    """Any small workflow, known in part: the issue is at the goal, or an error was raised and there was no way on."""
    ways = [(f"{one}{other}", one, other, False) for one, other in edges]

    async def play() -> None:
        workflow = Workflow()
        for status in warm:
            workflow.learn(status, await Jira(status, *ways).transitions(""))
        jira = Jira(start, *ways)
        walk = Walk(tracker_of(jira), workflow, REF, start, given={})
        try:
            await walk.to(goal)
        except TrackerRefused:
            assert jira.status == walk.here
            assert not reaches(edges, start, goal) or not reaches(edges, walk.here, goal)
        else:
            assert jira.status == walk.here == goal

    asyncio.run(play())


def reaches(edges: list[tuple[str, str]], start: str, goal: str) -> bool:
    """Tell whether there is a way, by the plainest search there is."""
    seen = {start}
    while True:
        more = {other for one, other in edges if one in seen} - seen
        if not more:
            return goal in seen
        seen |= more


async def test_a_named_transition_is_made_and_a_missing_one_is_told() -> None:
    """By name in any case; a name that this status does not offer is an error, not silence."""
    jira = Jira("To Do", ("Close", "To Do", "Done", False))
    assert await perform(tracker_of(jira), REF, "close", again=False, given={"resolution": "Fixed"}) == {
        "resolution": "Fixed"
    }
    assert jira.made == ["Close"]
    with pytest.raises(TrackerRefused, match="offers no transition 'close'"):
        await perform(tracker_of(jira), REF, "close", again=False, given={})


async def test_a_named_transition_whose_answer_was_lost_is_not_made_twice() -> None:
    """After a crash between call and result, a transition that is no longer offered has been made."""
    jira = Jira("Done")
    assert await perform(tracker_of(jira), REF, "Close", again=True, given={}) == {}
    assert jira.made == []
