"""A node may die at every named place, on either side: after a restart nothing is lost and nothing is there twice."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.dying import Death, assert_in_step, restarted_with
from tests.support.two_nodes import Party, eventually, quiet

Parties = tuple[Party, Party]

APPLYING = [
    ("intent stored", 1),
    ("issue created", 1),
    ("issue linked", 1),
    ("call made", 1),
    ("call made", 2),
    ("call made", 3),
    ("result stored", 1),
    ("result stored", 2),
    ("before settling", 1),
    ("settled", 1),
]
QUEUEING = [("before queueing", 1), ("queued", 1)]
SPEAKING = [
    ("sending: sealed", 1),
    ("sending: stored", 1),
    ("sending: ready", 1),
    ("sending: ready", 2),
    ("sending: answered", 1),
    ("sending: receipt stored", 1),
    ("received: verified", 1),
    ("received: stored", 1),
    ("received: receipt sealed", 1),
]
SENDER = [("Alice", *one) for one in QUEUEING + SPEAKING]
RECEIVER = [("Bob", *one) for one in [*APPLYING, *SPEAKING, ("received: chunks written", 1)]]


async def _died(party: Party, death: Death) -> None:
    """Wait until the node is dead, then bring it back, without another death."""
    try:
        await asyncio.wait_for(death.happened.wait(), 10)
    finally:
        await party.stop()
    await party.start()


async def _start_sync(alice: Party, key: str) -> None:
    """Ask Alice's node to sync; it may die over it, and then the person asks again."""
    try:
        await alice.sync(key)
    except Exception:  # noqa: BLE001 - whatever a client sees of a node that dies
        return


def _victim(parties: Parties, name: str) -> Party:
    return parties[0] if name == "Alice" else parties[1]


@pytest.mark.parametrize(("name", "place", "nth"), SENDER + RECEIVER)
async def test_a_crash_while_an_issue_is_created(parties: Parties, name: str, place: str, nth: int) -> None:
    """An issue with comments and files is on its way when one node dies: it arrives once, with everything once."""
    alice, bob = parties
    key = await alice.create(summary="Precious", description="cargo", issuetype={"name": "Bug"})
    for text in ("one", "two"):
        await alice.person.comment(key, text)
    for file in ("a.bin", "b.bin"):
        await alice.person.attach(key, file, file.encode() * 20_000)
    victim, death = _victim(parties, name), Death(place, nth)
    await restarted_with(victim, death)
    await _start_sync(alice, key)
    await _died(victim, death)
    await eventually(lambda: _synced(alice, key), "the sync is asked for")
    await alice.twin(key)
    await quiet(alice, bob)
    found = await assert_in_step(alice, bob)
    assert (len(found["comments"]), len(found["files"])) == (2, 2)


async def _synced(alice: Party, key: str) -> bool:
    """Ask again, as a person does whose command failed; what is under way already says so."""
    return (await alice.sync(key))[0]["result"] in {"queued", "unchanged"}


@pytest.mark.parametrize(("name", "place", "nth"), SENDER + [one for one in RECEIVER if "issue" not in one[1]])
async def test_a_crash_while_an_issue_changes(parties: Parties, name: str, place: str, nth: int) -> None:
    """A linked issue is edited on both sides when one node dies: both end with every edit, once."""
    alice, bob = parties
    key = await alice.create(summary="Precious", description="cargo")
    first, second = await alice.person.comment(key, "one"), await alice.person.comment(key, "two")
    await alice.person.attach(key, "a.bin", b"a" * 20_000)
    await alice.sync(key)
    twin = await alice.twin(key)
    await quiet(alice, bob)
    victim, death = _victim(parties, name), Death(place, nth)
    await restarted_with(victim, death)
    await alice.person.edit(key, {"summary": "Changed"})
    await alice.person.edit_comment(key, first, "one, corrected")
    await alice.person.delete_comment(key, second)
    for text in ("three", "four"):
        await alice.person.comment(key, text)
    await alice.person.attach(key, "b.bin", b"b" * 30_000)
    await bob.person.edit(twin, {"description": "Bob's words"})
    await bob.person.comment(twin, "from Bob")
    await _died(victim, death)
    await quiet(alice, bob)
    found = await assert_in_step(alice, bob)
    assert (found["summary"], found["description"]) == ("Changed", "Bob's words")
    assert found["comments"] == ["four", "from Bob", "one, corrected", "three"]
    assert len(found["files"]) == 2
