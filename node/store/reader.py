"""Reads beside the writer: a few read-only connections, each read one short snapshot.

Never writes and never checkpoints: the connections are opened read-only. A read that goes on keeps the WAL from being
reset, so each has the same time limit as a unit of work.
"""

from __future__ import annotations

import asyncio
import contextvars
import sqlite3
from pathlib import Path
from typing import TypeVar

from node.store.driver import Driver, translate
from node.store.errors import StoreClosed, StoreMisuse
from node.store.port import Read
from node.store.session import SqliteReader, drive

T = TypeVar("T")

READERS = 2
"""Connections that read: one for the work of the node, one so that a long report does not hold it up."""


class Readers:
    """A small pool of read-only connections."""

    def __init__(self, drivers: list[Driver]) -> None:
        self._drivers = drivers
        self._idle: asyncio.Queue[Driver] = asyncio.Queue()
        for driver in drivers:
            self._idle.put_nowait(driver)
        self._closing = False

    @classmethod
    async def open(cls, path: Path, *, count: int, seconds: float) -> Readers:
        """Open the connections, or none."""
        drivers: list[Driver] = []
        try:
            for _ in range(count):
                drivers.append(await Driver.open(path, read_only=True, seconds=seconds))  # noqa: PERF401 - closed below
        except BaseException:
            for driver in drivers:
                await driver.close()
            raise
        return cls(drivers)

    async def read(self, work: Read[T]) -> T:
        """Run the work on one snapshot."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            raise StoreMisuse("a unit of work reads through its own transaction, not through the store") from None
        if self._closing:
            raise _closed()
        driver = await self._idle.get()
        try:
            if self._closing:
                raise _closed()
            return await _snapshot(driver, work)
        finally:
            self._idle.put_nowait(driver)

    async def close(self) -> None:
        """Refuse new reads, finish the running ones, close the connections."""
        self._closing = True
        for driver in self._drivers:
            await driver.close()


async def _snapshot(driver: Driver, work: Read[T]) -> T:
    context = contextvars.copy_context()
    results: list[T] = []

    def job(raw: sqlite3.Connection) -> None:
        driver.limit.begin()
        try:
            raw.execute("BEGIN")
            results.append(context.run(drive, work, SqliteReader(raw, driver.limit)))
        finally:
            driver.limit.end()
            if raw.in_transaction:
                raw.execute("ROLLBACK")

    try:
        await driver.run(job)
    except sqlite3.Error as error:
        raise translate(error) from error
    return results[0]


def _closed() -> StoreClosed:
    return StoreClosed("the store is closed: the node is shutting down")
