"""A node comes back with a database of before: nothing is lost, and nothing is made twice in either Jira."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.support.dying import assert_in_step, texts, whole
from tests.support.two_nodes import Party, eventually, quiet

Parties = tuple[Party, Party]


async def backed_up(party: Party, folder: Path) -> Path:
    """Take a backup of a node's database, as a copy of its file while it is stopped."""
    await party.stop()
    copy = folder / f"{party.name}.backup"
    shutil.copy(party.folder.database, copy)
    await party.start()
    return copy


async def restored(party: Party, copy: Path) -> None:
    """Put the backup in the place of the database and start the node."""
    await party.stop()
    for old in party.folder.root.glob(f"{party.folder.database.name}*"):
        old.unlink()
    shutil.copy(copy, party.folder.database)
    await party.start()


async def linked(alice: Party, bob: Party, **fields: Any) -> tuple[str, str]:
    """Bring an issue of Alice's under sync; return its key and its twin's."""
    key = await alice.create(**fields)
    await alice.sync(key)
    twin = await alice.twin(key)
    await quiet(alice, bob)
    return key, twin


async def healed(alice: Party, bob: Party) -> None:
    """Wait until the restore was noticed and all is quiet."""
    await quiet(alice, bob)


def roles(alice: Party, bob: Party, who: str) -> tuple[Party, Party]:
    """Return the restored side and the other one."""
    return (alice, bob) if who == "Alice" else (bob, alice)


@pytest.mark.parametrize("who", ["Alice", "Bob"])
async def test_what_was_said_after_the_backup_does_not_hide_what_is_said_next(
    parties: Parties, tmp_path: Path, who: str
) -> None:
    """Either side edits twice, its node is restored to before that, and it edits again: the third edit arrives."""
    alice, bob = parties
    key, twin = await linked(alice, bob, summary="zero")
    victim, other = roles(alice, bob, who)
    mine, theirs = (key, twin) if who == "Alice" else (twin, key)
    backup = await backed_up(victim, tmp_path)
    for summary in ("one", "two"):
        await victim.person.edit(mine, {"summary": summary})
        await quiet(alice, bob)
    await other.person.edit(theirs, {"description": "by the other side"})
    await quiet(alice, bob)
    await restored(victim, backup)
    await victim.person.edit(mine, {"summary": "three"})
    await eventually(lambda: _summary(other, theirs, "three"), "the third edit arrives")
    await quiet(alice, bob)
    found = await whole(alice, key)
    assert found == await whole(bob, twin)
    assert (found["summary"], found["description"]) == ("three", "by the other side")


@pytest.mark.parametrize("who", ["Alice", "Bob"])
async def test_what_arrived_after_the_backup_is_not_made_again(parties: Parties, tmp_path: Path, who: str) -> None:
    """Issues, comments and files came and went after the backup: the restored side knows its copies again."""
    alice, bob = parties
    victim, other = roles(alice, bob, who)
    key, twin = await linked(alice, bob, summary="old")
    theirs = twin if who == "Alice" else key
    backup = await backed_up(victim, tmp_path)
    await other.person.comment(theirs, "said to the old one")
    await other.person.attach(theirs, "old.txt", b"to the old one")
    fresh = await other.create(summary="came after the backup")
    await other.person.comment(fresh, "said to the new one")
    await other.person.attach(fresh, "new.txt", b"to the new one")
    await other.sync(fresh)
    ours = await victim.create(summary="left after the backup")
    await victim.person.comment(ours, "said by the victim")
    await victim.sync(ours)
    there = await victim.twin(ours)
    await quiet(alice, bob)
    await other.person.comment(there, "answered")
    await other.person.edit(there, {"description": "described by the other side"})
    await quiet(alice, bob)
    before = [await _counted(party) for party in parties]
    await restored(victim, backup)
    await quiet(alice, bob)
    await other.person.comment(fresh, "after the restore")
    await other.person.comment(there, "after the restore too")
    await victim.person.comment(ours, "and by the victim")
    await quiet(alice, bob)
    assert [await _counted(party) for party in parties] == [{**one, "comments": one["comments"] + 3} for one in before]
    for party, at in ((victim, ours), (other, there)):
        assert texts(await party.comments(at)) == [
            "after the restore too", "and by the victim", "answered", "said by the victim",
        ]  # fmt: skip
    await assert_in_step(alice, bob, issues=3)


async def _summary(party: Party, key: str, wanted: str) -> bool:
    return bool((await party.issue(key))["fields"]["summary"] == wanted)


async def _counted(party: Party) -> dict[str, int]:
    found = {"issues": 0, "comments": 0, "files": 0}
    for key in await party.person.every_issue():
        found["issues"] += 1
        found["comments"] += len(await party.comments(key))
        found["files"] += len(await party.files(key))
    return found
