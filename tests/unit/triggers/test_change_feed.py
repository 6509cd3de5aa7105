"""What becomes of notices: many are one look, what fails stays, and one issue never holds the others up."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from node.errors import TrackerBusy, TrackerNonsense, TrackerUncertain, TrackerUnreachable
from node.store import changes, connections, links
from node.store.errors import StoreBusy
from node.triggers.patience import MAX_BACKOFF_MS, MAX_PAUSE, TELL_AFTER
from tests.support.rule_sets import an_issue
from tests.support.small_house import House, from_bob, small_house


@pytest.fixture
async def alice(tmp_path: Path) -> AsyncIterator[House]:
    """Alice's house."""
    async with small_house(tmp_path) as house:
        yield house


async def test_many_notices_are_one_look(alice: House) -> None:
    """Ten notices about one issue cost one read and one message."""
    issue = an_issue()
    await alice.a_link(issue)
    alice.tracker.edit(issue.id, summary="New")
    alice.tracker.calls.clear()
    for _ in range(10):
        await alice.notice(issue.id)
    await alice.look()
    assert alice.tracker.calls == ["issue"]
    assert len(await alice.replicas()) == 1  # the first one was not sealed yet and gave way
    assert not await alice.store.read(changes.counts)


async def test_a_tracker_that_does_not_answer_is_asked_later_and_told_after_some_tries(alice: House) -> None:
    """The notice stays with its tries; people hear of it only when it lasts."""
    issue = an_issue()
    await alice.a_link(issue)
    alice.tracker.fail["issue"] = [TrackerUnreachable("Jira does not answer.") for _ in range(TELL_AFTER)]
    await alice.notice(issue.id)
    for tried in range(1, TELL_AFTER + 1):
        assert not await alice.problems()
        await alice.look()
        [row] = await alice.rows("change")
        assert (row["state"], row["attempts"]) == (changes.WAITING, tried)
        alice.clock.ms = row["due_ms"]
    assert [one.message for one in await alice.problems()] == ["Jira does not answer."]
    await alice.look()
    assert not await alice.problems()
    assert not await alice.rows("change")


async def test_one_strange_issue_does_not_stop_the_crew(alice: House) -> None:
    """An answer of a strange shape is about one issue: the others are looked at without a pause."""
    issue = an_issue()
    await alice.a_link(issue)
    alice.tracker.fail["issue"] = [TrackerNonsense("That is no issue.")]
    await alice.notice(issue.id)
    await alice.look()
    assert alice.feed.crew.paused_ms() == 0


async def test_a_busy_tracker_is_left_alone_but_not_for_ever(alice: House) -> None:
    """However long Jira asks us to wait for one call, the crew looks again after half a minute."""
    issue = an_issue()
    await alice.a_link(issue)
    alice.tracker.fail["issue"] = [TrackerBusy("Busy.", retry_after=3600)]
    await alice.notice(issue.id)
    await alice.look()
    assert 0 < alice.feed.crew.paused_ms() <= MAX_PAUSE * 1000


async def test_a_mistake_of_ours_holds_one_issue_and_is_told(alice: House) -> None:
    """An exception that nobody expected becomes a problem of that issue, without its text."""
    issue = an_issue()
    await alice.a_link(issue)
    alice.tracker.fail["issue"] = [ValueError("secret value")]
    await alice.notice(issue.id)
    await alice.look()
    [problem] = await alice.problems()
    assert "ValueError" in problem.message
    assert "secret" not in problem.message + problem.advice
    assert await alice.store.read(changes.counts) == {changes.HELD: 1}


async def test_a_store_that_is_busy_holds_nothing(alice: House) -> None:
    """Trouble of the database is no fault of the issue: the notice stays as it was."""
    issue = an_issue()
    await alice.a_link(issue)
    await alice.notice(issue.id)
    alice.tracker.fail["issue"] = [StoreBusy("The work took too long.")]
    with pytest.raises(StoreBusy):
        await alice.look()
    assert await alice.store.read(changes.counts) == {changes.NEW: 1}


async def test_a_look_that_must_wait_comes_before_one_that_failed(alice: House) -> None:
    """One connection waits and another fails: the notice is looked at again by itself."""
    issue = an_issue()
    link = await alice.a_link(issue)
    carol = await alice.connect("Alice_to_Carol")
    await alice.outgoing.begin(carol, issue)
    alice.tracker.fail_late["add_comment"] = [TrackerUncertain("The answer was lost.")]
    await alice.receive(from_bob(1, twin=link.handle, seen=1, comments={"c1": "Bob says"}))
    await alice.settle()
    alice.rules.broken.add(carol)
    alice.tracker.edit(issue.id, summary="New")
    await alice.notice(issue.id)
    await alice.look()
    assert await alice.store.read(changes.counts) == {changes.WAITING: 1}
    alice.clock.ms += 60_000
    await alice.settle()
    await alice.look()
    assert (await alice.replicas())[-1].replica.fields["summary"] == "New"
    assert [one.connection_id for one in await alice.problems()] == [carol]


