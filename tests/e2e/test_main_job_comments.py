"""Comments in the main job: who owns them, what they look like, and which never leave."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.support.two_nodes import Party, quiet, there

Parties = tuple[Party, Party]
DEVELOPERS = {"visibility": {"type": "role", "value": "Developers"}}
INTERNAL = {"properties": [{"key": "sd.public.comment", "value": {"internal": True}}]}


async def _linked(parties: Parties, **fields: Any) -> tuple[str, str]:
    alice, bob = parties
    key = await alice.create(**fields)
    await alice.sync(key)
    twin = await alice.twin(key)
    await quiet(alice, bob)
    return key, twin


async def _add(party: Party, key: str, body: str, **more: Any) -> str:
    made = await party.person.call("POST", f"/rest/api/2/issue/{key}/comment", json={"body": body, **more})
    return str(made["id"])


async def test_comments_travel_both_ways_with_their_authors(parties: Parties) -> None:
    """A comment shows who wrote it over there, in the order of writing; a copy never travels back."""
    alice, bob = parties
    key, twin = await _linked(parties)
    await alice.person.comment(key, "one")
    await quiet(alice, bob)
    await bob.person.comment(twin, "two")
    await quiet(alice, bob)
    await alice.person.comment(key, "* three\n* four")
    await quiet(alice, bob)
    assert await alice.comments(key) == ["one", "*Bob Brewer* commented:\ntwo", "* three\n* four"]
    assert await bob.comments(twin) == [
        "*Alice Archer* commented:\none",
        "two",
        "*Alice Archer* commented:\n* three\n* four",
    ]


async def test_edits_and_deletions_of_comments_follow(parties: Parties) -> None:
    """The copy changes when its origin does, and goes when its origin goes; everything else stays."""
    alice, bob = parties
    key, twin = await _linked(parties)
    first = await alice.person.comment(key, "first")
    await alice.person.comment(key, "second")
    await bob.person.comment(twin, "Bob's own")
    await quiet(alice, bob)
    await alice.person.edit_comment(key, first, "first, corrected")
    await quiet(alice, bob)
    assert sorted(await bob.comments(twin)) == [
        "*Alice Archer* commented:\nfirst, corrected",
        "*Alice Archer* commented:\nsecond",
        "Bob's own",
    ]
    await alice.person.delete_comment(key, first)
    await quiet(alice, bob)
    assert sorted(await bob.comments(twin)) == ["*Alice Archer* commented:\nsecond", "Bob's own"]


async def test_an_edit_of_a_copy_stays_local(parties: Parties) -> None:
    """Bob may edit and delete his copy of Alice's comment: Alice's stays; her next edit replaces an edited copy."""
    alice, bob = parties
    key, twin = await _linked(parties)
    mine = await alice.person.comment(key, "as written")
    await quiet(alice, bob)
    copy = (await bob.issue(twin))["fields"]["comment"]["comments"][0]["id"]
    await bob.admin.edit_comment(twin, copy, "defaced")
    await quiet(alice, bob)
    assert await alice.comments(key) == ["as written"]
    assert await bob.comments(twin) == ["defaced"]
    await alice.person.edit_comment(key, mine, "again")
    await quiet(alice, bob)
    assert await bob.comments(twin) == ["*Alice Archer* commented:\nagain"]
    await bob.admin.delete_comment(twin, copy)
    await quiet(alice, bob)
    await alice.person.edit_comment(key, mine, "and again")
    await quiet(alice, bob)
    assert await alice.comments(key) == ["and again"]
    assert await bob.comments(twin) == []
    assert await alice.problems() == await bob.problems() == []


async def test_internal_comments_of_a_service_desk_do_not_leave(parties: Parties) -> None:
    """What an agent writes internally stays in the house; what customers may read leaves."""
    alice, bob = parties
    there(alice.sandbox.world.project("UD")).project_type = "service_desk"
    key, twin = await _linked(parties)
    await _add(alice, key, "internal", **INTERNAL)
    await _add(alice, key, "for all")
    await quiet(alice, bob)
    await _add(alice, key, "internal too", **INTERNAL)
    await quiet(alice, bob)
    assert await bob.comments(twin) == ["*Alice Archer* commented:\nfor all"]


async def test_restricted_comments_do_not_leave(parties: Parties) -> None:
    """A comment for a role or for a group never arrives, edited or not."""
    alice, bob = parties
    key, twin = await _linked(parties)
    hidden = await _add(alice, key, "for developers", **DEVELOPERS)
    await _add(alice, key, "for a group", visibility={"type": "group", "value": "jira-software-users"})
    await _add(alice, key, "for all")
    await quiet(alice, bob)
    await alice.person.call(
        "PUT", f"/rest/api/2/issue/{key}/comment/{hidden}", json={"body": "still hidden", **DEVELOPERS}
    )
    await quiet(alice, bob)
    assert await bob.comments(twin) == ["*Alice Archer* commented:\nfor all"]


async def test_a_comment_that_becomes_restricted_is_taken_back(parties: Parties) -> None:
    """Restricting a comment later removes the copy; opening it again brings it back."""
    alice, bob = parties
    key, twin = await _linked(parties)
    mine = await _add(alice, key, "too much said")
    await quiet(alice, bob)
    assert len(await bob.comments(twin)) == 1
    path = f"/rest/api/2/issue/{key}/comment/{mine}"
    await alice.person.call("PUT", path, json={"body": "too much said", **DEVELOPERS})
    await quiet(alice, bob)
    assert await bob.comments(twin) == []
    await alice.person.call("PUT", path, json={"body": "too much said", "visibility": None})
    await quiet(alice, bob)
    assert await bob.comments(twin) == ["*Alice Archer* commented:\ntoo much said"]


async def test_many_comments_at_once_arrive_once(parties: Parties) -> None:
    """Thirty comments in a burst from both sides arrive once each."""
    alice, bob = parties
    key, twin = await _linked(parties)
    await asyncio.gather(
        *(alice.person.comment(key, f"a{number}") for number in range(15)),
        *(bob.person.comment(twin, f"b{number}") for number in range(15)),
    )
    await quiet(alice, bob)
    copies = [text.partition("\n")[2] for text in await bob.comments(twin) if "commented:" in text]
    assert sorted(copies) == sorted(f"a{number}" for number in range(15))
    copies = [text.partition("\n")[2] for text in await alice.comments(key) if "commented:" in text]
    assert sorted(copies) == sorted(f"b{number}" for number in range(15))
    assert len(await alice.comments(key)) == len(await bob.comments(twin)) == 30


async def test_a_name_with_markup_does_no_harm(parties: Parties) -> None:
    """The author's name is shown as text, whatever characters it has."""
    alice, bob = parties
    there(alice.sandbox.world.user_named("alice")).display_name = "{color}*Ann*|[x]"
    key, twin = await _linked(parties)
    await alice.person.comment(key, "hello")
    await quiet(alice, bob)
    assert await bob.comments(twin) == ["*\\{color\\}\\*Ann\\*\\|\\[x\\]* commented:\nhello"]
