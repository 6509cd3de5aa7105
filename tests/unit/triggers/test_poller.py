"""What a sweep finds where clocks differ, seconds are short and projects come and go."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest

from node.errors import TrackerUncertain, TrackerUnreachable
from node.store import problems
from node.trackers.base import Tracker
from node.triggers.poller import Poller
from tests.support.rule_sets import an_issue
from tests.support.small_house import House, from_bob, small_house


@pytest.fixture
async def alice(tmp_path: Path) -> AsyncIterator[House]:
    """Alice's house."""
    async with small_house(tmp_path) as house:
        yield house


def sweeping(house: House, *projects: str) -> Poller:
    """Return what sweeps projects of a house's tracker."""

    async def these() -> Sequence[str]:
        return projects

    return Poller(
        house.store,
        cast("Tracker", house.tracker),
        house.clock,
        projects=these,
        interval=lambda: 60.0,
        wake=lambda: None,
    )


def at(house: House, minutes: float) -> datetime:
    """Return the time that is so many minutes from now by the node's clock."""
    return datetime.fromtimestamp(house.clock.now_ms() / 1000, tz=UTC) + timedelta(minutes=minutes)


async def test_a_second_edit_within_one_second_is_found(alice: House) -> None:
    """Jira keeps whole seconds, and its notice of the second edit was lost: the sweep sees that more has changed."""
    poller = sweeping(alice, "UD")
    issue = an_issue(updated=at(alice, 0))
    await alice.a_link(issue)
    alice.tracker.put(replace(issue, summary="edited within the second"))
    assert await poller.sweep() == 1
    await alice.look()
    assert (await alice.replicas())[-1].replica.fields["summary"] == "edited within the second"
    assert await poller.sweep() == 0


async def test_only_a_sweep_tells_that_nothing_was_missed(alice: House) -> None:
    """Jira was out of reach: whatever it could not tell then is known only once a sweep has gone well."""
    poller = sweeping(alice, "UD")
    told = [poller.up_to_date]
    await poller.sweep()
    told.append(poller.up_to_date)
    alice.clock.ms += 1_000
    alice.tracker.unheard_ms = alice.clock.ms
    told.append(poller.up_to_date)
    alice.clock.ms += 1_000
    await poller.sweep()
    told.append(poller.up_to_date)
    assert told == [False, True, False, True]


@pytest.mark.parametrize("ahead", [-600, -5, 0, 5, 600])
async def test_a_jira_whose_clock_is_wrong_is_swept_from_the_beginning(alice: House, ahead: float) -> None:
    """What is edited after the first sweep is found, however many minutes Jira's clock differs from the node's."""
    poller = sweeping(alice, "UD")
    issue = an_issue(updated=at(alice, ahead - 60))
    await alice.a_link(issue)
    alice.tracker.time = at(alice, ahead)
    alice.tracker.fail["describe"] = [TrackerUnreachable("Jira does not answer.")]
    with pytest.raises(TrackerUnreachable):
        await poller.sweep()
    alice.clock.ms += 60_000
    alice.tracker.time = at(alice, ahead)
    assert await poller.sweep() == 0
    alice.tracker.put(replace(issue, summary="New", updated=at(alice, ahead)))
    alice.clock.ms += 60_000
    assert await poller.sweep() == 1


async def test_what_happens_in_a_hidden_project_is_found_when_it_is_shown_again(alice: House) -> None:
    """One of two projects is taken from the sync for a while, in which the other goes on: nothing in it is missed."""
    poller = sweeping(alice, "HID", "UD")
    hidden = an_issue(id="20001", key="HID-1", project="HID", updated=at(alice, 0))
    shown = an_issue(updated=at(alice, 0))
    for issue in (hidden, shown):
        await alice.a_link(issue, twin=None)
    assert await poller.sweep() == 0
    alice.tracker.hidden.add("HID")
    alice.tracker.put(replace(hidden, summary="edited unseen", updated=at(alice, 10)))
    for hours in (1, 2):
        alice.tracker.put(replace(shown, summary=f"edited {hours}", updated=at(alice, 60)))
        alice.clock.ms += 3_600_000
        assert await poller.sweep() == 1
        await alice.look()
    assert [one.stage for one in await alice.problems()] == [problems.SWEEP]
    alice.tracker.hidden.clear()
    assert await poller.sweep() == 1
    assert [row["issue"] for row in await alice.rows("change")] == [hidden.id]
    assert not await alice.problems()


