"""How received messages are settled: in which order, held with which words, and never waiting for ever."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from node.errors import TrackerRefused, TrackerUncertain, TrackerUnreachable
from node.rules.ruleset import MappingStep, RuleSet
from node.store import inbox, links, problems
from node.store.links import Link
from node.sync.endings import called_there
from node.sync.inbox_feed import FILES_TELL_AFTER
from protocol.messages import Code, IssueReplica, Outcome
from protocol.replica import Replica, ReplicaAttachment, ReplicaWorklog
from tests.support.rule_sets import an_issue
from tests.support.small_house import House, from_bob, removed_by_bob, small_house

_FAILS = MappingStep(source="summary", target="summary", otherwise="error", values={"nothing": "High"})
"""A step that fails on every issue."""


@pytest.fixture
async def alice(tmp_path: Path) -> AsyncIterator[House]:
    """Alice's house."""
    async with small_house(tmp_path) as house:
        yield house


async def codes(house: House) -> list[int]:
    """Return the outcomes that were answered, in order."""
    return [result.c for one in await house.sent() if isinstance(one, Outcome) for result in one.results]


@pytest.mark.parametrize(
    ("key", "fields", "name"),
    [
        ("UD-7", {"summary": "Dark"}, "the other side's UD-7"),
        (None, {"summary": "The  lamp\ndoes not light"}, "the other side's issue 'The lamp does not light'"),
        (None, {"summary": "x" * 80}, f"the other side's issue '{'x' * 60}…'"),
        (None, {"summary": None}, "the other side's issue handle-o…, which shows neither key nor summary,"),
    ],
)
def test_an_issue_that_has_no_twin_here_is_named_as_well_as_it_can_be(
    key: str | None, fields: dict[str, Any], name: str
) -> None:
    """By its key, else its summary, else the start of its handle: somebody has to find it."""
    assert called_there(Replica(issue="handle-of-it", key=key, fields=fields)) == name


async def test_a_replica_makes_an_issue_once(alice: House) -> None:
    """The answer to the creation is lost: the issue is found by its marker and linked, not made again."""
    alice.tracker.fail_late["create_issue"] = [TrackerUncertain("The answer was lost.")]
    await alice.receive(from_bob(1))
    await alice.settle()
    assert len(alice.tracker.issues) == 1
    alice.clock.ms += 60_000
    await alice.settle()
    assert alice.tracker.calls.count("create_issue") == 1
    [created] = alice.tracker.issues.values()
    assert (await alice.link(created)).twin == "bob1"
    assert await codes(alice) == [Code.APPLIED]


async def test_a_creation_that_takes_effect_after_its_time_is_not_made_twice(alice: House) -> None:
    """A proxy gives up after a minute, and Jira goes on: the issue is looked up when that has had time to end."""
    late = TrackerUncertain("Jira did not answer in time.", unfinished=True)
    alice.tracker.fail_late["create_issue"] = [late]
    await alice.receive(from_bob(1))
    await alice.settle()
    made = dict(alice.tracker.issues)
    alice.tracker.issues.clear()
    alice.clock.ms += 50_000
    await alice.settle()
    alice.tracker.issues.update(made)
    alice.clock.ms += 10_000
    await alice.settle()
    assert alice.tracker.calls.count("create_issue") == 1
    assert await codes(alice) == [Code.APPLIED]


async def test_a_creation_that_never_reached_jira_is_not_looked_for(alice: House) -> None:
    """Jira cannot be reached, so nothing was made; what may have been made before that is looked for all the same."""
    alice.tracker.fail["create_issue"] = [TrackerUnreachable("Nothing listens there.")]
    alice.tracker.fail_late["create_issue"] = [TrackerUncertain("The answer was lost.")]
    await alice.receive(from_bob(1))
    for _ in range(3):
        await alice.settle()
        alice.clock.ms += 60_000
    assert alice.tracker.calls.count("create_issue") == 2
    assert alice.tracker.calls.count("find_created") == 1
    assert await codes(alice) == [Code.APPLIED]


