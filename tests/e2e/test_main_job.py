"""The main job, end to end: two Jiras, two nodes, a real code, and issues that stay in step in both directions."""

from __future__ import annotations

import asyncio

from tests.support.two_nodes import Party, eventually, quiet

Parties = tuple[Party, Party]


async def test_an_issue_arrives_whole(parties: Parties) -> None:
    """Alice syncs an issue: Bob gets its summary, description, type, comment and file, with Alice's name on it."""
    alice, bob = parties
    key = await alice.create(summary="Hello", description="h1. World", issuetype={"name": "Bug"})
    await alice.person.comment(key, "A first word")
    await alice.person.attach(key, "notes.txt", b"some bytes")
    results = await alice.sync(key)
    assert results[0]["result"] == "queued"
    twin = await alice.twin(key)
    await quiet(alice, bob)
    fields = (await bob.issue(twin))["fields"]
    assert fields["summary"] == "Hello"
    assert fields["description"] == "h1. World"
    assert fields["issuetype"]["name"] == "Bug"
    assert await bob.comments(twin) == ["*Alice Archer* commented:\nA first word"]
    assert await bob.files(twin) == await alice.files(key)
    assert await alice.problems() == await bob.problems() == []


async def test_each_side_can_begin(parties: Parties) -> None:
    """Bob, who was invited, brings an issue under sync as well as Alice does."""
    alice, bob = parties
    key = await bob.create(summary="From Bob", description="d")
    await bob.sync(key)
    twin = await bob.twin(key)
    await quiet(alice, bob)
    assert (await alice.issue(twin))["fields"]["summary"] == "From Bob"
    assert (await bob.status(key))["twin_key"] == twin
    assert (await alice.status(twin))["twin_key"] == key


async def test_edits_travel_both_ways(parties: Parties) -> None:
    """What either side changes in summary, description and type later arrives at the other, one after the other."""
    alice, bob = parties
    key = await alice.create(summary="One", description="first")
    await alice.sync(key)
    twin = await alice.twin(key)
    await quiet(alice, bob)
    await alice.person.edit(key, {"summary": "Two", "issuetype": {"name": "Story"}})
    await quiet(alice, bob)
    fields = (await bob.issue(twin))["fields"]
    assert (fields["summary"], fields["issuetype"]["name"], fields["description"]) == ("Two", "Story", "first")
    await bob.person.edit(twin, {"summary": "Three", "description": "second", "issuetype": {"name": "Bug"}})
    await quiet(alice, bob)
    fields = (await alice.issue(key))["fields"]
    assert (fields["summary"], fields["issuetype"]["name"], fields["description"]) == ("Three", "Bug", "second")
    await bob.person.edit(twin, {"description": None})
    await quiet(alice, bob)
    assert (await alice.issue(key))["fields"]["description"] is None


async def test_a_field_goes_back_and_forth(parties: Parties) -> None:
    """A value that was there before, on either side, is a change like any other."""
    alice, bob = parties
    key = await alice.create(summary="A")
    await alice.sync(key)
    twin = await alice.twin(key)
    await quiet(alice, bob)
    for side, ref, text in (
        (alice, key, "B"),
        (bob, twin, "A"),
        (alice, key, "B"),
        (alice, key, "A"),
        (bob, twin, "B"),
    ):
        await side.person.edit(ref, {"summary": text})
        await quiet(alice, bob)
        assert (await alice.issue(key))["fields"]["summary"] == text
        assert (await bob.issue(twin))["fields"]["summary"] == text


async def test_nothing_is_sent_back(parties: Parties) -> None:
    """A change costs one message and its calls; for 3 seconds after it neither node says or writes anything more."""
    alice, bob = parties
    key = await alice.create(summary="Echo", description="d\r\nwith Windows line ends  \n\n")
    await alice.person.comment(key, "c")
    await alice.person.attach(key, "a.txt", b"a")
    await alice.sync(key)
    twin = await alice.twin(key)
    await quiet(alice, bob)
    assert (await alice.sent(), await bob.sent()) == (1, 0)
    await bob.person.edit(twin, {"summary": "Answer"})
    await bob.person.comment(twin, "from Bob")
    await quiet(alice, bob)
    before = (await alice.sent(), await bob.sent(), alice.writes(), bob.writes())
    assert before[0] == 1, "Alice's node answered its own write"
    assert before[1] <= 2
    await asyncio.sleep(3)
    assert (await alice.sent(), await bob.sent(), alice.writes(), bob.writes()) == before


async def test_concurrent_edits_of_different_fields_merge(parties: Parties) -> None:
    """Alice changes the summary while Bob changes the description: both sides end with both."""
    alice, bob = parties
    key = await alice.create(summary="S", description="D")
    await alice.sync(key)
    twin = await alice.twin(key)
    await quiet(alice, bob)
    for round_ in range(4):
        await asyncio.gather(
            alice.person.edit(key, {"summary": f"Alice's {round_}"}),
            bob.person.edit(twin, {"description": f"Bob's {round_}"}),
        )
        await quiet(alice, bob)
        for side, ref in ((alice, key), (bob, twin)):
            fields = (await side.issue(ref))["fields"]
            assert (fields["summary"], fields["description"]) == (f"Alice's {round_}", f"Bob's {round_}"), side.name


async def test_the_inviter_prevails_in_a_conflict(parties: Parties) -> None:
    """Both change one field without knowing of each other: both end with Alice's value, and the history has both."""
    alice, bob = parties
    key = await alice.create(summary="S")
    await alice.sync(key)
    twin = await alice.twin(key)
    await quiet(alice, bob)
    for side in (alice, bob):
        await side.call("POST", f"/api/v1/connections/{side.connection}/pause", {})
    await alice.person.edit(key, {"summary": "Alice's"})
    await bob.person.edit(twin, {"summary": "Bob's"})

    async def noticed() -> bool:
        return await alice.sent() == 2 and await bob.sent() == 1

    await eventually(noticed, "both changes are taken down while the connection is paused")
    for side in (bob, alice):
        await side.call("POST", f"/api/v1/connections/{side.connection}/resume", {})
    await quiet(alice, bob)
    assert (await alice.issue(key))["fields"]["summary"] == "Alice's"
    assert (await bob.issue(twin))["fields"]["summary"] == "Alice's"
    conflicts = await alice.events(key, "conflict") + await bob.events(twin, "conflict")
    assert {frozenset((one["ours"], one["theirs"])) for one in conflicts} == {frozenset(("Alice's", "Bob's"))}


async def test_a_race_on_one_field_converges(parties: Parties) -> None:
    """Both change one field at the same moment, again and again: both sides end with the same value each time."""
    alice, bob = parties
    key = await alice.create(summary="S")
    await alice.sync(key)
    twin = await alice.twin(key)
    await quiet(alice, bob)
    for round_ in range(6):
        await asyncio.gather(
            alice.person.edit(key, {"summary": f"Alice's {round_}"}),
            bob.person.edit(twin, {"summary": f"Bob's {round_}"}),
        )
        await quiet(alice, bob)
        ours = (await alice.issue(key))["fields"]["summary"]
        theirs = (await bob.issue(twin))["fields"]["summary"]
        assert ours == theirs
        assert ours in {f"Alice's {round_}", f"Bob's {round_}"}