async def test_what_cannot_be_looked_at_yet_is_not_piled_up(alice: House) -> None:
    """Jira fails to show an issue for hours, and every sweep finds it: one notice waits, and longer each time."""
    poller = sweeping(alice, "UD")
    issue = an_issue(updated=at(alice, 0))
    await alice.a_link(issue)
    await poller.sweep()
    alice.tracker.put(replace(issue, summary="New", updated=at(alice, 1), complete=False))
    alice.tracker.fail["issue"] = [TrackerUnreachable("Jira fails on it.") for _ in range(20)]
    for _ in range(20):
        await poller.sweep()
        await alice.look()
        alice.clock.ms += 15_000
    [row] = await alice.rows("change")
    assert 0 < row["attempts"] < 10
    alice.tracker.fail.clear()
    alice.clock.ms += 600_000
    await alice.look()
    assert (await alice.replicas())[-1].replica.fields["summary"] == "New"


async def test_an_edit_while_an_issue_is_brought_in_is_found(alice: House) -> None:
    """Alice's issue is fetched, edited while its files are, and then linked: the sweeps have passed the edit by."""
    poller = sweeping(alice, "UD")
    other = an_issue(id="10009", key="UD-9", updated=at(alice, 0))
    await alice.a_link(other)
    await poller.sweep()
    fetched = alice.tracker.put(an_issue(updated=at(alice, 0)))
    alice.tracker.put(replace(fetched, summary="edited meanwhile", updated=at(alice, 5)))
    await alice.notice(fetched.id)
    await alice.look()
    alice.clock.ms += 3_600_000
    alice.tracker.put(replace(other, summary="later", updated=at(alice, 0)))
    assert await poller.sweep() == 1
    await alice.look()
    await alice.outgoing.begin(alice.connection, fetched)
    alice.clock.ms += 3_600_000
    assert await poller.sweep() == 1
    await alice.look()
    assert (await alice.replicas())[-1].replica.fields["summary"] == "edited meanwhile"
    alice.tracker.calls.clear()
    assert await poller.sweep() == 0
    assert alice.tracker.calls == ["updated_since"]


async def test_an_edit_of_an_issue_that_is_found_again_late_is_found(alice: House) -> None:
    """The answer to a creation is lost; Alice edits the issue long before the sync knows that it is one of its own."""
    poller = sweeping(alice, "UD")
    other = an_issue(id="10009", key="UD-9", updated=at(alice, 0))
    await alice.a_link(other, twin="bob9")
    await poller.sweep()
    alice.tracker.fail_late["create_issue"] = [TrackerUncertain("The answer was lost.")]
    await alice.receive(from_bob(1))
    await alice.settle()
    [created] = [one for one in alice.tracker.issues.values() if one.id != other.id]
    alice.tracker.put(replace(created, summary="Alice's", updated=at(alice, 5)))
    alice.clock.ms += 3_600_000
    alice.tracker.put(replace(other, summary="later", updated=at(alice, 0)))
    assert await poller.sweep() == 1
    await alice.look()
    await alice.settle()
    assert await poller.sweep() == 1
    await alice.look()
    assert (await alice.replicas())[-1].replica.fields["summary"] == "Alice's"


async def test_a_newcomer_that_is_gone_hides_no_other(alice: House) -> None:
    """Of two issues that were just linked one was deleted, so that Jira refuses the search for both: each is asked."""
    poller = sweeping(alice, "UD")
    gone, edited = (an_issue(id=number, key=f"UD-{number}", updated=at(alice, 0)) for number in ("10001", "10002"))
    for issue in (gone, edited):
        await alice.a_link(issue, twin=None)
    del alice.tracker.issues[gone.id]
    alice.tracker.put(replace(edited, summary="New"))
    await poller.sweep()
    await alice.look()
    assert (await alice.replicas())[-1].replica.fields["summary"] == "New"
