"""The transaction that a unit of work holds, and how its code is run on the database's thread.

Never begins, commits or rolls back: that is the writer's and the reader's business.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Generator, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from typing_extensions import override

from node.store.driver import DRIVER_FAULTS, DriverFault, Limit, translate
from node.store.errors import StoreError, StoreMisuse
from node.store.port import NO_PARAMETERS, SQLITE, Parameters, Result, Row, Sql, Statement

T = TypeVar("T")
S = TypeVar("S", bound="SqliteReader")


class SqliteReader:
    """`node.store.port.Reader` on an open SQLite transaction."""

    def __init__(self, connection: sqlite3.Connection, limit: Limit) -> None:
        self._connection = connection
        self._limit = limit
        self._closed = False
        self.failure: StoreError | None = None

    def close(self) -> None:
        """Refuse everything from here on: the unit of work has ended."""
        self._closed = True

    async def fetch_one(self, statement: Statement, parameters: Parameters = NO_PARAMETERS, /) -> Row | None:
        """Run the statement to its end and return its first row, or None."""
        # To its end, because SQLite checks foreign keys of an INSERT ... RETURNING only after the last row.
        rows = self._fetch(statement, parameters)
        return rows[0] if rows else None

    async def fetch_all(self, statement: Statement, parameters: Parameters = NO_PARAMETERS, /) -> list[Row]:
        """Run the statement and return all its rows."""
        return self._fetch(statement, parameters)

    def _fetch(self, statement: Statement, parameters: Parameters) -> list[Row]:
        text, values = self._ready(statement, parameters)
        try:
            return self._connection.execute(text, values).fetchall()
        except DRIVER_FAULTS as error:
            raise self._failed(error) from error

    def _ready(self, statement: Statement, parameters: Parameters) -> tuple[str, Any]:
        if self._closed:
            raise StoreMisuse("a transaction was used after its unit of work had ended")
        if self.failure is not None:
            raise StoreMisuse("a unit of work went on after one of its statements had failed") from self.failure
        if self._limit.passed():
            self.failure = self._limit.error()
            raise self.failure
        if isinstance(statement, Sql):
            if not isinstance(parameters, Mapping):
                raise StoreMisuse("the parameters of sql(...) are named: give a mapping")
            text, fixed = statement.text(SQLITE)
            return text, {**fixed, **parameters}
        return statement, _plain(parameters)

    def _failed(self, error: DriverFault) -> StoreError:
        self.failure = self._limit.error() if self._limit.passed() else self._words(error)
        return self.failure

    def _words(self, error: DriverFault) -> StoreError:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_READONLY:
            return StoreMisuse("a read tried to write")
        return translate(error)


class SqliteTransaction(SqliteReader):
    """`node.store.port.Transaction` inside a savepoint."""

    async def execute(self, statement: Statement, parameters: Parameters = NO_PARAMETERS, /) -> Result:
        """Run a statement whose rows, if any, nobody wants."""
        text, values = self._ready(statement, parameters)
        try:
            cursor = self._connection.execute(text, values)
            if cursor.description is not None:
                cursor.fetchall()
        except DRIVER_FAULTS as error:
            raise self._failed(error) from error
        return Result(cursor.rowcount, cursor.lastrowid or 0)

    async def executemany(self, statement: Statement, rows: Iterable[Parameters], /) -> Result:
        """Run an INSERT, UPDATE or DELETE once per row."""
        text, fixed = self._ready(statement, NO_PARAMETERS)
        rows_ready = _with_fixed(rows, fixed) if isinstance(statement, Sql) else map(_plain, rows)
        try:
            cursor = self._connection.executemany(text, rows_ready)
        except DRIVER_FAULTS as error:
            raise self._failed(error) from error
        except Exception as error:  # from making a row: those before it are in already
            self.failure = error if isinstance(error, StoreError) else StoreMisuse("a row could not be made")
            raise
        return Result(cursor.rowcount, cursor.lastrowid or 0)

    @override
    def _words(self, error: DriverFault) -> StoreError:
        return translate(error)


def _plain(parameters: Parameters) -> dict[str, Any] | list[Any] | tuple[Any, ...]:
    """Return the parameters as one of the types that the driver takes."""
    if isinstance(parameters, dict | list | tuple):
        return parameters
    return dict(parameters) if isinstance(parameters, Mapping) else tuple(parameters)


def _with_fixed(rows: Iterable[Parameters], fixed: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for row in rows:
        if not isinstance(row, Mapping):
            raise StoreMisuse("the parameters of sql(...) are named: give mappings")
        yield {**fixed, **row}


def drive(work: Callable[[S], Awaitable[T]], session: S) -> T:
    """Run a unit of work to its end on this thread.

    Its transaction answers without ever suspending, so the work ends at the first step, or it waits for something else.

    Raises:
        StoreMisuse: the work awaited something other than its transaction, or swallowed an error of it.
    """
    try:
        steps = _begin(work, session)
        next(steps)
    except StopIteration as done:
        if session.failure is not None:
            raise StoreMisuse("a unit of work swallowed the error of a statement") from session.failure
        result: T = done.value
        return result
    except RuntimeError as error:
        if "no running event loop" in str(error):
            raise _awaited_elsewhere() from error
        raise
    finally:
        session.close()
    steps.close()
    raise _awaited_elsewhere()


def _begin(work: Callable[[S], Awaitable[T]], session: S) -> Generator[Any, Any, T]:
    try:
        return work(session).__await__()
    except StopIteration as error:  # a future cannot carry it to the caller, and above it means "done"
        raise StoreMisuse("a unit of work raised StopIteration") from error


def _awaited_elsewhere() -> StoreMisuse:
    return StoreMisuse("a unit of work may await only its transaction; it was rolled back")