async def test_an_issue_that_is_found_again_gets_what_bob_said_meanwhile(alice: House) -> None:
    """The answer to the creation is lost, and Bob edits: his last word counts, and no older one of his goes back."""
    alice.tracker.fail_late["create_issue"] = [TrackerUncertain("The answer was lost.")]
    await alice.receive(from_bob(1, summary="first", description="first"))
    await alice.settle()
    [created] = alice.tracker.issues.values()
    alice.tracker.edit(created.id, environment="Alice's")
    await alice.receive(from_bob(2, summary="second", description=None))
    alice.clock.ms += 60_000
    await alice.settle()
    await alice.notice(created.id)
    await alice.look()
    shown = alice.tracker.issues[created.id]
    assert (shown.summary, shown.description, shown.environment) == ("second", None, "Alice's")
    assert alice.tracker.calls.count("create_issue") == 1
    assert not await alice.replicas()
    assert not await alice.rows("step")


async def test_an_issue_that_is_found_again_keeps_what_people_changed(alice: House) -> None:
    """The answer to the creation is lost, Alice's people edit the issue, and so does Bob: her word goes to him."""
    alice.tracker.fail_late["create_issue"] = [TrackerUncertain("The answer was lost.")]
    await alice.receive(from_bob(1, summary="first"))
    await alice.settle()
    [created] = alice.tracker.issues.values()
    alice.tracker.edit(created.id, summary="Alice's")
    await alice.receive(from_bob(2, summary="second"))
    alice.clock.ms += 60_000
    await alice.settle()
    await alice.notice(created.id)
    await alice.look()
    assert alice.tracker.issues[created.id].summary == "Alice's"
    [replica] = await alice.replicas()
    assert replica.replica.fields["summary"] == "Alice's"


@pytest.mark.parametrize("last", ["first", "second"])
async def test_a_comment_that_is_found_again_says_what_bob_said_last(alice: House, last: str) -> None:
    """The answer to a comment is lost, and Bob may edit it: the copy is neither doubled nor left as it was."""
    issue = an_issue()
    link = await alice.a_link(issue)
    alice.tracker.fail_late["add_comment"] = [TrackerUncertain("The answer was lost.")]
    await alice.receive(from_bob(1, twin=link.handle, seen=1, comments={"c1": "first"}))
    await alice.settle()
    await alice.receive(from_bob(2, twin=link.handle, seen=1, comments={"c1": last}))
    alice.clock.ms += 60_000
    await alice.settle()
    [copy] = alice.tracker.issues[issue.id].comments
    assert copy.body.splitlines()[-1] == last
    assert alice.tracker.calls.count("edit_comment") == (0 if last == "first" else 1)


@pytest.mark.parametrize(("last", "made"), [(600, 1), (900, 2)])
async def test_a_worklog_that_is_found_again_says_what_bob_said_last(alice: House, last: int, made: int) -> None:
    """The answer to a worklog is lost, and Bob may correct it: there is one copy, and it is right."""
    alice.rules.into = _with_worklogs(alice)
    issue = an_issue()
    link = await alice.a_link(issue)
    alice.tracker.fail_late["add_worklog"] = [TrackerUncertain("The answer was lost.")]
    for revision, seconds in ((1, 600), (2, last)):
        await alice.receive(_logged(revision, link, seconds))
        await alice.settle()
        alice.clock.ms += 60_000
    [copy] = alice.tracker.issues[issue.id].worklogs
    assert copy.seconds == last
    assert alice.tracker.calls.count("add_worklog") == made
    assert not await alice.rows("step")


def _with_worklogs(house: House) -> RuleSet:
    step = MappingStep(source="worklogs", target="worklogs")
    return house.rules.into.model_copy(update={"steps": (*house.rules.into.steps, step)})


def _logged(revision: int, link: Link, seconds: int) -> IssueReplica:
    """Return a replica of Bob's issue with one worklog."""
    message = from_bob(revision, twin=link.handle, seen=1)
    time = ReplicaWorklog(id="w1", author="Bob", started="2026-11-20T09:00:00.000Z", seconds=seconds, comment="Looked")
    return message.model_copy(update={"replica": message.replica.model_copy(update={"worklogs": (time,)})})


