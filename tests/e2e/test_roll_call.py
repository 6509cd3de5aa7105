"""An issue that vanishes without a notice: both sides are told what is the matter, and how to go on."""

from __future__ import annotations

from typing import Any

from node.sandbox.seed import create_project
from tests.support.two_nodes import Party, eventually, quiet, there

Parties = tuple[Party, Party]


async def test_a_twin_that_was_deleted_unseen_can_be_made_anew(parties: Parties) -> None:
    """Bob deletes his issue and no notice comes: Alice hears that it is gone, and brings hers in again."""
    alice, bob = parties
    key = await alice.create(summary="first")
    await alice.person.comment(key, "a word")
    await alice.sync(key)
    twin = await alice.twin(key)
    await quiet(alice, bob)
    bob.sandbox.faults.add("lose_webhook", "*", count=None)
    await bob.admin.call("DELETE", f"/rest/api/2/issue/{twin}")
    await alice.person.edit(key, {"summary": "second"})

    async def told() -> bool:
        return [one["code"] for one in await alice.problems()] == ["TARGET_GONE"]

    await eventually(told, "Alice's people hear that the issue is gone")
    [problem] = await alice.problems()
    assert "no longer exists" in problem["message"]
    assert f"accord sync {alice.connection} {key}" in problem["advice"]
    assert [one["result"] for one in await alice.sync(key)] == ["queued"]

    async def made() -> bool:
        return list(await bob.person.every_issue()) != []

    await eventually(made, "Bob's Jira has an issue again")
    await quiet(alice, bob)
    [again] = await bob.person.every_issue()
    assert (await bob.issue(again))["fields"]["summary"] == "second"
    assert len(await bob.comments(again)) == 1
    assert await alice.problems() == await bob.problems() == []


def moved(party: Party, key: str, project: str) -> str:
    """Move an issue to another project, as a person does in Jira's own pages; return its new key."""
    world = party.sandbox.world
    target = create_project(world, project, "Elsewhere")
    issue = there(world.issue(key))
    issue.project_id, issue.key = target.id, f"{project}-1"
    world._ids_by_key[issue.key] = issue.id
    del world._ids_by_key[key]
    return issue.key


async def test_an_issue_that_was_moved_out_of_sight_is_found_again(parties: Parties) -> None:
    """Alice's issue goes to a project that nobody watches: the roll call finds it, and its changes go on."""
    alice, bob = parties
    key = await alice.create(summary="first")
    await alice.sync(key)
    twin = await alice.twin(key)
    await quiet(alice, bob)
    new = moved(alice, key, "FAR")
    assert await roll_call(alice) == 1
    await quiet(alice, bob)
    assert [link["key"] for link in await links(alice)] == [new]
    await alice.person.edit(new, {"summary": "from afar"})
    await alice.call("POST", "/api/v1/sweep", {})
    await quiet(alice, bob)
    assert (await bob.issue(twin))["fields"]["summary"] == "from afar"
    await bob.person.edit(twin, {"summary": "and back"})
    await quiet(alice, bob)
    assert (await alice.issue(new))["fields"]["summary"] == "and back"
    assert await roll_call(alice) == 0
    assert await alice.problems() == await bob.problems() == []


async def test_an_issue_that_vanished_is_told_and_ended_when_people_say_so(parties: Parties) -> None:
    """Alice's issue was deleted without a notice: she is told once, skips it, and Bob hears that it was deleted."""
    alice, bob = parties
    key, other = await alice.create(), await alice.create()
    await alice.sync(key, other)
    twin = await alice.twin(key)
    await quiet(alice, bob)
    alice.sandbox.faults.add("lose_webhook", "*", count=None)
    await alice.admin.call("DELETE", f"/rest/api/2/issue/{key}")
    for _ in range(2):
        assert await roll_call(alice) == 1
    [problem] = await alice.problems()
    assert (problem["issue_key"], problem["connection"], problem["code"]) == (key, alice.connection, "IssueGone")
    assert [link["state"] for link in await links(alice)] == ["active", "active"]
    await alice.call("POST", "/api/v1/errors/skip", {"ids": [problem["id"]]})
    await quiet(alice, bob)
    assert {link["key"]: link["state"] for link in await links(alice)} == {key: "ended", other: "active"}
    assert {link["key"]: link["state"] for link in await links(bob)}[twin] == "ended"
    assert list(await bob.person.every_issue()).count(twin) == 1
    assert await alice.problems() == []
    assert await roll_call(alice) == 0


async def test_an_issue_that_is_seen_again_is_no_problem_any_more(parties: Parties) -> None:
    """The sync user may look again: the next roll call ends the problem."""
    alice, bob = parties
    key = await alice.create()
    await alice.sync(key)
    await quiet(alice, bob)
    issues = alice.sandbox.world.issues
    issue_id = there(alice.sandbox.world.issue(key)).id
    hidden = issues.pop(issue_id)
    assert await roll_call(alice) == 1
    assert [one["issue_key"] for one in await alice.problems()] == [key]
    issues[issue_id] = hidden
    assert await roll_call(alice) == 0
    assert await alice.problems() == []


async def roll_call(party: Party) -> int:
    """Call the roll now; return how many were missing."""
    assert party.node is not None
    return await party.node._roll_call.call()


async def links(party: Party) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await party.call("GET", f"/api/v1/connections/{party.connection}/links"))["links"]
    return found
