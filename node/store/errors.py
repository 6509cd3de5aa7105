"""Every error of the store, as one tree; each says what happened and what to do next.

StoreError                     a branch of `node.errors.AccordError`
├── StoreLocked                another process uses this data directory
├── StoreUnfit                 this machine's SQLite is too old
├── StoreTooNew                the database was written by a newer accord; nothing was changed
├── StoreDamaged               the file is not a database of ours, or is broken
├── StoreMigrationFailed       the schema could not be brought up to date; nothing was changed
├── StoreUnavailable           `temporary`: the work was not done, and may be tried again
│   ├── StoreFull              no space is left
│   └── StoreBusy              the work took too long, or waited behind work that does
├── StoreConflict              a constraint of the schema refused the row, `.constraint`
├── StoreRefused               a value cannot be stored: too large, not text, of the wrong type
├── StoreMisuse                the calling code broke a rule of `node.store.port`: a mistake in this program
└── StoreClosed                the node is shutting down

No value of a row, no SQL text with values, in any message.
"""

from __future__ import annotations

from node.errors import AccordError


class StoreError(AccordError):
    """The store did not do what was asked."""

    temporary = False
    """Whether the same work may succeed later without anybody changing the work."""


class StoreLocked(StoreError):
    """Another process uses this data directory."""


class StoreUnfit(StoreError):
    """This machine's SQLite library cannot carry the store."""


class StoreTooNew(StoreError):
    """The database was written by a newer accord. ``found`` and ``known`` are schema versions."""

    def __init__(self, message: str, *, found: str, known: str, advice: str = "") -> None:
        super().__init__(message, advice=advice)
        self.found = found
        self.known = known


class StoreDamaged(StoreError):
    """The file is not a database of ours, or is broken."""


class StoreMigrationFailed(StoreError):
    """The schema could not be brought up to date; the database is as it was before."""


class StoreUnavailable(StoreError):
    """The work was not done, and may be tried again.

    Nothing is ever half done. One case leaves a whole unit of work behind although it was refused: the disk failed
    while the commit was being made durable, and the process died before it wrote anything else. So a refused unit is
    tried again as after a crash: by a key that makes the second time harmless.
    """

    temporary = True


class StoreFull(StoreUnavailable):
    """No space is left on the disk, or the database has reached its largest size."""


class StoreBusy(StoreUnavailable):
    """The work took too long and was stopped, or waited behind work that does not end."""


class StoreConflict(StoreError):
    """A constraint of the schema refused the row. ``constraint`` names it, or its columns, as the database does."""

    def __init__(self, message: str, *, constraint: str, advice: str = "") -> None:
        super().__init__(message, advice=advice)
        self.constraint = constraint


class StoreRefused(StoreError):
    """A value cannot be stored as it is: too large, not valid text, or of the wrong type for its column."""


class StoreMisuse(StoreError):
    """The calling code broke a rule of ``node.store.port``: a mistake in this program, not in the data."""


class StoreClosed(StoreError):
    """The store is closed or closing: the node is shutting down."""
