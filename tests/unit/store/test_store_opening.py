"""Opening a store: one process, whole files, our files, for their owner only."""

# ruff: noqa: ASYNC220, ASYNC240 - the loop of a test serves nobody whom a blocking call could hold up

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from node.store.engine import Store
from node.store.errors import StoreDamaged, StoreLocked, StoreTooNew, StoreUnavailable
from node.store.migrate import known_versions
from tests.support.store_log import adding, entries, open_with_log

HOLD = """
import asyncio, sys
from pathlib import Path
from node.store.engine import Store

async def main():
    async with await Store.open(Path(sys.argv[1])):
        print("open", flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""


async def filled(path: Path) -> None:
    async with await open_with_log(path) as store:
        await asyncio.gather(*(store.write(adding(f"{number}" * 500)) for number in range(300)))


async def test_a_second_process_is_refused_and_told_who_is_there(path: Path) -> None:
    """The message names the process; when that one is gone, however it went, the directory is free."""
    command = [sys.executable, "-c", HOLD, str(path)]
    repository = Path(__file__).parents[3]
    with subprocess.Popen(  # noqa: S603 - ourselves
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=repository
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(StoreLocked, match=f"another accord process uses the directory .*: pid {other.pid} on "):
            await Store.open(path)
        other.kill()
    async with await Store.open(path):
        pass


async def test_the_same_process_cannot_open_a_store_twice(store: Store) -> None:
    """Two writers in one process would be two writers all the same."""
    with pytest.raises(StoreLocked):
        await Store.open(store.path)
    await store.write(adding("a"))


async def test_what_a_restart_finds_is_what_was_written(path: Path) -> None:
    """Closing and opening keeps every row, and leaves no side files behind."""
    await filled(path)
    assert sorted(each.name for each in path.parent.iterdir()) == ["accord.db", "accord.lock"]
    async with await Store.open(path) as store:
        assert len(await entries(store)) == 300


async def test_files_are_for_their_owner_only(path: Path) -> None:
    """Directory 0700, files 0600, also the WAL and its index; a file that was opened to others is closed again."""
    async with await open_with_log(path) as store:
        await store.write(adding("a"))
        modes = {each.name: each.stat().st_mode & 0o777 for each in path.parent.iterdir()}
        assert {"accord.db", "accord.db-wal", "accord.db-shm", "accord.lock"} == set(modes)
        assert set(modes.values()) == {0o600}
    assert path.parent.stat().st_mode & 0o777 == 0o700
    path.chmod(0o644)
    async with await Store.open(path):
        assert path.stat().st_mode & 0o777 == 0o600


async def test_the_connections_have_the_settings_that_durability_needs(store: Store) -> None:
    """WAL, synchronous=FULL and foreign keys on the writer; query_only and a read-only file on the readers."""
    found: dict[str, object] = {}

    def ask(raw: sqlite3.Connection) -> None:
        for name in ("journal_mode", "synchronous", "foreign_keys", "trusted_schema", "mmap_size", "query_only"):
            found[name] = raw.execute(f"PRAGMA {name}").fetchone()[0]

    await store._writer._driver.run(ask)
    assert found == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "trusted_schema": 0,
        "mmap_size": 0,
        "query_only": 0,
    }
    await store._readers._drivers[0].run(ask)
    assert found["query_only"] == 1


async def test_a_newer_schema_is_refused_and_left_untouched(path: Path) -> None:
    """The error names both versions and what to do; no byte of the file changes."""
    await filled(path)
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("UPDATE alembic_version SET version_num = '7777'")
        raw.execute("UPDATE meta SET value = '9.8.7' WHERE key = 'accord_version'")
    with closing(sqlite3.connect(path)):
        before = hashlib.sha256(path.read_bytes()).digest()
    newest = known_versions()[-1]
    with pytest.raises(
        StoreTooNew, match=rf"schema 7777, written by accord 9\.8\.7; .* knows schemas up to {newest}"
    ) as caught:
        await Store.open(path)
    assert (caught.value.found, caught.value.known) == ("7777", newest)
    assert "9.8.7 or newer" in caught.value.advice
    assert hashlib.sha256(path.read_bytes()).digest() == before
    with pytest.raises(StoreTooNew):  # and not locked by the first refusal
        await Store.open(path)


@pytest.mark.parametrize("offset", [0, 4096, 100_000])
async def test_a_damaged_file_is_refused_in_words(path: Path, offset: int) -> None:
    """Overwritten bytes in the header, the schema or the data are found before anything is written."""
    await filled(path)
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"\xa5" * 9000)
    with pytest.raises(StoreDamaged, match="damaged") as caught:
        await Store.open(path)
    assert "restore the last backup" in caught.value.advice


async def test_a_cut_file_is_refused_in_words(path: Path) -> None:
    """Half a file is damage, not a smaller database."""
    await filled(path)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)
    with pytest.raises(StoreDamaged, match="damaged"):
        await Store.open(path)


async def test_another_programs_database_is_not_touched(path: Path) -> None:
    """A file that is not ours gets no tables of ours."""
    path.parent.mkdir(mode=0o700)
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("CREATE TABLE recipes (name TEXT)")
    with pytest.raises(StoreDamaged, match="not one of accord's"):
        await Store.open(path)
    path.write_text("Dear diary, this is no database at all. " * 200)
    with pytest.raises(StoreDamaged, match="not a database"):
        await Store.open(path)


async def test_a_data_directory_that_cannot_be_is_refused_in_words(tmp_path: Path) -> None:
    """A file where the directory should be is named, with what to check."""
    (tmp_path / "house").write_text("a file")
    with pytest.raises(StoreUnavailable, match="house") as caught:
        await Store.open(tmp_path / "house" / "accord.db")
    assert caught.value.advice


async def test_two_nodes_of_one_process_open_at_once(tmp_path: Path) -> None:
    """Alice's and Bob's stores migrate at the same time without touching each other."""
    stores = await asyncio.gather(*(open_with_log(tmp_path / name / "accord.db") for name in ("alice", "bob", "carol")))
    for store in stores:
        await store.write(adding(store.path.parent.name))
    assert [await entries(store) for store in stores] == [["alice"], ["bob"], ["carol"]]
    for store in stores:
        await store.close()
