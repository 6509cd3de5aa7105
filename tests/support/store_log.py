"""A scratch table for tests of the store itself: a log of numbered entries, read back in order."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

from node.store.engine import Store, Transaction

MAKE_LOG = "CREATE TABLE IF NOT EXISTS log (id INTEGER PRIMARY KEY, entry TEXT NOT NULL UNIQUE) STRICT"
DEADLINE = 20.0
"""Seconds after which a test gives up waiting for another thread or process."""


async def open_with_log(path: Path, **settings: float) -> Store:
    """Open a store whose database has the table ``log``."""
    store = await Store.open(
        path,
        linger_seconds=settings.get("linger_seconds", 0.002),
        unit_seconds=settings.get("unit_seconds", 10.0),
    )

    async def make(tx: Transaction) -> None:
        await tx.execute(MAKE_LOG)

    try:
        await store.write(make)
    except BaseException:
        await store.close()
        raise
    return store


def adding(entry: str) -> Callable[[Transaction], Awaitable[int]]:
    """Return a unit of work that adds one entry and returns its id."""

    async def add(tx: Transaction) -> int:
        return (await tx.execute("INSERT INTO log (entry) VALUES (:entry)", {"entry": entry})).lastrowid

    return add


async def entries(store: Store) -> list[str]:
    """Return all entries in the order in which they were written."""
    return [str(row["entry"]) for row in await store.fetch_all("SELECT entry FROM log ORDER BY id")]


class Gate:
    """A unit of work that adds an entry, then stands still on the database's thread until it is opened."""

    def __init__(self, entry: str) -> None:
        self._entry = entry
        self.reached = threading.Event()
        self._open = threading.Event()

    async def __call__(self, tx: Transaction) -> None:
        """Add the entry and wait."""
        await adding(self._entry)(tx)
        self.reached.set()
        assert self._open.wait(DEADLINE)

    def open(self) -> None:
        """Let the unit go on."""
        self._open.set()
