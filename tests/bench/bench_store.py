"""What the store costs beside bare sqlite3, as ratios of one interleaved run. Run with ``make bench``.

Calibrator C1: bare sqlite3 on this thread, WAL, synchronous=FULL, 100 messages of 4 KB per transaction, each a message
row and a small delivery row. Absolute rates say more about the machine and its neighbours than about the store.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import sqlite3
import statistics
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest

from node.store.driver import WRITER_SETTINGS
from node.store.engine import Store, Transaction

pytestmark = [pytest.mark.bench, pytest.mark.timeout(600)]

REPETITIONS = 5
MESSAGES = 3000
CALLERS = 64
BATCH = 100
FLOOR_SINGLE = 0.30
"""T1: enqueue by 64 concurrent callers, one message each; the goal is 0.60."""
FLOOR_BATCH = 0.35
"""T3: units of 100 messages; the goal is 0.75."""

TABLES = (
    "CREATE TABLE bench_message (id INTEGER PRIMARY KEY, mid BLOB NOT NULL UNIQUE, body BLOB NOT NULL) STRICT",
    "CREATE TABLE bench_delivery (id INTEGER PRIMARY KEY, state TEXT NOT NULL) STRICT",
)
MESSAGE = "INSERT INTO bench_message (id, mid, body) VALUES (?, ?, ?)"
DELIVERY = "INSERT INTO bench_delivery (id, state) VALUES (?, 'queued')"
BODY = os.urandom(4096)

_numbers = itertools.count(1)


def message() -> tuple[int, bytes, bytes]:
    """Return the values of a new message."""
    number = next(_numbers)
    return number, number.to_bytes(16, "big"), BODY


def bare(path: Path) -> float:
    """Return messages per second of C1."""
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        for setting in WRITER_SETTINGS:
            raw.execute(setting).fetchall()
        for table in TABLES:
            raw.execute(table.replace("TABLE", "TABLE IF NOT EXISTS"))
        began = time.perf_counter()
        for _ in range(MESSAGES // BATCH):
            raw.execute("BEGIN IMMEDIATE")
            for _ in range(BATCH):
                values = message()
                raw.execute(MESSAGE, values)
                raw.execute(DELIVERY, values[:1])
            raw.execute("COMMIT")
        return MESSAGES / (time.perf_counter() - began)


async def enqueue(tx: Transaction) -> None:
    """Store one message, as a unit of work."""
    values = message()
    await tx.execute(MESSAGE, values)
    await tx.execute(DELIVERY, values[:1])


async def enqueue_batch(tx: Transaction) -> None:
    """Store a hundred messages, as a unit of work."""
    rows = [message() for _ in range(BATCH)]
    await tx.executemany(MESSAGE, rows)
    await tx.executemany(DELIVERY, [row[:1] for row in rows])


async def rate(store: Store, unit: Callable[[Transaction], Awaitable[None]], *, callers: int, each: int) -> float:
    """Return messages per second of ``callers`` that each write one unit after the other."""
    units = itertools.repeat(unit, MESSAGES // each)

    async def call() -> None:
        for work in units:
            await store.write(work)

    began = time.perf_counter()
    await asyncio.gather(*(call() for _ in range(callers)))
    return MESSAGES / (time.perf_counter() - began)


async def test_group_commit_beside_bare_sqlite(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The median ratios stay above the floors; the figures are printed."""
    columns: dict[str, list[float]] = {"single": [], "no linger": [], "batch": [], "alone": []}
    bare_rates: list[float] = []
    lingering = await Store.open(tmp_path / "lingering" / "accord.db")
    eager = await Store.open(tmp_path / "eager" / "accord.db", linger_seconds=0)

    async def make(tx: Transaction) -> None:
        for table in TABLES:
            await tx.execute(table)

    async with lingering, eager:
        for store in (lingering, eager):
            await store.write(make)
        for _ in range(REPETITIONS):
            floor = bare(tmp_path / "bare.db")
            bare_rates.append(floor)
            columns["single"].append(await rate(lingering, enqueue, callers=CALLERS, each=1) / floor)
            columns["no linger"].append(await rate(eager, enqueue, callers=CALLERS, each=1) / floor)
            columns["batch"].append(await rate(lingering, enqueue_batch, callers=4, each=BATCH) / floor)
            columns["alone"].append(await rate(lingering, enqueue, callers=1, each=1) / floor)
    with capsys.disabled():
        print(f"\nC1 bare sqlite3, batches of {BATCH}: {statistics.median(bare_rates):.0f} messages/s")
        for name, ratios in columns.items():
            spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
            print(f"{name:>10} / C1: {statistics.median(ratios):.2f} ({spread})")
    assert statistics.median(columns["single"]) >= FLOOR_SINGLE
    assert statistics.median(columns["batch"]) >= FLOOR_BATCH
