"""The files of a database on the disk: made for their owner only, flushed, looked at before they are trusted.

Never changes a row.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from node.store.driver import address_of, translate
from node.store.errors import StoreDamaged, StoreError, StoreUnavailable

OWNER_ONLY_FILE = 0o600
OWNER_ONLY_DIRECTORY = 0o700
OTHERS = 0o077
SIDE_FILES = ("-wal", "-shm")

_DAMAGE_LINES = 3


def make_directory(directory: Path) -> None:
    """Make the directory with mode 0700 if it is missing.

    One that exists is left as it is: it may be shared on purpose, and the files guard themselves.

    Raises:
        StoreUnavailable: the file system refuses.
    """
    try:
        directory.mkdir(mode=OWNER_ONLY_DIRECTORY, parents=True, exist_ok=True)
    except OSError as error:
        raise _refused(directory, error) from error


def make_private(path: Path) -> None:
    """Make the file with mode 0600 if it is missing; take others' rights from it and the files beside it.

    Raises:
        StoreUnavailable: the file system refuses.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, OWNER_ONLY_FILE))
        for each in (path, *side_files(path)):
            if each.exists() and each.stat().st_mode & OTHERS:
                each.chmod(OWNER_ONLY_FILE)
    except OSError as error:
        raise _refused(path, error) from error


def side_files(path: Path) -> tuple[Path, ...]:
    """Return the names of the files that SQLite keeps beside the database."""
    return tuple(path.with_name(path.name + suffix) for suffix in SIDE_FILES)


def flush(path: Path) -> None:
    """Make the bytes of a file, or the names in a directory, durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def look(path: Path, *, thorough: bool) -> str | None:
    """Check a database file and return its schema version, or None if it is empty.

    ``thorough`` also checks every index against its table (a backup); without it the check takes about 0.3 s per
    100 MB (a start).

    Raises:
        StoreDamaged: it is broken, or some other program's database.
        StoreUnavailable: it cannot be read.
    """
    try:
        # A start needs to write: after a crash SQLite first recovers the WAL.
        address = address_of(path, mode="ro" if thorough else "rw")
        with closing(sqlite3.connect(address, uri=True, isolation_level=None)) as connection:
            check = "integrity_check" if thorough else "quick_check"
            lines = [str(line) for (line,) in connection.execute(f"PRAGMA {check}({_DAMAGE_LINES})")]
            tables = {str(name) for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type='table'")}
            versions: list[str] = []
            if "alembic_version" in tables:
                versions = [
                    str(version) for (version,) in connection.execute("SELECT version_num FROM alembic_version")
                ]
    except sqlite3.Error as error:
        raise _unreadable(path, error) from error
    if lines != ["ok"]:
        raise StoreDamaged(f"the database {path} is damaged: {'; '.join(lines)}", advice=_RESTORE)
    if tables and len(versions) != 1:
        raise StoreDamaged(
            f"the file {path} is an SQLite database, but not one of accord's",
            advice="Name another data directory, or move the file away.",
        )
    return versions[0] if versions else None


_RESTORE = "Keep a copy of the data directory as it is, then restore the last backup."


def _unreadable(path: Path, error: sqlite3.Error) -> StoreError:
    failure = translate(error)
    if isinstance(failure, StoreDamaged):
        return StoreDamaged(f"the database {path} is damaged or not a database: {error}", advice=_RESTORE)
    return failure


def _refused(path: Path, error: OSError) -> StoreUnavailable:
    return StoreUnavailable(
        f"{path} cannot be used: {error.strerror}",
        advice="Check that this user may write to the data directory, and that its disk has space.",
    )
