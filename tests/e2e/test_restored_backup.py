"""A node comes back with a database of before: nothing is lost, and nothing is made twice in either Jira."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.support.dying import whole
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


async def _summary(party: Party, key: str, wanted: str) -> bool:
    return bool((await party.issue(key))["fields"]["summary"] == wanted)
