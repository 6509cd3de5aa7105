"""A copy of the database that can be trusted, and the way back from it.

Never overwrites a file: neither a backup by a backup, nor the database by a restore (it is put aside).
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from node.store.driver import address_of, translate
from node.store.errors import StoreRefused, StoreUnavailable
from node.store.files import OWNER_ONLY_FILE, flush, look, side_files

RESTORED_KEY = "restored_ms"
"""Row of ``meta`` in a database that was restored: when, in milliseconds. It is for people; the peers of such a node
notice by the positions of their streams."""


def backup_file(source: Path, target: Path) -> None:
    """Write a complete, checked copy of ``source`` to ``target``; writers of ``source`` go on meanwhile.

    The copy appears under its name only when it is on the disk and was found whole. Takes about half a second per
    100 MB, during which commits are slower.

    Raises:
        StoreRefused: ``target`` exists.
        StoreUnavailable: the disk is full or fails.
        StoreDamaged: the copy was found broken: so is the source.
    """
    if target.exists():
        raise StoreRefused(f"the backup {target} exists and is not overwritten", advice="Name another file.")
    partial = target.with_name(f"{target.name}.partial")
    try:
        partial.unlink(missing_ok=True)
        os.close(os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, OWNER_ONLY_FILE))
        with closing(sqlite3.connect(address_of(source, mode="ro"), uri=True, isolation_level=None)) as raw:
            raw.execute("VACUUM INTO ?", (str(partial),))
        _publish(partial, target)
    except sqlite3.Error as error:
        raise translate(error) from error
    except OSError as error:
        raise _disk(target, error) from error
    finally:
        partial.unlink(missing_ok=True)


def restore_file(backup: Path, path: Path, *, now_ms: int) -> Path | None:
    """Put a backup in the place of the database; return where the old one was put, or None if there was none.

    The caller holds the lock of the directory. The restored database says so in ``meta`` (`RESTORED_KEY`).

    Raises:
        StoreRefused: there is no backup, or it is empty; nothing was changed.
        StoreDamaged: the backup is broken, or no database of ours; nothing was changed.
        StoreUnavailable: the disk is full or fails; the database is the old one.
    """
    if not backup.is_file():
        raise StoreRefused(f"there is no backup {backup}; nothing was changed", advice="Name another file.")
    if look(backup, thorough=True) is None:
        raise StoreRefused(f"the backup {backup} is empty; nothing was changed", advice="Name another backup.")
    fresh = path.with_name(f"{path.name}.partial")
    aside = path.with_name(f"{path.name}.replaced-{now_ms}")
    try:
        fresh.unlink(missing_ok=True)
        os.close(os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, OWNER_ONLY_FILE))
        shutil.copyfile(backup, fresh)
        with closing(sqlite3.connect(fresh, isolation_level=None)) as raw:
            raw.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (RESTORED_KEY, str(now_ms)))
        existed = path.exists()
        if existed:
            # A second name, not a move: at no moment is there no database, which the node would take for a new one.
            os.link(path, aside)
            for side, kept in zip(side_files(path), side_files(aside), strict=True):
                if side.exists():
                    side.rename(kept)
        _publish(fresh, path)
    except sqlite3.Error as error:
        raise translate(error) from error
    except OSError as error:
        raise _disk(path, error) from error
    finally:
        fresh.unlink(missing_ok=True)
    return aside if existed else None


def _publish(partial: Path, target: Path) -> None:
    flush(partial)
    look(partial, thorough=True)
    partial.replace(target)
    flush(target.parent)


def _disk(path: Path, error: OSError) -> StoreUnavailable:
    return StoreUnavailable(
        f"{path} cannot be written: {error.strerror}",
        advice="Check the space on that disk and who may write there; nothing was replaced.",
    )
