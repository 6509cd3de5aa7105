"""The store of a node: open it, write units of work, read snapshots, back it up, close it.

Everything else of the node sees only this module's `Store` and the words of `node.store.port`. Exactly one connection
writes and checkpoints (`writer.py`); readers are read-only (`reader.py`); a lock keeps other processes away.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from node.clock import Clock, SystemClock
from node.store.backup import backup_file, restore_file
from node.store.driver import Driver
from node.store.errors import StoreUnavailable
from node.store.files import make_directory
from node.store.lock import DirectoryLock
from node.store.migrate import prepare
from node.store.port import NO_PARAMETERS, Parameters, Read, Reader, Result, Row, Statement, Transaction, Write, sql
from node.store.reader import READERS, Readers
from node.store.writer import LINGER_SECONDS, Writer

_LOG = logging.getLogger(__name__)

__all__ = ["Parameters", "Reader", "Result", "Row", "Statement", "Store", "Transaction", "restore", "sql"]

T = TypeVar("T")

UNIT_SECONDS = 10.0
"""How long one unit of work or one read may take."""


class Store:
    """An open database. Made by `open`; an async context manager that closes itself."""

    def __init__(self, path: Path, writer: Writer, readers: Readers, lock: DirectoryLock) -> None:
        self.path = path
        self._writer = writer
        self._readers = readers
        self._lock = lock
        self._closed = False
        self.trouble: StoreUnavailable | None = None
        """Why the newest write could not be stored; nothing of this can be in the database itself."""

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        clock: Clock | None = None,
        linger_seconds: float = LINGER_SECONDS,
        unit_seconds: float = UNIT_SECONDS,
        readers: int = READERS,
    ) -> Store:
        """Lock the directory of ``path``, check the file, bring its schema up to date, open the connections.

        The directory is made with mode 0700 if it is missing, the files with 0600. Before a migration of a database
        that has data, a backup is put beside it.

        Raises:
            StoreLocked: another process uses the directory.
            StoreUnfit: the SQLite library is too old.
            StoreDamaged: the file is broken, or not ours.
            StoreTooNew: a newer accord wrote the file; nothing was changed.
            StoreMigrationFailed: the schema could not be brought up to date; nothing was changed.
            StoreUnavailable: disk or permissions.
        """
        clock = clock or SystemClock()
        async with AsyncExitStack() as undo:
            lock = await asyncio.to_thread(_lock, path)
            undo.callback(lock.release)
            await asyncio.to_thread(prepare, path, now_ms=clock.now_ms())
            driver = await Driver.open(path, read_only=False, seconds=unit_seconds)
            undo.push_async_callback(driver.close)
            pool = await Readers.open(path, count=readers, seconds=unit_seconds)
            undo.pop_all()
        return cls(path, Writer(driver, linger_seconds=linger_seconds), pool, lock)

    async def write(self, work: Write[T]) -> T:
        """Run one unit of work; return its result when it is durable.

        Units run in the order in which ``write`` was called. See `node.store.port` for what a unit may do. A caller
        cancelled while it waits does not know whether its unit was done, as after a crash.

        Raises:
            Exception: whatever the unit raised; it was rolled back alone.
            StoreUnavailable: nothing of it was stored, and it may be tried again.
            StoreMisuse: the unit broke a rule of the port.
            StoreClosed: the store is closed.
        """
        try:
            result = await self._writer.write(work)
        except StoreUnavailable as error:
            self._note(error)
            raise
        self._note(None)
        return result

    def _note(self, trouble: StoreUnavailable | None) -> None:
        """Remember whether the newest write could be stored, and tell the log when that changes."""
        if trouble is not None and self.trouble is None:
            _LOG.error("Nothing can be stored now, and peers and Jira are asked to come again later: %s", trouble)
        elif trouble is None and self.trouble is not None:
            _LOG.warning("Things can be stored again.")
        self.trouble = trouble

    async def read(self, work: Read[T]) -> T:
        """Run reads on one snapshot, which sees every unit whose ``write`` had returned.

        Raises:
            Exception: whatever the work raised.
            StoreUnavailable: the snapshot cannot be read now.
            StoreClosed: the store is closed.
        """
        return await self._readers.read(work)

    async def fetch_one(self, statement: Statement, parameters: Parameters = NO_PARAMETERS, /) -> Row | None:
        """Return the first row of one statement on a snapshot of its own."""
        return await self.read(lambda reader: reader.fetch_one(statement, parameters))

    async def fetch_all(self, statement: Statement, parameters: Parameters = NO_PARAMETERS, /) -> list[Row]:
        """Return the rows of one statement on a snapshot of its own."""
        return await self.read(lambda reader: reader.fetch_all(statement, parameters))

    async def backup(self, target: Path) -> None:
        """Write a complete, checked copy of the database, while the node goes on.

        Raises:
            StoreRefused: ``target`` exists.
            StoreUnavailable: the disk is full or fails.
            StoreDamaged: the copy was found broken: so is the database.
        """
        await asyncio.to_thread(backup_file, self.path, target)

    async def close(self) -> None:
        """Finish what was handed in, refuse the rest, close the connections, give the directory back."""
        if self._closed:
            return
        self._closed = True
        async with AsyncExitStack() as steps:
            steps.callback(self._lock.release)
            # The writer closes last: the last connection that closes checkpoints, and readers must not.
            steps.push_async_callback(self._writer.close)
            steps.push_async_callback(self._readers.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


async def restore(backup: Path, path: Path, *, clock: Clock | None = None) -> Path | None:
    """Put a backup in the place of a database that no process uses; return where the old one was put.

    The restored database has a row `node.store.backup.RESTORED_KEY` in ``meta``.

    Raises:
        StoreLocked: a process uses the directory.
        StoreDamaged: the backup is broken, or no database of ours; nothing was changed.
        StoreRefused: the backup is empty.
        StoreUnavailable: the disk is full or fails.
    """
    now_ms = (clock or SystemClock()).now_ms()
    return await asyncio.to_thread(_restore, backup, path, now_ms)


def _lock(path: Path) -> DirectoryLock:
    make_directory(path.parent)
    return DirectoryLock.take(path.parent)


def _restore(backup: Path, path: Path, now_ms: int) -> Path | None:
    lock = _lock(path)
    try:
        return restore_file(backup, path, now_ms=now_ms)
    finally:
        lock.release()
