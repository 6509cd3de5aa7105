"""An issue that vanishes without a notice: both sides are told what is the matter, and how to go on."""

from __future__ import annotations

from tests.support.two_nodes import Party, eventually, quiet

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
