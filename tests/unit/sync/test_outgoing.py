"""What a look at a changed issue leads to, row by row."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from node.errors import TrackerUncertain, TrackerUnreachable
from node.store import changes, connections, inbox, links, problems
from node.sync.outgoing import Sent
from protocol.messages import Code, IssueRemoved, IssueReplica, Outcome, Result
from tests.support.rule_sets import an_issue
from tests.support.small_house import House, from_bob, removed_by_bob, small_house


@pytest.fixture
async def alice(tmp_path: Path) -> AsyncIterator[House]:
    """Alice's house."""
    async with small_house(tmp_path) as house:
        yield house


async def test_the_same_state_is_sent_once(alice: House) -> None:
    """An issue that is brought in is sent whole; a notice that shows nothing new sends nothing."""
    issue = alice.tracker.put(an_issue())
    assert (await alice.outgoing.begin(alice.connection, issue)).sent is Sent.QUEUED
    [left] = await alice.outgoing.changed(issue)
    assert left.sent is Sent.UNCHANGED
    assert [one.replica.fields["summary"] for one in await alice.replicas()] == ["The lamp does not light"]


async def test_an_outcome_that_comes_during_a_look_keeps_its_twin(alice: House) -> None:
    """A look read its link before the peer told its handle, and writes afterwards: the handle stays."""
    issue = alice.tracker.put(an_issue())
    await alice.outgoing.begin(alice.connection, issue)
    stale = await alice.link(issue)
    [sent] = await alice.replicas()
    await alice.receive(Outcome(results=(Result(mid=sent.mid, c=int(Code.APPLIED), issue="bob1", key="SC-1"),)))
    await alice.settle()
    await alice.store.write(lambda tx: links.update(tx, replace(stale, revision=7)))
    link = await alice.link(issue)
    assert (link.twin, link.twin_key, link.revision) == ("bob1", "SC-1", 7)


async def test_a_look_does_not_revive_a_link_that_the_peer_ended(alice: House) -> None:
    """A look read its link before the peer's issue was removed, and writes afterwards: the link stays ended."""
    issue = an_issue()
    stale = await alice.a_link(issue)
    await alice.receive(removed_by_bob(1))
    await alice.settle()
    await alice.store.write(lambda tx: links.update(tx, replace(stale, revision=7)))
    assert (await alice.link(issue)).state == links.ENDED


async def test_a_moved_issue_is_known_by_its_new_key(alice: House) -> None:
    """The key of a moved issue is kept with its link even where nothing of it leaves."""
    issue = an_issue()
    await alice.a_link(issue)
    moved = alice.tracker.edit(issue.id, key="OPS-9", project="OPS", environment="nobody sends this")
    await alice.outgoing.changed(moved)
    assert (await alice.link(issue)).issue_key == "OPS-9"
    assert "OPS" in await alice.store.read(links.projects)


async def test_bringing_in_an_issue_does_not_undo_what_the_peer_just_wrote(alice: House) -> None:
    """The issue was read before the peer's change was written into it: it is read again, not sent back as it was."""
    issue = an_issue()
    link = await alice.a_link(issue)
    await alice.receive(from_bob(1, twin=link.handle, seen=1, type="Bug"))
    await alice.settle()
    assert alice.tracker.issues[issue.id].summary == "Bob's"
    await alice.outgoing.begin(alice.connection, issue)
    assert [one.replica.fields["summary"] for one in await alice.replicas()] == ["The lamp does not light"]


async def test_what_is_sent_late_is_in_conflict_as_the_peer_sees_it(alice: House) -> None:
    """A field that was kept back and leaves later counts as edited in the revision that carries it, on both sides."""
    issue = an_issue()
    await alice.a_link(issue)
    published = alice.rules.out
    alice.rules.out = published.model_copy(update={"method": "disabled"})
    await alice.outgoing.changed(alice.tracker.edit(issue.id, summary="Edited while nothing left"))
    alice.rules.out = published
    await alice.outgoing.changed(alice.tracker.edit(issue.id))
    newest = (await alice.replicas())[-1]
    assert newest.changed["summary"] == newest.revision == 2
    assert (await alice.link(issue)).edited["summary"] == 2


async def test_an_edit_counts_once_although_another_connection_failed(alice: House) -> None:
    """One connection's error does not make the same edit look newer on the connections that sent it."""
    issue = an_issue()
    await alice.a_link(issue)
    carol = await alice.connect("Alice_to_Carol")
    await alice.outgoing.begin(carol, issue)
    edited = alice.tracker.edit(issue.id, summary="Edited once")
    alice.rules.broken.add(carol)
    left = await alice.outgoing.changed(edited)
    assert [one.error is not None for one in left] == [False, True]
    await alice.outgoing.changed(alice.tracker.edit(issue.id, description="something else"))
    link = await alice.link(issue)
    assert link.edited["summary"] == 2
    assert link.edited["description"] == link.revision == 3


