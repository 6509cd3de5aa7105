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


async def _start_sync(alice: Party, key: str, death: Death) -> None:
    """Ask Alice's node to sync; a node that dies over it answers no more, and then the person asks again."""
    asking, dying = asyncio.ensure_future(alice.sync(key)), asyncio.ensure_future(death.happened.wait())
    await asyncio.wait([asking, dying], return_when=asyncio.FIRST_COMPLETED)
    for task in (asking, dying):
        task.cancel()
    await asyncio.gather(asking, dying, return_exceptions=True)  # whatever a client sees of a node that dies


@pytest.mark.parametrize(("name", "place", "nth"), SENDER + RECEIVER)
async def test_a_crash_loses_nothing_and_doubles_nothing(parties: Parties, name: str, place: str, nth: int) -> None:
    """One node dies while an issue is created, and again while it changes on both sides: both end alike and whole."""
    alice, bob = parties
    victim = alice if name == "Alice" else bob
    key, first, second = await _precious(alice)
    death = Death(place, nth)
    await restarted_with(victim, death)
    await _start_sync(alice, key, death)
    await _died(victim, death)
    await eventually(lambda: _synced(alice, key), "the sync is asked for")
    twin = await alice.twin(key)
    await quiet(alice, bob)
    found = await assert_in_step(alice, bob)
    assert (len(found["comments"]), len(found["files"])) == (2, 2)
    if place.startswith("issue"):
        return
    death = Death(place, nth)
    await restarted_with(victim, death)
    await alice.person.edit(key, {"summary": "Changed"})
    await alice.person.edit_comment(key, first, "one, corrected")
    await alice.person.delete_comment(key, second)
    for text in ("three", "four"):
        await alice.person.comment(key, text)
    await alice.person.attach(key, "c.bin", b"c" * 30_000)
    await bob.person.edit(twin, {"description": "Bob's words"})
    await bob.person.comment(twin, "from Bob")
    await _died(victim, death)
    await quiet(alice, bob)
    found = await assert_in_step(alice, bob)
    assert (found["summary"], found["description"]) == ("Changed", "Bob's words")
    assert found["comments"] == ["four", "from Bob", "one, corrected", "three"]
    assert len(found["files"]) == 3


async def _precious(alice: Party) -> tuple[str, str, str]:
    """Create an issue with two comments and two files; return its key and the ids of the comments."""
    key = await alice.create(summary="Precious", description="cargo", issuetype={"name": "Bug"})
    comments = [await alice.person.comment(key, text) for text in ("one", "two")]
    for file in ("a.bin", "b.bin"):
        await alice.person.attach(key, file, file.encode() * 20_000)
    return key, comments[0], comments[1]


async def _synced(alice: Party, key: str) -> bool:
    """Ask again, as a person does whose command failed; what is under way already says so."""
    return (await alice.sync(key))[0]["result"] in {"queued", "unchanged"}
