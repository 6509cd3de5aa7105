"""Which SQLite libraries carry the store, and which have the WAL-reset bug."""

from __future__ import annotations

import sqlite3

import pytest

from node.store.library import examine


@pytest.mark.parametrize(
    ("version", "fit", "bug"),
    [
        ((3, 36, 0), False, True),
        ((3, 37, 0), True, True),
        ((3, 40, 1), True, True),
        ((3, 44, 5), True, True),
        ((3, 44, 6), True, False),
        ((3, 45, 0), True, True),
        ((3, 50, 6), True, True),
        ((3, 50, 7), True, False),
        ((3, 51, 2), True, True),
        ((3, 51, 3), True, False),
        ((3, 52, 0), True, False),
    ],
)
def test_a_version_is_judged(version: tuple[int, int, int], fit: bool, bug: bool) -> None:
    """Fit from 3.37 on; the bug is in all up to 3.51.2 but the two lines that got the fix."""
    library = examine(version)
    assert (library.fit, library.wal_reset_bug) == (fit, bug)
    assert library.version in library.sentence


def test_the_running_library_is_fit() -> None:
    """Where the tests run, the store runs."""
    assert examine().fit
    assert examine().version == sqlite3.sqlite_version
