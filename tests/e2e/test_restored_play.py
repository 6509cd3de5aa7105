"""People work on both sides while a node is backed up, goes on, dies and is put back: nothing lost, nothing twice."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from node.store import restored
from tests.support.restoring import People, back_up, restore
from tests.support.two_nodes import Party, quiet

Parties = tuple[Party, Party]


async def _play(parties: Parties, tmp_path: Path, seed: int, who: str, *, folder: bool) -> None:
    alice, bob = parties
    victim = alice if who == "Alice" else bob
    other = "Bob" if who == "Alice" else "Alice"
    people = People(seed, alice, bob)
    for side in ("Alice", "Bob"):
        await people.begin(side)
    await quiet(alice, bob)
    await people.learn()
    await people.do(8)
    if seed % 2:
        await quiet(alice, bob)
    backup = await back_up(victim, tmp_path, folder=folder)
    for _ in range(2):
        await people.do(8, create=True)
        await quiet(alice, bob)
        await people.learn()
    await victim.stop()
    await people.do(8, create=False)
    await people.do(2, only=other, create=True)
    await restore(victim, backup)
    await people.do(4)
    await people.assert_all_is_there()
    (noticed,) = (await victim.store.read(restored.every)).values()
    assert not noticed.waits
    await people.do(8, create=True)
    await people.assert_all_is_there()


@pytest.mark.parametrize("folder", [False, True], ids=["database", "folder"])
@pytest.mark.parametrize("who", ["Alice", "Bob"])
async def test_whatever_people_do_around_a_restore(parties: Parties, tmp_path: Path, who: str, *, folder: bool) -> None:
    """Edits, comments, files and issues of both sides before the backup, after it, during the outage and after it."""
    await _play(parties, tmp_path, 1, who, folder=folder)


@pytest.mark.soak
@pytest.mark.parametrize("who", ["Alice", "Bob"])
@pytest.mark.parametrize("seed", range(100, 100 + int(os.environ.get("ACCORD_SOAK_SEEDS", "20"))))
async def test_many_plays(parties: Parties, tmp_path: Path, seed: int, who: str) -> None:
    """The same with many seeds."""
    await _play(parties, tmp_path, seed, who, folder=seed % 3 == 0)