async def test_a_worklog_that_cannot_be_removed_is_not_logged_twice(alice: House) -> None:
    """Bob corrects his worklog and Jira does not let Alice's copy go: no second one stands beside it, nor goes back."""
    alice.rules.into = _with_worklogs(alice)
    issue = an_issue()
    link = await alice.a_link(issue)
    await alice.receive(_logged(1, link, 600))
    await alice.settle()
    alice.tracker.fail["delete_worklog"] = [TrackerRefused("The sync user may not delete its worklogs.")]
    row = await alice.receive(_logged(2, link, 900))
    await alice.settle()
    assert [one.seconds for one in alice.tracker.issues[issue.id].worklogs] == [600]
    assert len(await alice.rows("twin_item")) == len(await alice.problems()) == 1
    await alice.store.write(lambda tx: inbox.release(tx, row.id))
    await alice.settle()
    assert [one.seconds for one in alice.tracker.issues[issue.id].worklogs] == [900]
    assert not await alice.problems()
    assert not await alice.rows("step")


async def test_a_copy_on_a_hidden_issue_is_not_taken_for_gone(alice: House) -> None:
    """Bob edits one comment and takes one back while Alice's issue is hidden from the sync: both wait for it."""
    issue = an_issue()
    link = await alice.a_link(issue)
    comments = {"c1": "first", "c2": "to be taken back"}
    await alice.receive(from_bob(1, twin=link.handle, seen=1, comments=comments))
    await alice.settle()
    hidden = alice.tracker.issues.pop(issue.id)
    row = await alice.receive(from_bob(2, twin=link.handle, seen=1, comments={"c1": "second"}))
    await alice.settle()
    assert [one.code for one in await alice.problems()] == ["TrackerNotFound"]
    alice.tracker.put(hidden)
    alice.tracker.edit(issue.id, environment="so that there is something to look at")
    await alice.notice(issue.id)
    await alice.look()
    assert not [one.replica.comments for one in await alice.replicas() if one.replica.comments]
    await alice.store.write(lambda tx: inbox.release(tx, row.id))
    await alice.settle()
    [copy] = alice.tracker.issues[issue.id].comments
    assert copy.body.splitlines()[-1] == "second"
    assert not await alice.problems()


async def test_bob_hears_every_end_of_a_message(alice: House) -> None:
    """A message is applied, looked at again and held, and applied in the end: Bob is told each time."""
    link = await alice.a_link(an_issue())
    row = await alice.receive(from_bob(1, twin=link.handle, seen=1))
    await alice.settle()
    good, alice.rules.into = alice.rules.into, alice.rules.into.model_copy(update={"steps": (_FAILS,)})
    alice.clock.ms += 1_000
    await alice.store.write(lambda tx: inbox.look_again(tx, alice.connection, "bob1"))
    await alice.settle()
    alice.rules.into = good
    alice.clock.ms += 1_000
    await alice.store.write(lambda tx: inbox.release(tx, row.id))
    await alice.settle()
    assert await codes(alice) == [Code.APPLIED, Code.POLICY, Code.APPLIED]


async def test_a_comment_that_the_peer_took_back_meanwhile_is_removed(alice: House) -> None:
    """The answer to a comment was lost, and the newest replica has none: the copy goes, and no call stays open."""
    issue = an_issue()
    link = await alice.a_link(issue)
    alice.tracker.fail_late["add_comment"] = [TrackerUncertain("The answer was lost.")]
    await alice.receive(from_bob(1, twin=link.handle, seen=1, comments={"c1": "Bob says"}))
    await alice.settle()
    await alice.receive(from_bob(2, twin=link.handle, seen=1, comments={}))
    alice.clock.ms += 60_000
    await alice.settle()
    assert not alice.tracker.issues[issue.id].comments
    assert not await alice.rows("step")


async def test_a_removal_does_not_end_what_came_after_it(alice: House) -> None:
    """Bob's link ended and began again before Alice looked: the removal is settled first, whatever was newest."""
    issue = an_issue()
    link = await alice.a_link(issue)
    await alice.receive(removed_by_bob(1))
    await alice.receive(from_bob(2, twin=link.handle, seen=1))
    for _ in range(2):
        await alice.settle()
    assert await codes(alice) == [Code.APPLIED, Code.TARGET_GONE]
    assert (await alice.link(issue)).state == links.ENDED