async def test_a_comment_of_a_skipped_message_does_not_go_back_as_ours(alice: House) -> None:
    """The answer to a call was lost and its message skipped: what it made is found and kept as a copy."""
    issue = an_issue()
    link = await alice.a_link(issue)
    alice.tracker.fail_late["add_comment"] = [TrackerUncertain("The answer was lost.")]
    row = await alice.receive(from_bob(1, twin=link.handle, seen=1, comments={"c1": "Bob says"}))
    await alice.settle()
    assert await alice.rows("step")
    [waits] = await alice.outgoing.changed(alice.tracker.edit(issue.id, description="news"))
    assert waits.sent is Sent.LATER
    await alice.store.write(lambda tx: inbox.finish(tx, row.id, Code.IGNORED, alice.clock.now_ms()))
    [left] = await alice.outgoing.changed(alice.tracker.edit(issue.id))
    assert left.sent is Sent.QUEUED
    assert (await alice.replicas())[-1].replica.comments == ()
    assert not await alice.rows("step")


async def test_a_first_replica_that_was_skipped_does_not_hold_our_issue_for_ever(alice: House) -> None:
    """An issue was created by the peer's wish and the rest given up: its later changes leave."""
    alice.tracker.fail["add_comment"] = [TrackerUnreachable("No answer.")]
    row = await alice.receive(from_bob(1, comments={"c1": "Bob says"}))
    await alice.settle()
    [created] = alice.tracker.issues.values()
    await alice.store.write(lambda tx: inbox.finish(tx, row.id, Code.IGNORED, alice.clock.now_ms()))
    [left] = await alice.outgoing.changed(alice.tracker.edit(created.id, summary="Ours"))
    assert left.sent is Sent.QUEUED


async def test_an_ended_link_begins_anew(alice: House) -> None:
    """Bob's issue was deleted and Alice's is brought in again: she asks for a new twin, with a new message."""
    issue = an_issue()
    await alice.a_link(issue)
    await alice.receive(removed_by_bob(1))
    await alice.settle()
    assert (await alice.outgoing.begin(alice.connection, issue)).sent is Sent.QUEUED
    first, again = [one for one in await alice.sent() if isinstance(one, IssueReplica)]
    assert (again.twin, again.seen, again.revision) == (None, 0, 2)
    assert set(again.changed.values()) == {2}
    assert first.mid != again.mid
    link = await alice.link(issue)
    assert (link.state, link.twin) == (links.ACTIVE, None)


async def test_an_issue_whose_twin_is_gone_begins_anew_when_a_person_asks(alice: House) -> None:
    """The peer says that its issue is no longer linked: bringing ours in again lets it make a new one."""
    issue = an_issue()
    await alice.a_link(issue)
    [sent] = await alice.replicas()
    await alice.receive(Outcome(results=(Result(mid=sent.mid, c=int(Code.TARGET_GONE)),)))
    await alice.settle()
    [problem] = await alice.problems()
    assert f"accord sync Alice_to_Bob {issue.key}" in problem.advice
    assert (await alice.outgoing.begin(alice.connection, issue)).sent is Sent.QUEUED
    assert (await alice.replicas())[-1].twin is None
    assert not await alice.problems()


async def test_a_deleted_issue_ends_its_links_and_their_problems(alice: House) -> None:
    """Nothing of a deleted issue stays to be dealt with."""
    issue = an_issue()
    await alice.a_link(issue)
    [sent] = await alice.replicas()
    await alice.receive(Outcome(results=(Result(mid=sent.mid, c=int(Code.POLICY)),)))
    await alice.settle()
    assert [one.stage for one in await alice.problems()] == [problems.OUTCOME]
    await alice.outgoing.gone(issue.id)
    assert not await alice.problems()
    assert isinstance((await alice.sent())[-1], IssueRemoved)
    assert not await alice.rows("shadow")


async def test_a_closed_connection_keeps_nobody_busy(alice: House) -> None:
    """An issue that was linked over a closed connection alone is not looked at any more."""
    issue = an_issue()
    await alice.a_link(issue)
    await alice.state(connections.CLOSED)
    alice.tracker.calls.clear()
    await alice.notice(issue.id)
    await alice.look()
    assert not await alice.store.read(changes.counts)
    assert not alice.tracker.calls


async def test_rules_that_fail_hold_the_notice_and_say_so_once(alice: House) -> None:
    """What a rule cannot do is told with the issue; the next look that succeeds ends it."""
    issue = an_issue()
    await alice.a_link(issue)
    alice.rules.broken.add(alice.connection)
    alice.tracker.edit(issue.id, summary="New")
    for _ in range(2):
        await alice.notice(issue.id)
        await alice.look()
    [problem] = await alice.problems()
    assert problem.issue_key == issue.key
    assert await alice.store.read(changes.counts) == {changes.HELD: 1}
    alice.rules.broken.clear()
    await alice.notice(issue.id)
    await alice.look()
    assert not await alice.problems()
    assert (await alice.replicas())[-1].replica.fields["summary"] == "New"
