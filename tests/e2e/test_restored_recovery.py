"""While a node recovers from a restore it may die, be put back once more, or meet a peer that was put back as well."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from node.store import restored
from tests.support.dying import Death, assert_in_step
from tests.support.restoring import People, back_up, put_back
from tests.support.two_nodes import Party, eventually, quiet

Parties = tuple[Party, Party]

VICTIM = [
    ("copies adopted", 1),
    ("copies adopted", 2),
    ("lost issue linked", 1),
    ("intent stored", 1),
    ("call made", 1),
    ("result stored", 1),
    ("before settling", 1),
    ("before settling", 2),
    ("settled", 1),
    ("before going on", 1),
    ("recovered", 1),
    ("received: stored", 1),
    ("received: stored", 2),
    ("before queueing", 1),
    ("queued", 1),
]
OTHER = [
    ("received: stored", 1),
    ("received: stored", 2),
    ("queued", 1),
    ("queued", 2),
    ("before resync.end", 1),
    ("resync ended", 1),
    ("sending: stored", 1),
]


async def _worked(parties: Parties, tmp_path: Path, victim: Party, seed: int) -> tuple[People, Path]:
    """Let people work before a backup of one node, after it, and on both sides while it is away; it stays stopped."""
    alice, bob = parties
    people = People(seed, alice, bob)
    for side in ("Alice", "Bob"):
        await people.begin(side)
    await quiet(alice, bob)
    await people.learn()
    backup = await back_up(victim, tmp_path)
    for side in ("Alice", "Bob"):
        await people.begin(side)
    await quiet(alice, bob)
    await people.learn()
    await people.do(10)
    await quiet(alice, bob)
    await victim.stop()
    await people.do(6)
    return people, backup


async def _has_died(death: Death, party: Party) -> None:
    try:
        await asyncio.wait_for(death.happened.wait(), 20)
    finally:
        await party.stop()


@pytest.mark.parametrize(("place", "nth"), VICTIM)
async def test_a_node_that_dies_while_it_recovers(parties: Parties, tmp_path: Path, place: str, nth: int) -> None:
    """Alice's node is put back, dies on the way at each place, and comes back: nothing lost, nothing twice."""
    alice, _ = parties
    people, backup = await _worked(parties, tmp_path, alice, seed=5)
    put_back(alice, backup)
    death = Death(place, nth)
    await alice.start(crash_point=death)
    await _has_died(death, alice)
    await alice.start()
    await people.assert_all_is_there()


@pytest.mark.parametrize(("place", "nth"), OTHER)
async def test_a_peer_that_dies_while_it_says_everything_again(
    parties: Parties, tmp_path: Path, place: str, nth: int
) -> None:
    """Bob's node is put back, and Alice's dies while it tells what was lost: nothing lost, nothing twice."""
    alice, bob = parties
    people, backup = await _worked(parties, tmp_path, bob, seed=6)
    await alice.stop()
    death = Death(place, nth)
    put_back(bob, backup)
    await bob.start()
    await alice.start(crash_point=death)
    await _has_died(death, alice)
    await alice.start()
    await people.assert_all_is_there()


@pytest.mark.soak  # eight whole recoveries, each begun twice: too long for every run
@pytest.mark.parametrize("place", ["received: stored", "copies adopted", "settled", "recovered"])
@pytest.mark.parametrize("who", ["Alice", "Bob"])
async def test_a_node_that_is_put_back_once_more(parties: Parties, tmp_path: Path, who: str, place: str) -> None:
    """It is put back to the same backup while it recovers, or just after: what is asked for last counts."""
    alice, bob = parties
    victim = alice if who == "Alice" else bob
    people, backup = await _worked(parties, tmp_path, victim, seed=7)
    put_back(victim, backup)
    death = Death(place)
    await victim.start(crash_point=death)
    await _has_died(death, victim)
    put_back(victim, backup)
    await victim.start()
    await people.do(4)
    await people.assert_all_is_there()


@pytest.mark.parametrize("folder", [False, True], ids=["databases", "folders"])
async def test_both_nodes_are_put_back(parties: Parties, tmp_path: Path, *, folder: bool) -> None:
    """Each asks the other; what both have forgotten is brought in again by people, and found to be there already.

    Where both were put back whole, nothing shows it but a person's word.
    """
    alice, bob = parties
    people = People(8, alice, bob)
    for side in ("Alice", "Bob"):
        await people.begin(side)
    await quiet(alice, bob)
    await people.learn()
    await people.do(6)
    await quiet(alice, bob)
    hers = await back_up(alice, tmp_path, folder=folder)
    his = await back_up(bob, tmp_path, folder=folder)
    await people.do(10, create=True)
    await people.begin("Alice")
    await people.begin("Bob")
    await quiet(alice, bob)
    await people.learn()
    await people.do(10)
    await quiet(alice, bob)
    for party, copy in ((alice, hers), (bob, his)):
        await party.stop()
        put_back(party, copy)
    await alice.start(was_restored=folder)
    await bob.start(was_restored=folder)
    await quiet(alice, bob)
    await people.sync_again(since=2)
    await people.assert_all_is_there()
    await people.do(8)
    await people.assert_all_is_there()


async def test_a_restored_node_waits_and_says_so(parties: Parties, tmp_path: Path) -> None:
    """While the other node is away Alice is told why nothing is sent; she gives up waiting, and nothing is there twice.

    What Bob's people did meanwhile comes with his next changes.
    """
    alice, bob = parties
    people, backup = await _worked(parties, tmp_path, alice, seed=9)
    await bob.stop()
    put_back(alice, backup)
    await alice.start()
    (problem,) = await eventually(alice.problems, "the restore is told")
    assert (problem["connection"], problem["code"]) == (alice.connection, "NewEpoch")
    assert "restored from a backup" in problem["message"]
    key = people.pairs[0].keys["Alice"]
    (result,) = await alice.sync(key)
    assert (result["result"], "restored from a backup" in result["text"]) == ("waits", True)
    assert await alice.sent() == 1
    await alice.call("POST", "/api/v1/errors/skip", {"ids": [problem["id"]]})
    assert await alice.problems() == []
    await bob.start()
    await people.assert_all_is_there()


async def test_the_ledger_of_a_restored_node_is_signed_anew(parties: Parties, tmp_path: Path) -> None:
    """The anchor tells once what the database lacks of it; a person signs anew, and nothing is asked for twice."""
    alice, bob = parties
    people, backup = await _worked(parties, tmp_path, alice, seed=10)
    put_back(alice, backup)
    await alice.start()
    await people.assert_all_is_there()
    assert not (await alice.call("POST", "/api/v1/ledger/verify"))["sound"]
    first = await alice.store.read(restored.every)
    await alice.stop()
    await alice.start()
    await people.assert_all_is_there()
    assert await alice.store.read(restored.every) == first
    await alice.call("POST", "/api/v1/ledger/sign-anew")
    assert (await alice.call("POST", "/api/v1/ledger/verify"))["sound"]
    await assert_in_step(alice, bob, issues=4)