async def test_an_issue_that_begins_anew_gets_a_new_twin(alice: House) -> None:
    """Alice's issue was deleted and Bob brings his in again: she makes a new one instead of refusing for ever."""
    await alice.receive(from_bob(1))
    await alice.settle()
    [first] = alice.tracker.issues.values()
    del alice.tracker.issues[first.id]
    await alice.outgoing.gone(first.id)
    await alice.receive(from_bob(2))
    await alice.settle()
    [second] = alice.tracker.issues.values()
    assert second.id != first.id
    assert (await alice.link(second)).twin == "bob1"
    assert (await alice.link(first)).state == links.ENDED


async def test_an_update_of_a_twin_that_was_deleted_makes_no_new_one(alice: House) -> None:
    """Bob had not heard of the deletion: his update is answered with "gone", and nothing comes back to life."""
    await alice.receive(from_bob(1))
    await alice.settle()
    [first] = alice.tracker.issues.values()
    del alice.tracker.issues[first.id]
    await alice.outgoing.gone(first.id)
    update = from_bob(2)
    await alice.receive(update.model_copy(update={"changed": {**update.changed, "type": 1}}))
    await alice.settle()
    assert not alice.tracker.issues
    assert await codes(alice) == [Code.APPLIED, Code.TARGET_GONE]


async def test_an_issue_that_is_gone_is_held_and_not_asked_for_ever(tmp_path: Path) -> None:
    """Our issue cannot be read any more: the message is held with words, instead of being tried for ever."""
    async with small_house(tmp_path, fresh=False) as alice:
        issue = an_issue()
        link = await alice.a_link(issue)
        del alice.tracker.issues[issue.id]
        await alice.receive(from_bob(1, twin=link.handle, seen=1))
        await alice.settle()
        [problem] = await alice.problems()
        assert problem.issue_key == issue.key
        assert [row["state"] for row in await alice.rows("inbox")] == [inbox.HELD]


async def test_what_jira_refuses_is_held_and_superseded_by_the_next_state(alice: House) -> None:
    """A refused change waits for a person; the newest state of the issue takes its place, and the problem ends."""
    issue = an_issue()
    link = await alice.a_link(issue)
    alice.tracker.fail["edit_issue"] = [TrackerRefused("The summary is too long.")]
    await alice.receive(from_bob(1, twin=link.handle, seen=1))
    await alice.settle()
    assert [one.stage for one in await alice.problems()] == [problems.INBOX]
    await alice.receive(from_bob(2, twin=link.handle, seen=1, summary="Shorter"))
    await alice.settle()
    assert not await alice.problems()
    assert alice.tracker.issues[issue.id].summary == "Shorter"
    assert await codes(alice) == [Code.FIELD_NOT_ACCEPTED, Code.APPLIED]


async def test_a_mistake_of_ours_holds_one_message_and_is_told(alice: House) -> None:
    """An exception that nobody expected becomes a problem of that message, without its text, and others go on."""
    issue = an_issue()
    link = await alice.a_link(issue)
    alice.tracker.fail["edit_issue"] = [ValueError("secret value")]
    await alice.receive(from_bob(1, twin=link.handle, seen=1))
    await alice.settle()
    [problem] = await alice.problems()
    assert (problem.issue_key, "secret" in problem.message) == (issue.key, False)
    assert [row["state"] for row in await alice.rows("inbox")] == [inbox.HELD]


async def test_files_that_do_not_come_are_told(alice: House) -> None:
    """A replica that waits for a file for many minutes is shown to people, with the issue."""
    issue = an_issue()
    link = await alice.a_link(issue)
    file = ReplicaAttachment(id="f1", name="lamp.png", size=5, blob="0" * 64)
    replica = Replica(issue="bob1", fields={"summary": "Bob's"}, attachments=(file,))
    await alice.receive(
        IssueReplica(mid="bob-1", twin=link.handle, revision=1, changed={"summary": 1}, seen=1, replica=replica)
    )
    for _ in range(FILES_TELL_AFTER):
        assert not await alice.problems()
        await alice.settle()
        alice.clock.ms += 61_000
    [problem] = await alice.problems()
    assert problem.issue_key == issue.key
    assert "1 files" in problem.message
