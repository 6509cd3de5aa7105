"""Backups that can be trusted, and the way back from them."""

# ruff: noqa: ASYNC240 - the loop of a test serves nobody whom a blocking call could hold up

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from node.store.backup import RESTORED_KEY
from node.store.engine import Store, restore
from node.store.errors import StoreDamaged, StoreLocked, StoreRefused, StoreUnavailable
from tests.support.store_log import adding, entries, open_with_log


async def filled(path: Path, *names: str) -> None:
    async with await open_with_log(path) as store:
        for name in names:
            await store.write(adding(name))


async def test_a_backup_under_load_is_one_moment_of_the_database(store: Store, tmp_path: Path) -> None:
    """While many write, the copy is whole, has all that was stored before it began, and is the owner's only."""
    await asyncio.gather(*(store.write(adding(f"before {number}")) for number in range(200)))
    during = [asyncio.create_task(store.write(adding(f"during {number}"))) for number in range(500)]
    target = tmp_path / "copy.db"
    await store.backup(target)
    await asyncio.gather(*during)
    with closing(sqlite3.connect(target)) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        copied = [entry for (entry,) in raw.execute("SELECT entry FROM log ORDER BY id")]
    assert copied == (await entries(store))[: len(copied)]
    assert len(copied) >= 200
    assert target.stat().st_mode & 0o777 == 0o600
    assert not list(tmp_path.glob("*.partial"))


async def test_a_backup_never_overwrites_and_never_leaves_half_a_file(store: Store, tmp_path: Path) -> None:
    """An existing file is refused; a folder that is not there is an error in words."""
    target = tmp_path / "copy.db"
    target.write_text("precious")
    with pytest.raises(StoreRefused, match="not overwritten"):
        await store.backup(target)
    assert target.read_text() == "precious"
    with pytest.raises(StoreUnavailable, match="cannot be written"):
        await store.backup(tmp_path / "nowhere" / "copy.db")


async def test_a_restored_database_has_the_old_rows_and_says_that_it_was_restored(path: Path, tmp_path: Path) -> None:
    """The database that was there is kept beside it, with what its WAL held."""
    await filled(path, "a", "b")
    target = tmp_path / "copy.db"
    async with await Store.open(path) as store:
        await store.backup(target)
        await store.write(adding("c"))
    aside = await restore(target, path)
    async with await Store.open(path) as store:
        assert await entries(store) == ["a", "b"]
        assert await store.fetch_one("SELECT 1 FROM meta WHERE key = ?", (RESTORED_KEY,)) is not None
        await store.write(adding("d"))
    assert aside is not None
    async with await Store.open(aside.rename(tmp_path / "old.db")) as store:
        assert await entries(store) == ["a", "b", "c"]


async def test_a_restore_does_not_replay_the_wal_of_the_database_that_it_replaces(path: Path, tmp_path: Path) -> None:
    """After a crash the old WAL is still there; it belongs to the old file, and goes with it."""
    await filled(path, "a")
    target = tmp_path / "copy.db"
    async with await Store.open(path) as store:
        await store.backup(target)
        await store.write(adding("b"))
        crashed = {each.name: each.read_bytes() for each in path.parent.iterdir()}
    for name, content in crashed.items():
        (path.parent / name).write_bytes(content)
    assert (path.parent / "accord.db-wal").stat().st_size
    aside = await restore(target, path)
    assert aside is not None
    async with await Store.open(path) as store:
        assert await entries(store) == ["a"]
    with closing(sqlite3.connect(aside)) as raw:
        assert raw.execute("SELECT entry FROM log").fetchall() == [("a",), ("b",)]


async def test_a_restore_on_a_new_machine_needs_no_old_database(path: Path, tmp_path: Path) -> None:
    """An empty house takes a backup."""
    await filled(tmp_path / "other" / "accord.db", "a")
    async with await Store.open(tmp_path / "other" / "accord.db") as store:
        await store.backup(tmp_path / "copy.db")
    assert await restore(tmp_path / "copy.db", path) is None
    async with await Store.open(path) as store:
        assert await entries(store) == ["a"]


async def test_a_restore_is_refused_while_the_node_runs(store: Store, tmp_path: Path) -> None:
    """The lock of the data directory holds against a restore too."""
    await store.backup(tmp_path / "copy.db")
    with pytest.raises(StoreLocked):
        await restore(tmp_path / "copy.db", store.path)


@pytest.mark.parametrize("fault", ["damaged", "empty", "absent", "foreign"])
async def test_a_bad_backup_changes_nothing(path: Path, tmp_path: Path, fault: str) -> None:
    """The backup is checked from end to end before the database is touched."""
    await filled(path, *(f"{number}" * 400 for number in range(200)))
    target = tmp_path / "copy.db"
    async with await Store.open(path) as store:
        await store.backup(target)
    if fault == "damaged":
        with target.open("r+b") as file:
            file.seek(60_000)
            file.write(b"\xa5" * 9000)
    else:
        target.unlink()
    if fault == "empty":
        target.touch()
    if fault == "foreign":
        with closing(sqlite3.connect(target)) as raw, raw:
            raw.execute("CREATE TABLE recipes (name TEXT)")
    with pytest.raises((StoreDamaged, StoreRefused)):
        await restore(target, path)
    async with await Store.open(path) as store:
        assert len(await entries(store)) == 200
    assert sorted(each.name for each in path.parent.iterdir()) == ["accord.db", "accord.lock"]
