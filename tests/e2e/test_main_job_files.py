"""Attachments in the main job: added, deleted, several of one name, empty ones, names of all kinds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.two_nodes import Party, eventually, quiet

Parties = tuple[Party, Party]


async def test_a_file_whose_bytes_were_put_away_is_fetched_again(parties: Parties) -> None:
    """Bob was away longer than Alice's node keeps what it offered: she fetches the file once more when he asks."""
    alice, bob = parties
    key = await alice.create()
    await alice.sync(key)
    twin = await alice.twin(key)
    await quiet(alice, bob)
    await bob.stop()
    before = await alice.sent()
    await alice.person.attach(key, "late.txt", b"late")

    async def sent() -> bool:
        return await alice.sent() > before

    await eventually(sent, "the file is announced")

    def kept() -> list[Path]:
        return list(alice.folder.blobs.glob("*/out/*"))

    for path in kept():
        path.unlink()
    await bob.start()

    async def fetched() -> bool:
        await alice.call("POST", "/api/v1/sweep", {})
        return bool(kept())

    await eventually(fetched, "Alice's node has fetched the file again")
    await alice.person.edit(key, {"summary": "so that Bob asks at once"})
    await quiet(alice, bob)
    assert await alice.files(key) == await bob.files(twin) != []


async def _linked(parties: Parties) -> tuple[str, str]:
    alice, bob = parties
    key = await alice.create()
    await alice.sync(key)
    twin = await alice.twin(key)
    await quiet(alice, bob)
    return key, twin


async def _delete_file(party: Party, key: str, name: str) -> None:
    found = (await party.issue(key))["fields"]["attachment"]
    file = next(one["id"] for one in found if one["filename"] == name)
    await party.admin.call("DELETE", f"/rest/api/2/attachment/{file}")


async def test_files_travel_both_ways(parties: Parties) -> None:
    """A file that either side attaches arrives with its name and bytes, and never comes back."""
    alice, bob = parties
    key, twin = await _linked(parties)
    await alice.person.attach(key, "from alice.bin", os.urandom(200_000))
    await quiet(alice, bob)
    await bob.person.attach(twin, "from bob.bin", os.urandom(70_000))
    await quiet(alice, bob)
    assert len(await alice.files(key)) == 2
    assert await alice.files(key) == await bob.files(twin)
    assert await alice.problems() == await bob.problems() == []


async def test_deleting_at_the_origin_removes_the_copy_only(parties: Parties) -> None:
    """Alice deletes her file: Bob's copy goes, his own file of the same name stays."""
    alice, bob = parties
    key, twin = await _linked(parties)
    await alice.person.attach(key, "a.txt", b"alice's")
    await quiet(alice, bob)
    await bob.person.attach(twin, "b.txt", b"bob's")
    await quiet(alice, bob)
    await _delete_file(alice, key, "a.txt")
    await quiet(alice, bob)
    assert [name for name, _ in await bob.files(twin)] == ["b.txt"]
    assert [name for name, _ in await alice.files(key)] == ["b.txt"]


async def test_deleting_a_copy_stays_local(parties: Parties) -> None:
    """Bob deletes his copy of Alice's file: hers stays, and the copy is not written again."""
    alice, bob = parties
    key, twin = await _linked(parties)
    await alice.person.attach(key, "a.txt", b"alice's")
    await quiet(alice, bob)
    await _delete_file(bob, twin, "a.txt")
    await quiet(alice, bob)
    await alice.person.edit(key, {"summary": "something else"})
    await quiet(alice, bob)
    assert [name for name, _ in await alice.files(key)] == ["a.txt"]
    assert await bob.files(twin) == []


async def test_files_of_one_name_are_different_files(parties: Parties) -> None:
    """Three files of one name, two of them with the same bytes, arrive as three; deleting one removes that one."""
    alice, bob = parties
    key, twin = await _linked(parties)
    for data in (b"one", b"two", b"one"):
        await alice.person.attach(key, "same.txt", data)
    await quiet(alice, bob)
    assert await bob.files(twin) == await alice.files(key)
    assert len(await bob.files(twin)) == 3
    await _delete_file(alice, key, "same.txt")
    await quiet(alice, bob)
    assert await bob.files(twin) == await alice.files(key)
    assert len(await bob.files(twin)) == 2


@pytest.mark.parametrize(
    "names",
    [
        ["empty.txt"],
        ["Prüfbericht Ü 100%.pdf", "日本語 ファイル.txt", "emoji 😀.png", "a+b&c=d;e.txt", 'it\'s "quoted".txt'],
    ],
    ids=["zero bytes", "unicode"],
)
async def test_odd_files_arrive(parties: Parties, names: list[str]) -> None:
    """A file without bytes, and names in all scripts, arrive as they are."""
    alice, bob = parties
    key = await alice.create(summary="Ünïcödé 日本語 😀", description="Zażółć gęślą jaźń \u202e")
    for name in names:
        await alice.person.attach(key, name, b"" if name == "empty.txt" else name.encode())
    await alice.sync(key)
    twin = await alice.twin(key)
    await quiet(alice, bob)
    assert await bob.files(twin) == await alice.files(key)
    assert len(await bob.files(twin)) == len(names)
    assert (await bob.issue(twin))["fields"]["summary"] == "Ünïcödé 日本語 😀"
    assert await alice.problems() == await bob.problems() == []


async def test_many_issues_with_one_and_the_same_file(parties: Parties) -> None:
    """Eight issues carry the same bytes: each gets its copy, whichever is first done with them."""
    alice, bob = parties
    keys = [await alice.create(summary=f"issue {number}") for number in range(8)]
    for key in keys:
        await alice.person.attach(key, f"{key}.txt", b"the same bytes" * 1000)
    bob.sandbox.faults.add("delay", "/issue", method="POST", skip=1, count=3, seconds=0.7)
    await alice.sync(*keys)
    await quiet(alice, bob)
    for key in keys:
        assert await bob.files(await alice.twin(key)) == await alice.files(key)
    assert await alice.problems() == await bob.problems() == []
