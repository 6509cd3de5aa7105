"""Issue types, statuses, moves and deletions: what the main job does with an issue beside its texts."""

from __future__ import annotations

from tests.support.two_nodes import Party, eventually, quiet, there

Parties = tuple[Party, Party]


def _offer(party: Party, *names: str) -> None:
    """Let the side's project offer only these issue types."""
    site = party.sandbox.world.site
    kinds = {kind.name: kind.id for kind in site.issue_types.values()}
    there(party.sandbox.world.project(party.project)).issue_type_ids = [kinds[name] for name in names]
    party.sandbox.world.touch_site()


async def _arrived_as(alice: Party, bob: Party, kind: str) -> str:
    key = await alice.create(issuetype={"name": kind})
    await alice.sync(key)
    twin = await alice.twin(key)
    await quiet(alice, bob)
    return str((await bob.issue(twin))["fields"]["issuetype"]["name"])


async def test_an_unknown_type_becomes_a_task(parties: Parties) -> None:
    """A type that the other project lacks becomes Task, and the type stays when the issue is edited."""
    alice, bob = parties
    _offer(bob, "Task", "Bug")
    assert await _arrived_as(alice, bob, "Epic") == "Task"
    assert await _arrived_as(alice, bob, "Bug") == "Bug"
    await alice.person.edit("UD-1", {"issuetype": {"name": "Bug"}})
    await quiet(alice, bob)
    assert (await bob.issue("SC-1"))["fields"]["issuetype"]["name"] == "Bug"
    assert await alice.problems() == await bob.problems() == []


async def test_a_sub_task_arrives_as_an_ordinary_issue(parties: Parties) -> None:
    """A sub-task's parent is not shared by the Basic rules: it arrives as a Task, not as an error."""
    alice, bob = parties
    parent = await alice.create(summary="Parent")
    key = await alice.create(summary="Child", issuetype={"name": "Sub-task"}, parent={"key": parent})
    await alice.sync(key)
    twin = await alice.twin(key)
    await quiet(alice, bob)
    fields = (await bob.issue(twin))["fields"]
    assert (fields["summary"], fields["issuetype"]["name"]) == ("Child", "Task")
    await bob.person.edit(twin, {"summary": "Child, corrected"})
    await quiet(alice, bob)
    fields = (await alice.issue(key))["fields"]
    assert (fields["summary"], fields["issuetype"]["name"]) == ("Child, corrected", "Sub-task")
    assert await alice.problems() == await bob.problems() == []


async def test_a_twin_of_another_type_does_not_change_the_origin(parties: Parties) -> None:
    """Alice's Epic is a Task at Bob's: an edit by Bob does not make it a Task at Alice's."""
    alice, bob = parties
    _offer(bob, "Task", "Bug")
    await _arrived_as(alice, bob, "Epic")
    await bob.person.edit("SC-1", {"summary": "edited"})
    await quiet(alice, bob)
    fields = (await alice.issue("UD-1"))["fields"]
    assert (fields["summary"], fields["issuetype"]["name"]) == ("edited", "Epic")


async def test_moving_the_status_changes_nothing_else(parties: Parties) -> None:
    """An issue stays in sync while its status moves, and the Basic rules leave the twin's status alone."""
    alice, bob = parties
    key = await alice.create()
    await alice.sync(key)
    twin = await alice.twin(key)
    await quiet(alice, bob)
    sent = await alice.sent()
    await alice.person.call("POST", f"/rest/api/2/issue/{key}/transitions", json={"transition": {"id": "11"}})
    await quiet(alice, bob)
    assert await alice.sent() == sent
    await alice.person.edit(key, {"summary": "under way"})
    await bob.person.comment(twin, "seen")
    await quiet(alice, bob)
    fields = (await bob.issue(twin))["fields"]
    assert (fields["summary"], fields["status"]["name"]) == ("under way", "To Do")
    assert await alice.comments(key) == ["*Bob Brewer* commented:\nseen"]


async def test_a_deleted_issue_ends_its_link(parties: Parties) -> None:
    """Alice deletes her issue: the link ends on both sides, the twin stays, and its edits go nowhere."""
    alice, bob = parties
    key = await alice.create(summary="short-lived")
    await alice.sync(key)
    twin = await alice.twin(key)
    await quiet(alice, bob)
    await alice.admin.call("DELETE", f"/rest/api/2/issue/{key}")

    async def ended() -> bool:
        return bool((await bob.status(twin))["state"] == "ended")

    await eventually(ended, "the link ends at Bob's")
    await quiet(alice, bob)
    assert (await alice.status(key))["state"] == "ended"
    assert (await bob.issue(twin))["fields"]["summary"] == "short-lived"
    sent = await bob.sent()
    await bob.person.edit(twin, {"summary": "lives on"})
    await quiet(alice, bob)
    assert await bob.sent() == sent
    assert await alice.problems() == await bob.problems() == []


async def test_deleting_the_twin_leaves_the_origin(parties: Parties) -> None:
    """Bob deletes the twin: Alice's issue stays, and her later edits are no error."""
    alice, bob = parties
    key = await alice.create(summary="mine")
    await alice.sync(key)
    twin = await alice.twin(key)
    await quiet(alice, bob)
    await bob.admin.call("DELETE", f"/rest/api/2/issue/{twin}")

    async def ended() -> bool:
        return bool((await alice.status(key))["state"] == "ended")

    await eventually(ended, "the link ends at Alice's")
    await alice.person.edit(key, {"summary": "still mine"})
    await quiet(alice, bob)
    assert await alice.problems() == await bob.problems() == []
