"""A restored house settles what its peer says again: copies and links are found, replays end, nothing is sent early."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from node.errors import TrackerRefused, TrackerUnreachable
from node.store import changes, connections, links, outbox, problems, restored, shadows
from node.store.port import Transaction
from node.store.restored import LEAP, Restored
from node.sync.outgoing import Sent
from node.trackers.issue import Comment
from node.transport import restored as noting
from protocol.messages import (
    Code,
    IssueReplica,
    Outcome,
    ResyncBegin,
    ResyncEnd,
    ResyncPlease,
    dump_message,
    parse_message,
)
from protocol.replica import Replica
from tests.support.rule_sets import an_issue
from tests.support.small_house import House, from_bob, small_house


@pytest.fixture
async def alice(tmp_path: Path) -> AsyncIterator[House]:
    """Alice's house."""
    async with small_house(tmp_path) as house:
        yield house


async def _noticed(house: House) -> Restored:
    """Let the house notice that it was restored."""

    async def work(tx: Transaction) -> None:
        row = await connections.get(tx, house.connection)
        assert row is not None
        await noting.note(tx, row, now_ms=house.clock.now_ms(), seed=house.clock.random_bytes(16))

    await house.store.write(work)
    return await _state(house)


async def _state(house: House) -> Restored:
    found = await house.store.read(lambda tx: restored.read(tx, house.connection))
    assert found is not None
    return found


async def _begins(house: House) -> None:
    """Let Bob say that everything follows."""
    message = ResyncBegin(mid="begin-1", of=(await _state(house)).mid)
    await house.receive(message)

    async def work(tx: Transaction) -> None:
        row = await connections.get(tx, house.connection)
        assert row is not None
        await noting.begun(tx, row, message)

    await house.store.write(work)
    await house.settle()


async def _ends(house: House) -> None:
    await house.receive(ResyncEnd(mid="end-1", of=(await _state(house)).mid))
    await house.settle()


async def _codes(house: House) -> list[int]:
    return [result.c for one in await house.sent() if isinstance(one, Outcome) for result in one.results]


def _again(revision: int, *, applied: int, twin: str | None = None, changed: int | None = None) -> IssueReplica:
    """Return what Bob says of ``bob1`` again, with one comment; its fields were changed in revision ``changed``."""
    message = from_bob(revision, twin=twin, seen=1, comments={"c1": "from Bob"})
    return message.model_copy(
        update={
            "applied": applied,
            "mid": f"again-{revision}",
            "changed": dict.fromkeys(message.changed, changed or revision),
        }
    )


async def test_what_is_noticed_is_asked_for_once(alice: House) -> None:
    """One request leaves however often the restore shows itself before it has left, and people are told once."""
    first = await _noticed(alice)
    assert await _noticed(alice) == first
    asked = [one for one in await alice.sent() if isinstance(one, ResyncPlease)]
    assert [one.mid for one in asked] == [first.mid]
    [problem] = await alice.problems()
    assert (problem.stage, problem.code, problem.count) == (problems.PEER, "NewEpoch", 2)
    await alice.store.write(lambda tx: tx.execute("UPDATE outbox SET state = 'acked'"))
    alice.clock.ms += 1
    assert (await _noticed(alice)).mid != first.mid


async def test_nothing_leaves_until_all_was_said_again(alice: House) -> None:
    """What waited to be sent is dropped, a change and a new issue wait, and all goes when Bob has said everything."""
    issue = an_issue()
    await alice.a_link(issue)
    await alice.store.write(lambda tx: tx.execute("UPDATE outbox SET state = 'acked'"))
    before = await alice.link(issue)
    alice.tracker.edit(issue.id, summary="not sent yet")
    await alice.notice(issue.id)
    await alice.look()
    assert len(await alice.replicas()) == 2
    await _noticed(alice)
    assert len(await alice.replicas()) == 1
    link = await alice.link(issue)
    assert link.revision == before.revision + 1 + LEAP
    assert link.edited["summary"] == link.revision  # above all that was ever said
    other = alice.tracker.put(an_issue(id="2", key="UD-2"))
    assert (await alice.outgoing.begin(alice.connection, other)).sent is Sent.LATER
    await alice.notice(issue.id)
    await alice.look()
    assert len(await alice.replicas()) == 1
    await _begins(alice)
    await _ends(alice)
    assert not (await _state(alice)).waits
    assert await alice.problems() == []
    await alice.look()
    sent = (await alice.replicas())[-1]
    assert sent.replica.fields["summary"] == "not sent yet"
    assert sent.revision >= sent.changed["summary"] > LEAP


