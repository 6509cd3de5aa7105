"""Reads beside the writer."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from types import MappingProxyType

import pytest

from node.store.engine import Reader, Store
from node.store.errors import StoreBusy, StoreMisuse
from tests.support.store_log import DEADLINE, adding, entries, open_with_log


async def test_a_reader_keeps_its_snapshot_and_does_not_hold_up_the_writer(store: Store) -> None:
    """A read in progress sees one state; commits go on beside it; the next read sees them."""
    await store.write(adding("a"))
    began, go_on = threading.Event(), threading.Event()

    async def look_twice(reader: Reader) -> tuple[int, int]:
        before = await reader.fetch_all("SELECT * FROM log")
        began.set()
        assert go_on.wait(DEADLINE)
        return len(before), len(await reader.fetch_all("SELECT * FROM log"))

    reading = asyncio.create_task(store.read(look_twice))
    await asyncio.to_thread(began.wait, DEADLINE)
    try:
        async with asyncio.timeout(DEADLINE):
            await asyncio.gather(*(store.write(adding(str(number))) for number in range(20)))
            assert len(await entries(store)) == 21
    finally:
        go_on.set()
    assert await reading == (1, 1)


async def test_a_reader_cannot_write(store: Store) -> None:
    """Reads are read-only by the connection, not by good manners."""

    async def sneak(reader: Reader) -> None:
        await reader.fetch_all("INSERT INTO log (entry) VALUES ('x') RETURNING id")

    with pytest.raises(StoreMisuse, match="tried to write"):
        await store.read(sneak)
    assert await entries(store) == []


async def test_an_endless_read_is_stopped(path: Path) -> None:
    """A read that does not end would keep the WAL growing: it has the time limit of a unit of work."""
    async with await open_with_log(path, unit_seconds=0.2) as store:
        with pytest.raises(StoreBusy):
            await store.fetch_one(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
            )
        assert await entries(store) == []


async def test_more_readers_than_connections_wait_their_turn(store: Store) -> None:
    """Fifty reads share the few connections and all are answered; cancelled ones give theirs back."""
    await store.write(adding("a"))
    reads = [asyncio.create_task(entries(store)) for _ in range(50)]
    await asyncio.sleep(0)
    for read in reads[::5]:
        read.cancel()
    answers = await asyncio.gather(*reads, return_exceptions=True)
    assert sum(answer == ["a"] for answer in answers) == 40
    assert await entries(store) == ["a"]


async def test_rows_are_read_by_name(store: Store) -> None:
    """A row knows its columns; fetch_one says None where there is no row."""
    await store.write(adding("a"))
    row = await store.fetch_one("SELECT id, entry AS name FROM log")
    assert row is not None
    assert (row["id"], row["name"], list(row.keys())) == (1, "a", ["id", "name"])
    assert await store.fetch_one("SELECT id FROM log WHERE entry = :entry", {"entry": "b"}) is None
    assert (
        await store.fetch_one("SELECT id FROM log WHERE entry = :entry", MappingProxyType({"entry": "a"})) is not None
    )
