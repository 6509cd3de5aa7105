"""What a node that died has left behind is found, even where the world went on while it was away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.support.dying import Death, assert_in_step, restarted_with, whole
from tests.support.two_nodes import Party, eventually, quiet

Parties = tuple[Party, Party]


async def _dies(party: Party, place: str, doing: Callable[[], Awaitable[object]], *, nth: int = 1) -> None:
    """Let a node die at a place that it reaches because of what is done; it stays away."""
    death = Death(place, nth)
    await restarted_with(party, death)
    await doing()
    await asyncio.wait_for(death.happened.wait(), 10)
    await party.stop()


async def _linked(alice: Party, bob: Party, **fields: object) -> tuple[str, str]:
    """Bring one issue of Alice's under sync; return its key and its twin's."""
    key = await alice.create(**fields)
    await alice.sync(key)
    twin = await alice.twin(key)
    await quiet(alice, bob)
    return key, twin


async def _open_steps(party: Party) -> list[str]:
    return [row["key"] for row in await party.store.fetch_all("SELECT key FROM step")]


async def test_a_comment_that_was_deleted_meanwhile_goes_away(parties: Parties) -> None:
    """Bob's node dies after it wrote a copy of a comment that Alice then deletes: the copy goes, and nothing waits."""
    alice, bob = parties
    key, twin = await _linked(alice, bob)
    written: list[str] = []

    async def comment() -> None:
        written.append(await alice.person.comment(key, "too early"))

    await _dies(bob, "call made", comment)
    await alice.person.delete_comment(key, written[0])
    await eventually(lambda: _sent(alice, 3), "the deletion is sent")
    await bob.start()
    await quiet(alice, bob)
    assert await bob.comments(twin) == []
    assert await _open_steps(bob) == []
    await bob.person.comment(twin, "still heard")
    await quiet(alice, bob)
    assert (await assert_in_step(alice, bob))["comments"] == ["still heard"]


async def test_a_file_that_was_removed_meanwhile_goes_away(parties: Parties) -> None:
    """The same with a file, which carries no marker but its bytes."""
    alice, bob = parties
    key, twin = await _linked(alice, bob)
    await _dies(bob, "call made", lambda: alice.person.attach(key, "early.txt", b"too early"))
    attachment = (await alice.issue(key))["fields"]["attachment"][0]["id"]
    await alice.person.call("DELETE", f"/rest/api/2/attachment/{attachment}")
    await eventually(lambda: _sent(alice, 3), "the removal is sent")
    await bob.start()
    await quiet(alice, bob)
    assert await bob.files(twin) == []
    assert await _open_steps(bob) == []
    await assert_in_step(alice, bob)


async def test_a_file_whose_name_jira_changes_is_found_again(parties: Parties) -> None:
    """A file is known by its bytes: its name may be another in Bob's Jira, and it is attached once all the same."""
    alice, bob = parties
    key, twin = await _linked(alice, bob)
    await _dies(bob, "call made", lambda: alice.person.attach(key, "what?*.txt", b"bytes"))
    await bob.start()
    await quiet(alice, bob)
    assert len(await bob.files(twin)) == 1


@pytest.mark.parametrize("last", ["third", "first"])
async def test_our_own_write_is_no_wish_of_our_people(parties: Parties, last: str) -> None:
    """Alice's node dies after it wrote Bob's summary. Bob changes it again, or back: Bob's last word counts."""
    alice, bob = parties
    key, twin = await _linked(alice, bob, summary="first")
    await bob.person.edit(twin, {"description": "so that Bob has asked for something before"})
    await quiet(alice, bob)
    await _dies(alice, "before settling", lambda: bob.person.edit(twin, {"summary": "second"}))
    assert (await alice.issue(key))["fields"]["summary"] == "second"
    await bob.person.edit(twin, {"summary": last})
    await eventually(lambda: _sent(bob, 3), "the second change is sent")
    await alice.start()
    await quiet(alice, bob)
    assert (await assert_in_step(alice, bob))["summary"] == last
    assert await alice.events(key, "conflict") == []


@pytest.mark.parametrize("place", ["issue linked", "call made", "before settling"])
async def test_an_issue_that_is_edited_before_its_creation_is_settled(parties: Parties, place: str) -> None:
    """Bob's node dies over a new issue, and Bob edits it: his words count, and nothing is taken for a conflict."""
    alice, bob = parties
    key = await alice.create(summary=" made by Alice", description="hers")
    await alice.person.comment(key, "a word")
    await _dies(bob, place, lambda: alice.sync(key))
    (twin,) = await bob.person.every_issue()
    await bob.person.edit(twin, {"summary": "said by Bob"})
    await alice.person.edit(key, {"description": "hers, corrected"})
    await eventually(lambda: _sent(alice, 2), "the correction is sent")
    await bob.start()
    await quiet(alice, bob)
    found = await assert_in_step(alice, bob)
    assert (found["summary"], found["description"]) == ("said by Bob", "hers, corrected")
    assert await alice.events(key, "conflict") == await bob.events(twin, "conflict") == []


@pytest.mark.parametrize("away", ["Alice", "Bob"])
async def test_what_people_do_while_the_node_is_away_is_seen_first(parties: Parties, away: str) -> None:
    """Both change one field while a node is away: Alice, who invited, prevails, and the history keeps both values."""
    alice, bob = parties
    key, twin = await _linked(alice, bob, summary="before")
    victim, other = (alice, bob) if away == "Alice" else (bob, alice)
    before = await other.sent()
    await victim.stop()
    await alice.person.edit(key, {"summary": "Alice's"})
    await bob.person.edit(twin, {"summary": "Bob's"})
    await eventually(lambda: _sent(other, before + 1), "the other side's change is sent")
    await victim.start()
    await quiet(alice, bob)
    assert (await assert_in_step(alice, bob))["summary"] == "Alice's"
    assert await alice.events(key, "conflict") or await bob.events(twin, "conflict")


async def test_the_same_file_on_many_issues_arrives_on_each(parties: Parties) -> None:
    """Issues that hold the same bytes do not take them away from each other."""
    alice, bob = parties
    keys = [await alice.create(summary=f"Issue {number}") for number in range(8)]
    for key in keys:
        await alice.person.attach(key, "same.bin", b"the same bytes" * 100)
    await alice.sync(*keys)
    await quiet(alice, bob)
    await assert_in_step(alice, bob, issues=8)
    for key in keys:
        assert len((await whole(alice, key))["files"]) == 1


async def _sent(party: Party, count: int) -> bool:
    return await party.sent() >= count