async def test_a_replay_ends_unapplied(alice: House) -> None:
    """What Bob had said before he began to say everything again has no effect; he hears that it was overtaken."""
    await _noticed(alice)
    await alice.receive(from_bob(3))
    await alice.settle()
    assert await _codes(alice) == [Code.SUPERSEDED]
    assert not alice.tracker.issues


async def test_a_copy_and_a_link_are_found_again(alice: House) -> None:
    """Alice's tracker holds an issue and a comment that the sync made: they are known by their markers."""
    await alice.receive(from_bob(1, comments={"c1": "from Bob"}))
    await alice.settle()
    [made] = alice.tracker.issues.values()
    await alice.store.write(lambda tx: tx.execute("DELETE FROM link"))
    await alice.store.write(lambda tx: tx.execute("DELETE FROM inbox"))
    await _noticed(alice)
    await _begins(alice)
    await alice.receive(_again(2, applied=1, twin=None))
    await alice.settle()
    assert list(alice.tracker.issues) == [made.id]
    assert len(alice.tracker.issues[made.id].comments) == 1
    link = await alice.link(made)
    assert (link.twin, link.born, link.revision) == ("bob1", True, 1 + LEAP)
    [item] = await alice.rows("twin_item")
    assert item["item_id"] == made.comments[0].id
    assert alice.tracker.calls.count("create_issue") == alice.tracker.calls.count("add_comment") == 1


async def test_an_issue_of_ours_is_found_by_its_handle(alice: House) -> None:
    """Alice had brought in her own issue: Bob names it, and no other issue of hers can be named by him."""
    names = (await alice.rules.party(alice.connection)).names
    mine = alice.tracker.put(an_issue(id="7", key="UD-7", summary="Bob's", type="Task"))
    await _noticed(alice)
    await _begins(alice)
    await alice.receive(_again(2, applied=1, twin=names.handle("issue", "7")))
    stranger = _again(3, applied=1, twin=names.handle("comment", "7"))
    await alice.receive(stranger.model_copy(update={"replica": stranger.replica.model_copy(update={"issue": "bob2"})}))
    await alice.settle()
    link = await alice.link(mine)
    assert (link.twin, link.born, link.issue_key) == ("bob1", False, "UD-7")
    assert await _codes(alice) == [Code.APPLIED, Code.TARGET_GONE]
    assert len(alice.tracker.issues) == 1


async def test_a_copy_of_what_is_gone_since_goes_too(alice: House) -> None:
    """Bob deleted a comment while Alice's node was away: a replay still names it, so its copy is known and removed."""
    issue = an_issue(type="Task")
    await alice.a_link(issue)
    await alice.receive(from_bob(1, seen=1, comments={"c0": "gone soon"}))
    await alice.settle()
    await alice.store.write(lambda tx: tx.execute("DELETE FROM twin_item"))
    await _noticed(alice)
    await _begins(alice)
    await alice.receive(_again(2, applied=1))
    await alice.settle()
    assert [one.body for one in alice.tracker.issues[issue.id].comments] == ["*Bob* commented:\nfrom Bob"]


@pytest.mark.parametrize(("changed", "summary"), [(1, "Alice's"), (2, "Bob's")])
async def test_a_field_is_whose_people_changed_it_last(alice: House, changed: int, summary: str) -> None:
    """Alice edited while her node was away: hers stays unless Bob's people changed it since she applied theirs."""
    issue = an_issue(type="Task")
    await alice.a_link(issue)
    alice.tracker.edit(issue.id, summary="Alice's")
    await _noticed(alice)
    await _begins(alice)
    await alice.receive(_again(2, applied=1, changed=changed))
    await alice.settle()
    assert alice.tracker.issues[issue.id].summary == summary
    link = await alice.link(issue)
    assert ("summary" in link.edited, "summary" in (link.sent or {})["fields"]) == (changed == 1, changed == 2)
    told = [row for row in await alice.rows("history") if row["event"] == "conflict"]
    assert len(told) == changed - 1


async def test_it_goes_on_only_when_everything_is_settled(alice: House) -> None:
    """A tracker that does not answer keeps a replica waiting, and so the end; what is held for a person does not."""
    issue = an_issue(type="Task")
    await alice.a_link(issue)
    await _noticed(alice)
    await _begins(alice)
    alice.tracker.fail["issue"] = [TrackerUnreachable("No answer.")]
    await alice.receive(_again(2, applied=1))
    await alice.settle()
    await _ends(alice)
    assert (await _state(alice)).waits
    alice.clock.ms += 60_000
    await alice.settle()
    alice.clock.ms += 60_000
    await alice.settle()
    assert not (await _state(alice)).waits


