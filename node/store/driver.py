"""SQLite as the store opens it: one thread per connection, settings, and the driver's errors in our words.

Never decides what is written. Never used outside ``node.store``.
"""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias, cast

import aiosqlite
from typing_extensions import override

from node.store.errors import (
    StoreBusy,
    StoreConflict,
    StoreDamaged,
    StoreError,
    StoreFull,
    StoreMisuse,
    StoreRefused,
    StoreUnavailable,
)

WAL_CHECKPOINT_PAGES = 4000
"""16 MiB of WAL between checkpoints. Measured: p99 of a commit falls from 9.7 ms (1000 pages) to 1.7 ms; 16000 pages
gain little and make one commit in many take 100 ms."""

WAL_SIZE_LIMIT = 64 * 2**20
"""Bytes that the WAL file keeps after it was larger for a while."""

BUSY_MILLISECONDS = 5000
"""How long a statement waits for another connection; with one writer only recovery and checkpoints make it wait."""

STATEMENTS_CACHED = 512
"""Prepared statements kept per connection: more than the node has, so that none is prepared twice."""

STEPS_BETWEEN_LOOKS = 20_000
"""Virtual machine steps between two looks at the time limit: under a millisecond of work."""

_SHARED_SETTINGS = (
    f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}",
    "PRAGMA foreign_keys = ON",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA mmap_size = 0",
    "PRAGMA cell_size_check = ON",
)

WRITER_SETTINGS = (
    *_SHARED_SETTINGS,
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    # Without it macOS answers fsync before the bytes are on the disk; elsewhere it changes nothing.
    "PRAGMA fullfsync = ON",
    "PRAGMA checkpoint_fullfsync = ON",
    f"PRAGMA journal_size_limit = {WAL_SIZE_LIMIT}",
    f"PRAGMA wal_autocheckpoint = {WAL_CHECKPOINT_PAGES}",
)

READER_SETTINGS = (*_SHARED_SETTINGS, "PRAGMA query_only = ON")


def address_of(path: Path, *, mode: str) -> str:
    """Return the URI of a database file; ``mode`` is ``ro`` or ``rw``, neither of which makes a file."""
    return f"{path.absolute().as_uri()}?mode={mode}"


Job: TypeAlias = Callable[[sqlite3.Connection], None]


class _ThreadConnection(sqlite3.Connection):
    """A connection that also takes a whole job as its script.

    aiosqlite runs every call on the connection's one thread, but has no public call that runs a function there. A job
    handed to ``executescript`` gets there in one hop, where a unit of work of five statements would take seven.
    """

    @override
    def executescript(self, script: str | Job, /) -> sqlite3.Cursor:
        if callable(script):
            script(self)
            return self.cursor()
        return super().executescript(script)


class Limit:
    """When the running job must end; looked at by SQLite itself and before every statement."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._ends = math.inf

    def begin(self) -> None:
        """Start counting for one unit of work."""
        self._ends = time.monotonic() + self.seconds

    def end(self) -> None:
        """Stop counting: what follows (a commit, a rollback) must not be interrupted."""
        self._ends = math.inf

    def passed(self) -> bool:
        """Say whether the time is over."""
        return time.monotonic() > self._ends

    def error(self) -> StoreBusy:
        """Return the error of a unit that took too long."""
        return StoreBusy(
            f"a unit of work took longer than {self.seconds:g} s and was rolled back",
            advice="It is tried again. If this repeats, look for a slow disk or a machine without memory to spare.",
        )


class Driver:
    """One SQLite connection on its own thread."""

    def __init__(self, connection: aiosqlite.Connection, limit: Limit) -> None:
        self._connection = connection
        self.limit = limit

    @classmethod
    async def open(cls, path: Path, *, read_only: bool, seconds: float) -> Driver:
        """Open the file with the store's settings.

        Raises:
            StoreError: the file cannot be opened, in the words of `translate`.
        """
        limit = Limit(seconds)
        address = address_of(path, mode="ro" if read_only else "rw")
        try:
            connection = await aiosqlite.connect(
                address,
                uri=True,
                factory=_ThreadConnection,
                isolation_level=None,
                cached_statements=STATEMENTS_CACHED,
            )
        except sqlite3.Error as error:
            raise translate(error) from error
        driver = cls(connection, limit)

        def prepare(raw: sqlite3.Connection) -> None:
            raw.row_factory = sqlite3.Row
            for setting in READER_SETTINGS if read_only else WRITER_SETTINGS:
                raw.execute(setting).fetchall()
            raw.set_progress_handler(limit.passed, STEPS_BETWEEN_LOOKS)

        try:
            await driver.run(prepare)
        except BaseException as error:
            await connection.close()
            if isinstance(error, sqlite3.Error):
                raise translate(error) from error
            raise
        return driver

    async def run(self, job: Job) -> None:
        """Run the job on the connection's thread; a cancelled wait leaves the job running to its end."""
        await self._connection.executescript(cast("Any", job))

    async def close(self) -> None:
        """Finish what was handed in, then close."""
        await self._connection.close()


