"""The SQLite library of this machine: fit for the store, and free of the bug that we know of?

Never opens a file.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from node.store.errors import StoreUnfit

OLDEST = (3, 37, 0)
"""STRICT tables need 3.37; RETURNING needs 3.35."""

_WAL_RESET_BEGAN = (3, 7, 0)
_WAL_RESET_FIXED = (3, 51, 3)
_WAL_RESET_BACKPORTS = ((3, 44, 6), (3, 50, 7))
"""First fixed release of each older line that got the fix."""


@dataclass(frozen=True, slots=True)
class Library:
    """What `accord check` says about the library."""

    version: str
    fit: bool
    wal_reset_bug: bool
    sentence: str


def examine(version: tuple[int, int, int] = sqlite3.sqlite_version_info) -> Library:
    """Judge a version of the library; the running one if none is given."""
    text = ".".join(map(str, version))
    if version < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        return Library(text, fit=False, wal_reset_bug=True, sentence=f"SQLite {text} is too old: {oldest} is needed.")
    if _has_wal_reset_bug(version):
        return Library(
            text,
            fit=True,
            wal_reset_bug=True,
            sentence=(
                f"SQLite {text} has the WAL-reset bug, which can damage a database that two connections write. The "
                "node writes through one connection only, so its data is safe; do not open its database with another "
                "program while it runs. 3.51.3 has no such limit."
            ),
        )
    return Library(text, fit=True, wal_reset_bug=False, sentence=f"SQLite {text} is fit.")


def require_fit() -> None:
    """Refuse a library that cannot carry the store.

    Raises:
        StoreUnfit: it is too old.
    """
    library = examine()
    if not library.fit:
        raise StoreUnfit(library.sentence, advice="Run accord on a newer base image, or with a newer Python build.")


def _has_wal_reset_bug(version: tuple[int, int, int]) -> bool:
    if not _WAL_RESET_BEGAN <= version < _WAL_RESET_FIXED:
        return False
    return not any(version[:2] == fixed[:2] and version >= fixed for fixed in _WAL_RESET_BACKPORTS)