async def test_an_edit_that_has_to_wait_is_not_overwritten_unseen(alice: House) -> None:
    """Alice's people edit a field while a write of Bob's is unfinished, then Bob changes the field too: a conflict."""
    issue = an_issue()
    link = await alice.a_link(issue)
    alice.tracker.fail_late["add_comment"] = [TrackerUncertain("The answer was lost.")]
    await alice.receive(from_bob(1, twin=link.handle, seen=1, comments={"c1": "Bob says"}))
    await alice.settle()
    alice.tracker.edit(issue.id, description="Alice's")
    await alice.notice(issue.id)
    await alice.look()
    await alice.receive(from_bob(2, twin=link.handle, seen=1, comments={"c1": "Bob says"}, description="Bob's"))
    alice.clock.ms += 60_000
    await alice.settle()
    await alice.look()
    assert alice.tracker.issues[issue.id].description == "Alice's"
    assert [row["event"] for row in await alice.rows("history")].count("conflict") == 1
    assert (await alice.replicas())[-1].replica.fields["description"] == "Alice's"


@pytest.mark.parametrize("others", [0, changes.MANY])
async def test_an_edit_that_was_told_is_not_overwritten_unseen(alice: House, others: int) -> None:
    """Alice's edit was told, and nobody has looked yet when Bob changes the same field: it is a conflict, hers wins."""
    issue = an_issue()
    link = await alice.a_link(issue)
    for number in range(others):
        await alice.notice(f"3{number:04}")
    alice.tracker.edit(issue.id, description="Alice's")
    body = json.dumps({"issue": {"id": issue.id}})
    await alice.store.write(lambda tx: changes.add(tx, source=changes.WEBHOOK, now_ms=alice.clock.now_ms(), body=body))
    await alice.receive(from_bob(1, twin=link.handle, seen=1, description="Bob's"))
    await alice.settle()
    assert alice.tracker.issues[issue.id].description == "Alice's"
    assert [row["event"] for row in await alice.rows("history")].count("conflict") == 1


async def test_a_notice_of_our_own_write_costs_no_call(alice: House) -> None:
    """Bob changes an issue again before Alice's node has looked at the notice of its own write: it knows that."""
    issue = an_issue()
    link = await alice.a_link(issue)
    await alice.receive(from_bob(1, twin=link.handle, seen=1, description="Bob's"))
    await alice.settle()
    body = json.dumps({"id": issue.id})
    await alice.store.write(lambda tx: changes.add(tx, source=changes.POLL, now_ms=alice.clock.now_ms(), body=body))
    alice.tracker.calls.clear()
    await alice.receive(from_bob(2, twin=link.handle, seen=1, description="Bob's again"))
    await alice.settle()
    assert alice.tracker.calls == ["edit_issue"]
    assert alice.tracker.issues[issue.id].description == "Bob's again"


async def test_an_issue_that_the_sync_is_making_does_not_enter_whatever_jiras_clock_says(alice: House) -> None:
    """The answer to a creation is lost, and Jira's clock is weeks behind: the issue is no new one of our people."""
    alice.rules.out = alice.rules.out.model_copy(update={"method": "automatic"})
    alice.rules.entered.add(alice.connection)
    alice.tracker.fail_late["create_issue"] = [TrackerUncertain("The answer was lost.")]
    await alice.receive(from_bob(1))
    await alice.settle()
    [created] = alice.tracker.issues.values()
    await alice.notice(created.id)
    await alice.look()
    assert not await alice.replicas()
    alice.clock.ms += MAX_BACKOFF_MS
    await alice.settle()
    await alice.look()
    assert (await alice.link(created)).twin == "bob1"
    assert not await alice.replicas()
    own = alice.tracker.put(an_issue(id="10002", key="UD-2"))
    await alice.notice(own.id)
    await alice.look()
    assert len(await alice.replicas()) == 1


async def test_waiting_for_a_paused_connection_is_not_a_busy_loop(alice: House) -> None:
    """A look that waits for an incoming write waits longer each time, up to a quarter of a minute."""
    issue = an_issue()
    link = await alice.a_link(issue)
    alice.tracker.fail_late["add_comment"] = [TrackerUncertain("The answer was lost.")]
    await alice.receive(from_bob(1, twin=link.handle, seen=1, comments={"c1": "Bob says"}))
    await alice.settle()
    await alice.state(connections.DEACTIVATED)
    await alice.notice(issue.id)
    waits = []
    for _ in range(7):
        await alice.look()
        [row] = await alice.rows("change")
        waits.append(row["due_ms"] - alice.clock.ms)
        alice.clock.ms = row["due_ms"]
    assert waits == [1000, 1000, 2000, 4000, 8000, 15000, 15000]


