"""Brings the schema of a database up to date before anybody opens it; forward only.

Runs synchronously, under the lock of the data directory, in one transaction: it ends at the newest schema or where it
began. Never touches a database that a newer accord has written.
"""

from __future__ import annotations

import importlib.metadata
import sqlite3
import threading
from functools import cache
from pathlib import Path

import sqlalchemy
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.exc import DBAPIError

from node.store.backup import backup_file
from node.store.driver import WRITER_SETTINGS, address_of, translate
from node.store.errors import StoreMigrationFailed, StoreTooNew
from node.store.files import look, make_private
from node.store.library import require_fit

MIGRATIONS = Path(__file__).parent / "migrations"
VERSION_KEY = "accord_version"
"""Row of ``meta``: the accord that last brought the schema up to date."""

_one_at_a_time = threading.Lock()
"""Alembic keeps the running migration in module globals; two nodes in one process must not migrate at once."""


@cache
def known_versions(steps: Path = MIGRATIONS) -> tuple[str, ...]:
    """Return the schema versions that a folder of migrations knows, oldest first."""
    scripts = ScriptDirectory.from_config(_config(steps))
    return tuple(script.revision for script in scripts.walk_revisions())[::-1]


def prepare(path: Path, *, now_ms: int, steps: Path = MIGRATIONS) -> Path | None:
    """Make, check and migrate the database; return the backup that was made before a migration.

    Raises:
        StoreError: as `node.store.engine.Store.open` says.
    """
    require_fit()
    make_private(path)
    found = look(path, thorough=False)
    known = known_versions(steps)
    newest = known[-1]
    if found == newest:
        return None
    saved: Path | None = None
    if found is not None:
        if found not in known:
            raise _too_new(path, found, newest)
        saved = path.with_name(f"{path.stem}-{found}-before-{newest}-{now_ms}{path.suffix}")
        backup_file(path, saved)
    try:
        _upgrade(path, steps)
    except Exception as error:  # a migration is a program: whatever it raises, the database is as it was
        raise StoreMigrationFailed(
            f"the database {path} could not be brought from schema {found or 'none'} to {newest}; it is as it was. "
            f"{_reason(error)}",
            advice="Make space on the disk if that is the reason; else go back to the accord that wrote it, and report "
            "this with the log." + (f" A copy from before is in {saved}." if saved else ""),
        ) from error
    return saved


def _upgrade(path: Path, steps: Path) -> None:
    engine = sqlalchemy.create_engine(
        "sqlite://",
        # The driver's own implicit transactions would commit before each change of the schema.
        creator=lambda: sqlite3.connect(address_of(path, mode="rw"), uri=True, isolation_level=None),
        poolclass=sqlalchemy.NullPool,
    )
    sqlalchemy.event.listen(engine, "connect", _configure)
    sqlalchemy.event.listen(engine, "begin", _begin)
    try:
        with engine.begin() as connection, _one_at_a_time:
            config = _config(steps)
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
            if broken is not None:
                raise _BrokenReferences(f"rows of table {broken[0]} point to rows that are gone")
            connection.exec_driver_sql(
                "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (VERSION_KEY, _own_version())
            )
    finally:
        engine.dispose()


class _BrokenReferences(Exception):
    """A migration left rows without the rows that they belong to."""


def _configure(raw: sqlite3.Connection, _record: object) -> None:
    for setting in WRITER_SETTINGS:
        raw.execute(setting).fetchall()
    # A table is rebuilt by dropping the old one, which would delete every row that refers to it.
    raw.execute("PRAGMA foreign_keys = OFF")


def _begin(connection: sqlalchemy.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _config(steps: Path) -> Config:
    config = Config()
    config.set_main_option("script_location", str(steps).replace("%", "%%"))
    return config


def _reason(error: Exception) -> str:
    driver_error = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(driver_error, sqlite3.Error):
        return f"Reason: {translate(driver_error)}."
    return f"Reason: {type(error).__name__}: {error}"


def _own_version() -> str:
    try:
        return importlib.metadata.version("accord-sync")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def _too_new(path: Path, found: str, known: str) -> StoreTooNew:
    writer = _written_by(path)
    return StoreTooNew(
        f"the database {path} has schema {found}, written by accord {writer}; this is accord {_own_version()}, which "
        f"knows schemas up to {known}. Nothing was changed",
        found=found,
        known=known,
        advice=f"Run accord {writer} or newer, or restore a backup that was made before the upgrade.",
    )


def _written_by(path: Path) -> str:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        row = connection.execute("SELECT value FROM meta WHERE key = ?", (VERSION_KEY,)).fetchone()
    except sqlite3.OperationalError:  # a future schema may have no such table
        row = None
    finally:
        connection.close()
    return str(row[0]) if row else "of an unknown version"
