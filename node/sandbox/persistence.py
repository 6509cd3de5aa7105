"""Keeping a world in one file, so that it is there again after a restart.

The file is a SQLite database: saving a change writes that change alone, and a transaction is there wholly or not at
all. One row holds the site, one each issue, one each file's bytes. Written at most every ``DELAY_SECONDS`` and at the
end; what happened in the last moment before a crash may be missing.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from contextlib import closing
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from node.sandbox.clock import SandboxClock
from node.sandbox.model import Issue, Site
from node.sandbox.store import World

log = logging.getLogger(__name__)

DELAY_SECONDS = 0.2
FORMAT = 1
"""Kept in ``PRAGMA user_version``; a file of another format is refused."""
APPLICATION_ID = 0x4A534258
"""Kept in ``PRAGMA application_id`` ("JSBX"), so that no other program's database is overwritten."""

_SITE = TypeAdapter(Site)
_ISSUE = TypeAdapter(Issue)
_TABLES = (
    "CREATE TABLE IF NOT EXISTS site (one INTEGER PRIMARY KEY CHECK (one = 1), body BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS issue (id TEXT PRIMARY KEY, body BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS blob (id TEXT PRIMARY KEY, bytes BLOB NOT NULL)",
)


class DataFileError(Exception):
    """The file cannot be used; the message says which and why."""


def open_file(path: Path) -> sqlite3.Connection:
    """Open or create the file, which only its owner may read: digests of passwords are in it. Raises DataFileError."""
    try:
        path.touch(mode=0o600)
        database = sqlite3.connect(path, check_same_thread=False)
        try:
            fresh = database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
            application = database.execute("PRAGMA application_id").fetchone()[0]
            version = database.execute("PRAGMA user_version").fetchone()[0]
            if not fresh:
                _check_format(path, application, version)
            with database:
                database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                database.execute(f"PRAGMA user_version = {FORMAT}")
                for statement in _TABLES:
                    database.execute(statement)
        except BaseException:
            database.close()
            raise
    except (sqlite3.Error, OSError) as wrong:
        raise DataFileError(f"{path} cannot be used: {wrong}") from None
    return database


def _check_format(path: Path, application: int, version: int) -> None:
    if application != APPLICATION_ID:
        raise DataFileError(f"{path} is a database of another program.")
    if version != FORMAT:
        raise DataFileError(f"{path} has format {version}; this program reads format {FORMAT}.")


def read_world(path: Path, clock: SandboxClock | None = None) -> World | None:
    """Return the world that the file holds; None when it holds none yet. Raises DataFileError."""
    with closing(open_file(path)) as database:
        try:
            row = database.execute("SELECT body FROM site").fetchone()
            if row is None:
                return None
            world = World(_SITE.validate_json(row[0]), clock=clock)
            for (body,) in database.execute("SELECT body FROM issue ORDER BY CAST(id AS INTEGER)"):
                world.add_issue(_ISSUE.validate_json(body))
            world.blobs.update(database.execute("SELECT id, bytes FROM blob"))
        except (sqlite3.Error, ValidationError) as wrong:
            raise DataFileError(f"{path} is damaged: {wrong}") from None
    world.take_dirty()
    return world


class Saver:
    """Saves what changes, a moment after it changed, until it is closed."""

    def __init__(self, world: World, path: Path) -> None:
        self._world = world
        self._path = path
        self._database = open_file(path)
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._writing = asyncio.Lock()

    def start(self) -> None:
        """Save all that is not saved yet, and begin to watch. Needs a running event loop."""
        self._world.on_change(self._wake.set)
        self._wake.set()
        self._task = asyncio.create_task(self._run(), name="sandbox saver")

    async def close(self) -> None:
        """Save the rest and close the file. Raises DataFileError when that fails."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        try:
            await self.save()
        finally:
            self._database.close()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            await asyncio.sleep(DELAY_SECONDS)
            self._wake.clear()
            try:
                # A cancelled save would leave its thread writing while another begins.
                await asyncio.shield(self.save())
            except DataFileError as wrong:
                log.error("%s It will be tried again with the next change.", wrong)  # noqa: TRY400 - no trace is needed

    async def save(self) -> None:
        """Save what changed since the last time, wholly or not at all. Raises DataFileError."""
        async with self._writing:
            await self._save()

    async def _save(self) -> None:
        dirty = self._world.take_dirty()
        if not (dirty.site or dirty.issues or dirty.blobs):
            return
        world = self._world
        issues = {one: world.issues.get(one) for one in dirty.issues}
        bodies = {one: None if issue is None else _ISSUE.dump_json(issue) for one, issue in issues.items()}
        blobs = {one: world.blobs.get(one) for one in dirty.blobs}
        site = _SITE.dump_json(world.site) if dirty.site else None
        try:
            await asyncio.to_thread(self._write, site, bodies, blobs)
        except sqlite3.Error as wrong:
            world.mark_dirty(dirty)
            raise DataFileError(f"{self._path} cannot be written: {wrong}.") from None

    def _write(self, site: bytes | None, issues: dict[str, bytes | None], blobs: dict[str, bytes | None]) -> None:
        with self._database as database:
            if site is not None:
                database.execute("INSERT OR REPLACE INTO site VALUES (1, ?)", (site,))
            for table, rows in (("issue", issues), ("blob", blobs)):
                gone = [(key,) for key, value in rows.items() if value is None]
                kept = [(key, value) for key, value in rows.items() if value is not None]
                database.executemany(f"DELETE FROM {table} WHERE id = ?", gone)  # noqa: S608 - two known names
                database.executemany(f"INSERT OR REPLACE INTO {table} VALUES (?, ?)", kept)  # noqa: S608 - the same