DriverFault: TypeAlias = sqlite3.Error | OverflowError | UnicodeError
DRIVER_FAULTS = (sqlite3.Error, OverflowError, UnicodeError)
"""What the driver raises for a statement or its values."""

_PRIMARY_CODE = 0xFF
_CONSTRAINT_DATATYPE = 3091
"""SQLITE_CONSTRAINT_DATATYPE, of STRICT tables; the standard library names it only from 3.12 on."""


def translate(error: DriverFault) -> StoreError:
    """Return the driver's error in the store's words; SQLite's own text names columns and codes, never values."""
    if not isinstance(error, sqlite3.Error):
        return StoreRefused("a value cannot be stored: an integer over 64 bits, or text that is not valid Unicode")
    code: int | None = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return StoreMisuse(f"a statement and its parameters do not fit: {error}")
    name = str(getattr(error, "sqlite_errorname", "unknown"))
    make = _BY_CODE.get(code) or _BY_CODE.get(code & _PRIMARY_CODE) or _misuse
    return make(str(error), name)


def _misuse(text: str, name: str) -> StoreError:
    return StoreMisuse(f"the database refused a statement ({name}): {text}")


def _full(_text: str, _name: str) -> StoreError:
    return StoreFull(
        "the disk is full: nothing of this was stored",
        advice="Make space on the disk of the data directory; the node goes on by itself.",
    )


def _busy(_text: str, _name: str) -> StoreError:
    return StoreBusy("a unit of work took too long and was rolled back")


def _damaged(_text: str, name: str) -> StoreError:
    return StoreDamaged(
        f"the database file is damaged ({name})",
        advice="Stop the node, keep a copy of the data directory, and restore the last backup.",
    )


def _refused(text: str, _name: str) -> StoreError:
    return StoreRefused(f"a value cannot be stored: {text}")


def _conflict(text: str, name: str) -> StoreError:
    return StoreConflict(f"the database refused a row: {text}", constraint=text.partition(" failed: ")[2] or name)


def _unavailable(reason: str) -> Callable[[str, str], StoreError]:
    def make(_text: str, name: str) -> StoreError:
        return StoreUnavailable(
            f"the database cannot be used now ({reason}, {name}): nothing of this was stored",
            advice="Check the disk of the data directory and who may write to it; the node goes on by itself.",
        )

    return make


_BY_CODE: dict[int, Callable[[str, str], StoreError]] = {
    sqlite3.SQLITE_FULL: _full,
    sqlite3.SQLITE_INTERRUPT: _busy,
    sqlite3.SQLITE_CORRUPT: _damaged,
    sqlite3.SQLITE_NOTADB: _damaged,
    sqlite3.SQLITE_TOOBIG: _refused,
    sqlite3.SQLITE_MISMATCH: _refused,
    _CONSTRAINT_DATATYPE: _refused,
    sqlite3.SQLITE_CONSTRAINT: _conflict,
    sqlite3.SQLITE_IOERR: _unavailable("the disk reported an error"),
    sqlite3.SQLITE_CANTOPEN: _unavailable("a file of the database cannot be opened"),
    sqlite3.SQLITE_READONLY: _unavailable("the database file is read-only"),
    sqlite3.SQLITE_PERM: _unavailable("the database file may not be accessed"),
    sqlite3.SQLITE_NOMEM: _unavailable("no memory is left"),
    sqlite3.SQLITE_BUSY: _unavailable("another program holds the database file"),
    sqlite3.SQLITE_PROTOCOL: _unavailable("another program holds the database file"),
    sqlite3.SQLITE_LOCKED: _unavailable("a table is locked"),
}