async def test_an_issue_that_is_not_shown_keeps_nobody_waiting(alice: House) -> None:
    """Alice's tracker refuses to show an issue of which Bob does not speak: the rest goes on all the same."""
    issue = an_issue()
    await alice.a_link(issue)
    await _noticed(alice)
    await _begins(alice)
    alice.tracker.fail["issue"] = [TrackerRefused("It is not shown to you.")]
    await _ends(alice)
    assert not (await _state(alice)).waits
    assert (await alice.link(issue)).state == links.ACTIVE


async def test_a_late_word_is_settled_with_care(alice: House) -> None:
    """Alice gives up waiting; Bob speaks of an issue only later: her copies are known all the same, and she answers."""
    issue = an_issue(type="Task")
    await alice.a_link(issue)
    await alice.receive(from_bob(1, seen=1, comments={"c1": "from Bob"}))
    await alice.settle()
    await alice.store.write(lambda tx: tx.execute("DELETE FROM twin_item"))
    await alice.store.write(lambda tx: tx.execute("DELETE FROM inbox"))
    await _noticed(alice)
    await alice.incoming.recovery.give_up(alice.connection)
    await alice.look()
    said = (await alice.replicas())[-1]
    assert said.replica.comments == ()
    await alice.receive(_again(2, applied=1))
    await alice.settle()
    assert len(alice.tracker.issues[issue.id].comments) == 1
    assert [row["issue"] for row in await alice.rows("change")] == [issue.id]


async def test_a_person_s_comment_is_no_copy(alice: House) -> None:
    """What a person wrote on Alice's issue while her node was away is sent once it has recovered."""
    issue = an_issue(type="Task", comments=(Comment(id="55", body="by Alice"),))
    await alice.a_link(replace(issue, comments=()))
    alice.tracker.put(issue)
    await _noticed(alice)
    await _begins(alice)
    await alice.receive(_again(2, applied=1))
    await alice.settle()
    await _ends(alice)
    await alice.look()
    said = (await alice.replicas())[-1]
    assert [comment.body for comment in said.replica.comments or ()] == ["by Alice"]


async def test_an_issue_of_both_gone_is_parted(alice: House) -> None:
    """Alice's issue was deleted after the backup and Bob was told: he says nothing of it, and the link ends."""
    issue = an_issue()
    await alice.a_link(issue)
    del alice.tracker.issues[issue.id]
    await _noticed(alice)
    await _begins(alice)
    await _ends(alice)
    assert (await alice.link(issue)).state == links.ENDED
    assert await alice.store.read(lambda tx: shadows.read(tx, issue.id)) is None


async def test_what_was_applied_stays_applied(alice: House) -> None:
    """Bob's restored node says of a replay that it was overtaken: what Alice knows of his having applied it stays."""
    issue = an_issue()
    await alice.a_link(issue)
    [sent] = await alice.replicas()
    link = await alice.link(issue)
    for code in (Code.APPLIED, Code.SUPERSEDED):
        await alice.store.write(
            lambda tx, code=code: outbox.record_outcome(tx, alice.connection, sent.mid, code, alice.clock.now_ms())  # type: ignore[misc]  # bound early, on purpose
        )
    assert await alice.store.read(lambda tx: outbox.applied(tx, link.id)) == 1
    alice.tracker.edit(issue.id, summary="new")
    await alice.notice(issue.id)
    await alice.look()
    assert (await alice.replicas())[-1].applied == 1


async def test_what_a_person_does_meanwhile_is_not_forgotten(alice: House) -> None:
    """A notice that comes while the node recovers waits without a call to the tracker, and is due when it is over."""
    issue = an_issue()
    await alice.a_link(issue)
    await _noticed(alice)
    await alice.notice(issue.id)
    alice.tracker.calls.clear()
    await alice.look()
    assert alice.tracker.calls == []
    await _begins(alice)
    await _ends(alice)
    rows = await alice.store.read(lambda tx: changes.due(tx, alice.clock.now_ms()))
    assert {row.issue for row in rows} == {issue.id}


def test_the_words_of_a_resync_travel() -> None:
    """What is asked and answered reads as it was written; a replica without ``applied`` knows of nothing."""
    for message in (
        ResyncPlease(mid="please-1"),
        ResyncBegin(mid="begin-1", of="please-1"),
        ResyncEnd(mid="end-1", of="please-1"),
    ):
        assert parse_message(dump_message(message)) == message
    old = IssueReplica(mid="m", revision=1, replica=Replica(issue="i", fields={}))
    assert b"applied" not in dump_message(old)
    assert parse_message(dump_message(old)) == old
