"""A full or failing disk: every caller hears of it, nothing is half done, and the store goes on afterwards."""

from __future__ import annotations

import asyncio
import resource
import shutil
import sqlite3
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from node.store.engine import Store, Transaction
from node.store.errors import StoreFull, StoreUnavailable
from tests.support.store_log import adding, entries, open_with_log

BIG = 600_000


def adding_big(entry: str) -> Callable[[Transaction], Awaitable[None]]:
    async def add(tx: Transaction) -> None:
        await tx.execute("INSERT INTO log (entry) VALUES (?)", (entry + "x" * BIG,))

    return add


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if mount is None or umount is None:
        pytest.skip("no mount command here")
    made = subprocess.run(  # noqa: S603 - fixed words and our own folder
        [mount, "-t", "tmpfs", "-o", "size=2m", "tmpfs", place], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("this user may not mount a small disk")
    yield place
    subprocess.run([umount, place], check=True)  # noqa: S603 - the same


async def test_a_full_disk_refuses_all_waiting_callers_and_the_store_goes_on(small_disk: Path) -> None:
    """Units of one commit that does not fit get StoreFull in words; after space was made the next ones are stored."""
    ballast = small_disk / "ballast"
    async with await open_with_log(small_disk / "node" / "accord.db") as store:
        await store.write(adding("kept"))
        ballast.write_bytes(bytes(1_000_000))
        outcomes = await asyncio.gather(
            store.write(adding("a")), store.write(adding_big("b")), store.write(adding("c")), return_exceptions=True
        )
        assert [type(outcome) for outcome in outcomes] == [StoreFull] * 3
        assert "disk is full" in str(outcomes[0])
        assert isinstance(outcomes[0], StoreFull)
        assert "space" in outcomes[0].advice
        assert await entries(store) == ["kept"]
        ballast.unlink()
        await asyncio.gather(store.write(adding("a")), store.write(adding_big("b")))
        assert [entry[:4] for entry in await entries(store)] == ["kept", "a", "bxxx"]
    async with await Store.open(small_disk / "node" / "accord.db") as store:
        assert len(await entries(store)) == 3


async def test_a_database_at_its_largest_size_refuses_a_statement_and_keeps_the_store(store: Store) -> None:
    """SQLITE_FULL in the middle of a group: nothing half done, later units are stored."""

    def shrink(raw: sqlite3.Connection) -> None:
        raw.execute("PRAGMA max_page_count = 120").fetchall()

    await store._writer._driver.run(shrink)
    outcomes = await asyncio.gather(
        store.write(adding("a")), store.write(adding_big("b")), store.write(adding("c")), return_exceptions=True
    )
    assert isinstance(outcomes[1], StoreFull)
    done = [name for name, outcome in zip("abc", outcomes, strict=True) if not isinstance(outcome, Exception)]
    assert await entries(store) == done
    await store.write(adding("d"))
    assert await entries(store) == [*done, "d"]


async def test_a_commit_that_the_system_refuses_is_unavailable_not_half_done(path: Path) -> None:
    """A limit on file sizes makes the write of the commit fail: all its callers hear it; lifted, the store goes on."""
    async with await open_with_log(path) as store:
        await store.write(adding("kept"))
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
        try:
            outcomes = await asyncio.gather(
                store.write(adding("a")), store.write(adding_big("b")), return_exceptions=True
            )
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert all(isinstance(outcome, StoreUnavailable) and outcome.temporary for outcome in outcomes)
        assert await entries(store) == ["kept"]
        await store.write(adding("a"))
    raw = sqlite3.connect(path)
    try:
        assert raw.execute("SELECT entry FROM log").fetchall() == [("kept",), ("a",)]
        assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    finally:
        raw.close()