async def test_a_late_notice_ends_neither_an_error_nor_a_newer_one(alice: House) -> None:
    """Jira tells an edit that Alice knows, after the next one was held: that one stays held, and its problem open."""
    issue = an_issue()
    await alice.a_link(issue)
    second = alice.tracker.edit(issue.id, summary="second")
    third = alice.tracker.edit(issue.id, summary="third")
    alice.rules.broken.add(alice.connection)
    await alice.notice(issue.id)
    await alice.look()
    alice.tracker.put(second)
    await _shown(alice, issue.id)
    await alice.look()
    assert len(await alice.problems()) == 1
    alice.tracker.put(third)
    alice.rules.broken.clear()
    [row] = await alice.rows("change")
    await alice.store.write(lambda tx: changes.release(tx, row["id"]))
    await alice.look()
    assert (await alice.replicas())[-1].replica.fields["summary"] == "third"
    assert not await alice.problems()


async def test_a_late_notice_does_not_end_a_newer_one_that_waits(alice: House) -> None:
    """The newest state waits for a Jira that fails for a while; an older one that comes then is not the last word."""
    issue = an_issue()
    await alice.a_link(issue)
    second = alice.tracker.edit(issue.id, summary="second")
    third = alice.tracker.edit(issue.id, summary="third")
    alice.tracker.fail["issue"] = [TrackerUnreachable("Jira does not answer.")]
    await alice.notice(issue.id)
    await alice.look()
    alice.tracker.put(second)
    await _shown(alice, issue.id)
    await alice.look()
    alice.tracker.put(third)
    alice.clock.ms += 60_000
    await alice.look()
    assert (await alice.replicas())[-1].replica.fields["summary"] == "third"


@pytest.mark.parametrize("due_in", [60_000, None])
async def test_a_request_outlives_a_look_at_an_issue_that_is_in_sync_elsewhere(
    alice: House, due_in: int | None
) -> None:
    """An issue is in sync with Bob, and waits to be so with Carol: an edit is sent to him and forgets nothing."""
    issue = an_issue()
    await alice.a_link(issue)
    carol = await alice.connect("Alice_to_Carol")
    alice.rules.broken.add(carol)
    due = None if due_in is None else alice.clock.ms + due_in
    await alice.store.write(
        lambda tx: changes.ask(tx, connection_id=carol, issue=issue.id, now_ms=alice.clock.ms, due_ms=due)
    )
    alice.tracker.edit(issue.id, summary="New")
    await alice.notice(issue.id)
    await alice.look()
    assert [row["source"] for row in await alice.rows("change")] == [changes.REQUEST]
    alice.rules.broken.clear()
    await alice.notice(issue.id)
    alice.clock.ms += 60_000
    await alice.look()
    assert {one.connection_id for one in await alice.store.read(lambda tx: links.of_issue(tx, issue.id))} == {
        alice.connection,
        carol,
    }
    assert not await alice.rows("change")
    assert not await alice.problems()


async def _shown(house: House, issue_id: str) -> None:
    """Store a notice that shows an issue as it is now in the tracker."""
    body = json.dumps({"id": issue_id})
    await house.store.write(
        lambda tx: changes.add(tx, source=changes.POLL, now_ms=house.clock.now_ms(), issue=issue_id, body=body)
    )


async def test_a_deletion_ends_the_link(alice: House) -> None:
    """An issue that is gone when it is looked at is forgotten; its notice does not stay."""
    issue = an_issue()
    await alice.a_link(issue)
    del alice.tracker.issues[issue.id]
    await alice.notice(issue.id)
    await alice.look()
    assert not await alice.rows("change")
    assert not await alice.problems()


async def test_a_flood_of_large_notices_is_read_in_parts(alice: House) -> None:
    """Not more than so many characters of notices are held in memory at once, and always at least one."""
    body = json.dumps({"filler": "x" * 1000})
    for _ in range(5):
        await alice.store.write(lambda tx: changes.add(tx, source=changes.WEBHOOK, now_ms=1, body=body))
    assert len(await alice.store.read(lambda tx: changes.due(tx, 1, size=2100))) == 2
    assert len(await alice.store.read(lambda tx: changes.due(tx, 1, size=1))) == 1


@pytest.mark.parametrize("body", ["", "[]", "{", '{"issue": 7}', "[" * 100_000, '{"issue": {"id": [1]}}', "\x00"])
async def test_a_notice_that_is_not_understood_is_dropped(alice: House, body: str) -> None:
    """Whatever is posted as a webhook, the feed goes on."""
    await alice.store.write(lambda tx: changes.add(tx, source=changes.WEBHOOK, now_ms=1, body=body))
    await alice.look()
    assert not await alice.rows("change")
