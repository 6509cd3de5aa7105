"""What people ask of the node: bring in, try again, give up; each ends, and says what became of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from node.errors import TrackerRefused, UsageError
from node.operations import Operations
from node.store import changes, connections, inbox, problems
from node.store.problems import Problem
from node.sync.first_words import FirstWords
from protocol.messages import Code, Outcome, Result
from tests.support.rule_sets import an_issue
from tests.support.small_house import House, from_bob, small_house


@dataclass(slots=True)
class Desk:
    """Alice's house and what people can ask of it."""

    house: House
    operations: Operations
    sweeps: list[int] = field(default_factory=list)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """Alice's desk."""
    async with small_house(tmp_path) as house:
        sweeps: list[int] = []
        yield Desk(
            house,
            Operations(
                house.site,
                house.outgoing,
                house.incoming.recovery,
                heard=FirstWords(),
                wake=lambda: None,
                sweep=lambda: sweeps.append(1),
            ),
            sweeps,
        )


async def test_a_connection_that_is_not_paired_yet_takes_no_issues(desk: Desk) -> None:
    """Bringing an issue in while the other node has not answered says so, instead of failing on a missing key."""
    await desk.house.state(connections.PENDING)
    with pytest.raises(UsageError, match="not paired yet"):
        await desk.operations.sync("Alice_to_Bob", ["UD-1"])


async def test_keys_that_are_none_are_told_one_by_one(desk: Desk) -> None:
    """A key that cannot be one never reaches a query, and the others still go."""
    desk.house.tracker.put(an_issue())
    hostile = ['UD-1) OR project = "X', "\u0660-\u0661", "-1", "", "UD-" + "9" * 100]
    results = await desk.operations.sync("Alice_to_Bob", ["UD-1"])
    assert [one.result for one in results] == ["queued"]
    for key in hostile:
        [one] = await desk.operations.sync("Alice_to_Bob", [key])
        assert one.result == "failed"
    assert "search" not in desk.house.tracker.calls


async def test_what_did_not_arrive_is_sent_again(desk: Desk) -> None:
    """The peer refused an issue: a retry says the same state once more, and its outcome ends the problem."""
    alice, issue = desk.house, an_issue()
    await alice.a_link(issue)
    [sent] = await alice.replicas()
    await alice.receive(Outcome(results=(Result(mid=sent.mid, c=int(Code.POLICY)),)))
    await alice.settle()
    [problem] = await alice.problems()
    assert await desk.operations.problems.retry([problem.id]) == 1
    again = (await alice.replicas())[-1]
    assert again.revision == 2
    assert again.changed == sent.changed, "nobody changed anything"
    await alice.receive(Outcome(results=(Result(mid=again.mid, c=int(Code.APPLIED)),)))
    await alice.settle()
    assert not await alice.problems()


async def test_a_skipped_message_ends_and_its_peer_hears_of_it(desk: Desk) -> None:
    """Giving up on a message that is held ends it for both sides."""
    alice, issue = desk.house, an_issue()
    link = await alice.a_link(issue)
    alice.tracker.fail["edit_issue"] = [TrackerRefused("No.")]
    await alice.receive(from_bob(1, twin=link.handle, seen=1))
    await alice.settle()
    [problem] = await alice.problems()
    assert await desk.operations.problems.skip([problem.id]) == 1
    assert not await alice.problems()
    assert [row["state"] for row in await alice.rows("inbox")] == [inbox.DONE]
    codes = [result.c for one in await alice.sent() if isinstance(one, Outcome) for result in one.results]
    assert codes == [Code.FIELD_NOT_ACCEPTED, Code.IGNORED]


async def test_skipping_a_notice_ends_its_problems_on_all_connections(desk: Desk) -> None:
    """One held notice has a problem for each connection that it failed on; giving it up leaves none of them."""
    alice, issue = desk.house, an_issue()
    await alice.a_link(issue)
    carol = await alice.connect("Alice_to_Carol")
    await alice.outgoing.begin(carol, issue)
    alice.rules.broken.update({alice.connection, carol})
    await alice.notice(issue.id)
    await alice.look()
    first, _ = await alice.problems()
    await desk.operations.problems.skip([first.id])
    assert not await alice.problems()
    assert not await alice.store.read(changes.counts)


async def test_a_retried_notice_is_looked_at_again(desk: Desk) -> None:
    """What a rule failed on leaves after the rule was put right and the problem retried."""
    alice, issue = desk.house, an_issue()
    await alice.a_link(issue)
    alice.rules.broken.add(alice.connection)
    alice.tracker.edit(issue.id, summary="New")
    await alice.notice(issue.id)
    await alice.look()
    alice.rules.broken.clear()
    assert await desk.operations.problems.retry(None) == 1
    await alice.look()
    assert (await alice.replicas())[-1].replica.fields["summary"] == "New"
    assert not await alice.problems()


@pytest.mark.parametrize("stage", [problems.SWEEP, problems.PEER])
async def test_a_retry_of_a_sweep_or_a_silent_peer_asks_at_once(desk: Desk, stage: str) -> None:
    """Such a problem has no row that waits; a retry asks Jira or the peer now, and the answer ends it."""
    alice = desk.house
    connection = alice.connection if stage == problems.PEER else None
    problem = Problem(
        connection_id=connection, stage=stage, ref=None, issue_key=None, code="X", message="It is silent."
    )
    await alice.store.write(lambda tx: problems.report(tx, problem, now_ms=1))
    [known] = await alice.problems()
    alice.woken.clear()
    assert await desk.operations.problems.retry([known.id]) == 1
    assert (desk.sweeps, alice.woken) == (([1], []) if stage == problems.SWEEP else ([], [alice.connection]))


async def test_an_unknown_problem_changes_nothing(desk: Desk) -> None:
    """A number that is no open problem's is named."""
    with pytest.raises(UsageError, match="no open problem 7"):
        await desk.operations.problems.retry([7])
    with pytest.raises(UsageError, match=r"no open problem -1"):
        await desk.operations.problems.skip([-1, 10**30])
